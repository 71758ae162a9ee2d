"""What measurements are told in: how long things took, how many a second, how much memory, against which target."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Took:
    """How long each of many took, in milliseconds, and how many seconds all of them took together."""

    ms: Sequence[float]
    seconds: float

    @property
    def per_second(self) -> float:
        """How many were done a second."""
        return len(self.ms) / self.seconds

    def share(self, part: float) -> float:
        """The milliseconds within which that part of them was done."""
        ordered = sorted(self.ms)
        return ordered[min(len(ordered) - 1, int(part * len(ordered)))]

    def __str__(self) -> str:
        shares = " / ".join(f"{self.share(part):.0f}" for part in (0.5, 0.95, 0.99))
        return f"{self.per_second:.1f}/s; p50 / p95 / p99 {shares} ms"


async def timed(do: Callable[[], Awaitable[object]], *, at_once: int, times: int) -> Took:
    """Do something so many times, `at_once` of them at any moment."""
    left, ms = itertools.repeat(None, times), []

    async def one_after_the_other() -> None:
        for _ in left:
            begun = time.perf_counter()
            await do()
            ms.append((time.perf_counter() - begun) * 1000)

    begun = time.perf_counter()
    await asyncio.gather(*(one_after_the_other() for _ in range(at_once)))
    return Took(ms, time.perf_counter() - begun)


def median_of(repeats: Sequence[Took]) -> Took:
    """The repeat in the middle, by how many were done a second."""
    return sorted(repeats, key=lambda took: took.per_second)[len(repeats) // 2]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table; `met` is None where there is no target."""

    what: str
    measured: str
    target: str = ""
    met: bool | None = None


@dataclass(slots=True)
class Report:
    """The lines of one run, said as they come and once more together at the end."""

    lines: list[Line] = field(default_factory=list)

    def add(self, what: str, measured: str, target: str = "", met: bool | None = None) -> None:
        """Remember a line, and say it."""
        self.lines.append(Line(what, measured, target, met))
        print(f"  {what}: {measured}{_verdict(met, target)}", flush=True)

    def table(self) -> str:
        """All lines, as Markdown."""
        rows = [f"| {line.what} | {line.measured} | {line.target} | {_word(line.met)} |" for line in self.lines]
        return "\n".join(["| what | measured | target | |", "|---|---|---|---|", *rows])


def _word(met: bool | None) -> str:
    return "" if met is None else "met" if met else "missed"


def _verdict(met: bool | None, target: str) -> str:
    return "" if met is None else f"  (target {target}: {_word(met)})"


def resident_mb(pid: int) -> float:
    """The memory of a process that is in RAM, in MB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0
