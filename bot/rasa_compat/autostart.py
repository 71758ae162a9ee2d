"""Runs `install()` when, and only when, something imports Rasa.

The environment's site-packages hold a one-line `afterword_rasa.pth` that calls `arm()` at the start of every Python
process, so that the plain `rasa` commands work. A process that never imports Rasa pays for one small import and nothing
is changed in it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType


class _WaitForRasa(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Never finds anything; the sight of `rasa` is what it waits for."""
        if fullname == "rasa":
            sys.meta_path.remove(self)
            from bot import rasa_compat

            rasa_compat.install()
        return None


def arm() -> None:
    """Watch for the first `import rasa` in this process."""
    if "rasa" not in sys.modules:
        sys.meta_path.insert(0, _WaitForRasa())
