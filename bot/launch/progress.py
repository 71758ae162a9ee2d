"""What is going on, on one line, while something takes longer than a moment."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_WHEEL = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


@contextmanager
def step(title: str) -> Iterator[None]:
    """Show `title` with the seconds that pass, then a tick with how long it took, or a cross when it failed."""
    begun, over = time.monotonic(), threading.Event()
    ticker = threading.Thread(target=_turn, args=(title, begun, over), daemon=True)
    ticker.start()
    mark = "✗"
    try:
        yield
        mark = "✓"
    finally:
        over.set()
        ticker.join()
        _show(f"{mark} {title} ({time.monotonic() - begun:.1f} s)", end="\n")


def say(line: str = "") -> None:
    """One line, whole."""
    _show(line, end="\n")


def _turn(title: str, begun: float, over: threading.Event) -> None:
    if not sys.stdout.isatty():
        _show(f"… {title}", end="\n")
        return
    for turn in range(sys.maxsize):
        if over.wait(0.1):
            return
        _show(f"{_WHEEL[turn % len(_WHEEL)]} {title} {time.monotonic() - begun:.0f} s", end="")


def _show(line: str, end: str) -> None:
    clear = "\r\x1b[K" if sys.stdout.isatty() else ""
    sys.stdout.write(clear + line + end)
    sys.stdout.flush()
