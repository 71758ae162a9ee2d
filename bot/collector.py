"""Python's garbage collector in a process that serves for weeks."""

from __future__ import annotations

import gc


def settle() -> None:
    """Call once everything is loaded: it lives as long as the process, so no collection has to walk it again.

    Requests make much that dies at once and little that stays, so the young are looked at less often, too.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
