"""The replies that the detector learns from and is measured on.

Three kinds: the check-in replies written for this project (`data/detection`, every fifth kept for testing, and the
answers among the examples in `data/nlu`), and, where a folder with them is given, public sets that may be learnt from
(see NOTICE). What may only be measured on is not named here.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from bot.core.errors import Unusable
from bot.nlu.questions import GOOD, IMPROVE, OPEN, UNASKED, question_of_context

ROOT = Path(__file__).resolve().parents[2]
REPLIES = ROOT / "data" / "detection"
INTENTS = ROOT / "data" / "nlu"

UNHAPPY = {"satisfied": 0.0, "neutral_or_mixed": 0.0, "lukewarm": 0.4, "dissatisfied": 1.0, "complaint": 1.0}
"""What each label teaches. A lukewarm "fine" is left undecided on purpose: the dialogue then asks one soft question."""

_MARKED = re.compile(r"\[([^\]]+)\](?:\([^)]*\)|\{[^}]*\})")
"""An entity marked in an example for Rasa: `[an hour](duration)`."""

_PHASE1_QUESTIONS = {"Q1": IMPROVE, "Q2": GOOD}


@dataclass(frozen=True, slots=True)
class Example:
    """One labelled reply: `unhappy` from 0 to 1, `weight` its say in the training, `origin` the set it is from."""

    text: str
    unhappy: float
    question: str
    weight: float
    origin: str
    language: str
    identity: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """A public set that may be learnt from: its file and its say, how many of it (0: all), of which languages (all)."""

    path: str
    origin: str
    weight: float
    most: int = 0
    languages: tuple[str, ...] = ()


SOURCES = (
    Source("measure/en_fft.jsonl", "en_fft", 1.0),
    Source("train/en_fft_phase1.jsonl.gz", "phase1", 0.4),
    Source("train/en_goemotions.jsonl.gz", "goemotions", 0.2, most=20000),
    Source("measure/el_reviews.jsonl", "el_reviews", 1.0),
    Source("measure/th_brand.jsonl", "th_brand", 1.0),
    Source("train/xed_rest.jsonl.gz", "xed", 0.2, languages=("de", "el", "es", "sr", "tr")),
)
"""Everything public that is learnt from. What is not named here never teaches anything."""


def languages() -> tuple[str, ...]:
    """The languages that have replies of their own, by code."""
    return tuple(sorted(path.stem for path in REPLIES.glob("*.jsonl")))


def read_own(language: str, *, held_out: bool = False) -> list[Example]:
    """The replies of one language kept in this repository: those to learn from, or the fifth that is tested on."""
    replies = [
        Example(row["text"], UNHAPPY[row["label"]], row.get("question", OPEN), 1.5, "detection", language)
        for row in rows(REPLIES / f"{language}.jsonl")
        if (row.get("split") == "test") is held_out
    ]
    return replies if held_out else replies + _answers(language, {e.text for e in read_own(language, held_out=True)})


def read_public(folder: Path, sources: tuple[Source, ...] = SOURCES) -> list[Example]:
    """The examples of public sets; a set that is not in the folder is passed over."""
    return [example for source in sources for example in _drawn(folder, source)]


def as_unasked(examples: list[Example], share: float) -> list[Example]:
    """The same replies as if the question were unknown, with a share of their say."""
    return [replace(example, question=UNASKED, weight=example.weight * share) for example in examples]


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """The labelled texts of a JSON Lines file, compressed or not; none when there is no such file.

    Raises Unusable with the file and the line when one is not a text with a label we know.
    """
    if not path.is_file():
        return
    try:
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield _labelled(line, f"{path}, line {number}")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise Unusable(f"{path} cannot be read: {error}") from None


def _labelled(line: str, place: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise Unusable(f"{place}: not JSON ({error.msg} at character {error.pos + 1})") from None
    if not isinstance(row, dict) or not isinstance(row.get("text"), str):
        raise Unusable(f'{place}: expected an object with a "text"')
    if row.get("label") not in UNHAPPY:
        raise Unusable(f"{place}: unknown label {row.get('label')!r}; known are {', '.join(sorted(UNHAPPY))}")
    return row


def _drawn(folder: Path, source: Source) -> list[Example]:
    found = [row for row in rows(folder / source.path) if not source.languages or row["lang"] in source.languages]
    if source.most:
        found = sorted(found, key=lambda row: hashlib.sha256(row["id"].encode()).digest())[: source.most]
    return [
        Example(
            row["text"], UNHAPPY[row["label"]], _question(row), source.weight, source.origin, row["lang"], row["id"]
        )
        for row in found
    ]


def _answers(language: str, kept: set[str]) -> list[Example]:
    """The answers among the examples of intents, without those kept for testing."""
    path = INTENTS / f"{language}.yml"
    entries = yaml.safe_load(path.read_text("utf-8"))["nlu"] if path.is_file() else []
    said = [
        (_MARKED.sub(r"\1", line.removeprefix("- ").strip()), entry["intent"])
        for entry in entries
        if entry.get("intent") in UNHAPPY
        for line in entry["examples"].splitlines()
    ]
    return [Example(text, UNHAPPY[label], OPEN, 1.5, "nlu", language) for text, label in said if text not in kept]


def _question(row: dict[str, Any]) -> str:
    asked = (row.get("context") or [{}])[-1].get("text", "")
    return _PHASE1_QUESTIONS.get(asked) or question_of_context(row.get("context") or ())
