"""Correct a module right after it is imported, so that nothing has to be imported just to be corrected."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

Patch = Callable[[ModuleType], None]


class _PatchingLoader(Loader):
    """Runs the module with its own loader, then the patch."""

    def __init__(self, loader: Loader, patch: Patch) -> None:
        self._loader = loader
        self._patch = patch

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """As the module's own loader does."""
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """Execute, then patch; the module keeps its own loader, which resource look-ups ask for."""
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        module.__loader__ = self._loader
        self._loader.exec_module(module)
        self._patch(module)


class _PatchingFinder(MetaPathFinder):
    def __init__(self, patches: Mapping[str, Patch]) -> None:
        self._patches = dict(patches)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The ordinary spec of a module that has a patch, with a loader that applies it."""
        patch = self._patches.get(fullname)
        if patch is None:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.loader is None:
            return None
        spec.loader = _PatchingLoader(spec.loader, patch)
        return spec


def install(patches: Mapping[str, Patch]) -> None:
    """Apply each patch now if its module is already imported, and otherwise when it is. Idempotent."""
    if any(isinstance(finder, _PatchingFinder) for finder in sys.meta_path):
        return
    sys.meta_path.insert(0, _PatchingFinder(patches))
    for name, patch in patches.items():
        if name in sys.modules:
            patch(sys.modules[name])
