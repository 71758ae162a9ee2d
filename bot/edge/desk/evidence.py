"""Where in a customer's own words the evidence stands, so that a page can mark it without ever trusting the text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bot.edge.desk.labels import CIRCUMSTANCES

# Brevity's evidence is the whole answer: marking it would point at nothing.
_UNMARKED = CIRCUMSTANCES | {"brevity"}
_CLEAR = 0.1


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a text; `marked` when it is evidence. The parts of a text join to exactly that text."""

    text: str
    marked: bool


def quotable(signals: Iterable[Mapping[str, Any]], failure_words: str = "") -> list[str]:
    """The evidence of those signals that rest on the words themselves and speak clearly for unhappiness."""
    words = [str(s.get("evidence") or "") for s in signals if s["name"] not in _UNMARKED and s["weight"] >= _CLEAR]
    return [evidence for evidence in (*words, failure_words) if evidence.strip()]


def mark(text: str, evidence: Iterable[str]) -> list[Part]:
    """Split `text` at every occurrence of every piece of evidence, whatever its case, spacing or apostrophes."""
    spans = sorted(found.span() for piece in evidence for found in _pattern(piece).finditer(text))
    parts: list[Part] = []
    position = 0
    for start, end in spans:
        if end <= position:
            continue
        if start > position:
            parts.append(Part(text[position:start], False))
        if start < position and parts:  # overlaps the one before: they are one piece of evidence
            parts[-1] = Part(parts[-1].text + text[position:end], True)
        else:
            parts.append(Part(text[max(start, position) : end], True))
        position = end
    if position < len(text) or not parts:
        parts.append(Part(text[position:], False))
    return parts


def _pattern(piece: str) -> re.Pattern[str]:
    words = [re.sub("['’]", "['’]", re.escape(word)) for word in piece.split()]
    return re.compile(r"(?<!\w)" + r"\s+".join(words) + r"(?!\w)", re.IGNORECASE)
