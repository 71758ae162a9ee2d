"""How well amounts, order numbers, times and what failed are found, on the sentences of tests/nlu/entities."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.core.details import DetailKind, details_in
from bot.nlu.lexicon import lexicon_for
from bot.nlu.text import fold

ENTITIES = Path(__file__).resolve().parent.parent / "tests/nlu/entities"


@dataclass(frozen=True, slots=True)
class Found:
    """How many there are, how many were found, and how many of these are right."""

    there: int = 0
    found: int = 0
    right: int = 0

    def __add__(self, other: Found) -> Found:
        """Counted together."""
        return Found(self.there + other.there, self.found + other.found, self.right + other.right)

    @property
    def precision(self) -> float:
        """Of what was found, the share that is there."""
        return self.right / self.found if self.found else 1.0

    @property
    def recall(self) -> float:
        """Of what is there, the share that was found."""
        return self.right / self.there if self.there else 1.0

    @property
    def f1(self) -> float:
        """Both in one figure."""
        return 2 * self.right / (self.there + self.found) if self.there + self.found else 1.0


def sentences(language: str) -> list[dict[str, Any]]:
    """The written set of one language: `text`, `details` as kind and value, `failure` (more than one may be right)."""
    return [json.loads(line) for line in (ENTITIES / f"{language}.jsonl").read_text("utf-8").splitlines()]


def measure(language: str) -> dict[str, Found]:
    """The figures by kind of detail, `details` for all of them, and `failure`. A value must be exactly right."""
    figures: dict[str, Found] = {kind.value: Found() for kind in DetailKind} | {"failure": Found()}
    for sentence in sentences(language):
        there = Counter((kind, value) for kind, value in sentence["details"])
        found = Counter((detail.kind.value, detail.value) for detail in details_in(sentence["text"]))
        for kind in DetailKind:
            figures[kind.value] += Found(*(_of(kind, counted) for counted in (there, found, there & found)))
        named = lexicon_for(language).find(fold(sentence["text"])).failure
        right = named is not None and named.name in sentence["failure"].split("/")
        figures["failure"] += Found(int(bool(sentence["failure"])), int(named is not None), int(right))
    return {**figures, "details": sum((figures[kind.value] for kind in DetailKind), Found())}


def _of(kind: DetailKind, counted: Counter[tuple[str, str]]) -> int:
    return sum(count for (name, _), count in counted.items() if name == kind.value)
