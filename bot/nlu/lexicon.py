"""The cues of dissatisfaction in one language, from a data file: what is said beside, or instead of, a complaint."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from bot.nlu.text import WORD, Folded, fold

LEXICONS = Path(__file__).parent / "lexicons"
LONGEST_QUOTE = 80
BRIEF_WORDS = 3
_PUNCTUATION = re.compile(r"[.,;:!?…\n\r\t()\[\]{}<>\"“”«»|/]+|\s[-–—]+\s")
_REACH = 3


@dataclass(frozen=True, slots=True)
class Span:
    """A named stretch of a folded text."""

    name: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Found:
    """The cues of a text and the failure it names: a code with the clause around it, or `None`."""

    cues: tuple[Span, ...]
    failure: Span | None
    clause: Span | None


class Lexicon:
    """Finds cues. An empty lexicon finds brevity and nothing else, and that is not an error."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self._cues = {name: _pattern(phrases) for name, phrases in data.get("cues", {}).items()}
        self._failures = {code: _pattern(phrases) for code, phrases in data.get("failures", {}).items()}
        negated = data.get("negated", {})
        self._before, self._after = _pattern(negated.get("before", ())), _pattern(negated.get("after", ()))
        self._deniable = frozenset(negated.get("kinds", ()))
        clauses = data.get("clauses", {})
        self._breaks = _pattern(clauses.get("breaks", ()))
        edges = "|".join(_branches(clauses.get("edges", ()))) or r"(?!)"
        self._edges = re.compile(rf"^(?:{edges})(?!\w)\s*|\s*(?<!\w)(?:{edges})$")
        self._coarse = _pattern(clauses.get("coarse", ()))

    @property
    def names(self) -> tuple[str, ...]:
        """Every cue this lexicon can find."""
        return (*self._cues, "named_failure", "brevity")

    def find(self, folded: Folded) -> Found:
        """All cues, the longer match before the shorter, and the failure that is named."""
        text = folded.text
        cues = self._without_denied_praise(text, _longest_first(_matches(self._cues, text)))
        failure = self._failure(text)
        if failure is not None:
            cues.append(Span("named_failure", failure.start, failure.end))
        if 0 < len(WORD.findall(text)) <= BRIEF_WORDS:
            stripped = text.strip()
            at = text.find(stripped)
            cues.append(Span("brevity", at, at + len(stripped)))
        clause = self._clause(text, failure) if failure is not None else None
        return Found(tuple(sorted(cues, key=lambda cue: (cue.start, cue.name))), failure, clause)

    def clauses(self, text: str) -> list[Span]:
        """The clauses of a folded text, between punctuation and joining words, without those that have no word."""
        stops = sorted((stop.start(), stop.end()) for p in (_PUNCTUATION, self._breaks) for stop in p.finditer(text))
        starts, ends = [0, *(end for _, end in stops)], [*(start for start, _ in stops), len(text)]
        return [
            Span("clause", start + len(part) - len(part.lstrip()), start + len(part.rstrip()))
            for start, end in zip(starts, ends, strict=True)
            if WORD.search(part := text[start:end])
        ]

    def is_coarse(self, folded_quote: str) -> bool:
        """Whether these words should not be said back to anybody."""
        return self._coarse.search(folded_quote) is not None

    def _failure(self, text: str) -> Span | None:
        hits = [
            hit
            for hit in _matches(self._failures, text)
            if not (hit.name in self._deniable and self._denied(text, hit))
        ]
        if not hits:
            return None
        tally = {hit.name: sum(other.name == hit.name for other in hits) for hit in hits}
        return min(hits, key=lambda hit: (-tally[hit.name], hit.start, -hit.end))

    def _denied(self, text: str, hit: Span) -> bool:
        start, end = self._bounds(text, hit)
        before = WORD.findall(text[start : hit.start])[-_REACH:]
        after = WORD.findall(text[hit.end : end])[:_REACH]
        return bool(self._before.search(" ".join(before)) or self._after.search(" ".join(after)))

    def _without_denied_praise(self, text: str, cues: list[Span]) -> list[Span]:
        """ "Not happy" is no praise: the praise goes, and the denial reaches over it."""
        return [
            Span("negation", cue.start, cue.end) if cue.name == "positive_words" and self._denied(text, cue) else cue
            for cue in cues
        ]

    def _bounds(self, text: str, hit: Span) -> tuple[int, int]:
        """The clause around a hit, between punctuation and joining words."""
        start, end = 0, len(text)
        for pattern in (_PUNCTUATION, self._breaks):
            for stop in pattern.finditer(text):
                if stop.end() <= hit.start:
                    start = max(start, stop.end())
                elif stop.start() >= hit.end:
                    end = min(end, stop.start())
                    break
        return start, end

    def _clause(self, text: str, failure: Span) -> Span:
        start, end = self._bounds(text, failure)
        start, end = _shorter(text, start, end, failure)
        while start < end and text[start].isspace():
            start += 1
        while end > start and text[end - 1].isspace():
            end -= 1
        while edge := self._edges.search(text[start:end]):
            if start + edge.end() <= failure.start and edge.start() == 0:
                start += edge.end()
            elif start + edge.start() >= failure.end:
                end = start + edge.start()
            else:
                break
        return Span(failure.name, start, end)


@cache
def lexicon_for(language: str) -> Lexicon:
    """The lexicon of a language; one without a file has an empty lexicon."""
    path = LEXICONS / f"{language}.toml"
    return Lexicon(tomllib.loads(path.read_text("utf-8")) if path.is_file() else {})


def _branches(phrases: Iterable[str]) -> list[str]:
    folded = sorted((fold(phrase).text for phrase in phrases), key=len, reverse=True)
    return [re.escape(phrase).replace(r"\*", r"\w*").replace(r"\ ", r"\s+") for phrase in folded]


def _pattern(phrases: Iterable[str]) -> re.Pattern[str]:
    branches = "|".join(_branches(phrases))
    return re.compile(rf"(?<!\w)(?:{branches})(?!\w)" if branches else r"(?!)")


def _matches(patterns: Mapping[str, re.Pattern[str]], text: str) -> list[Span]:
    return [Span(name, hit.start(), hit.end()) for name, pattern in patterns.items() for hit in pattern.finditer(text)]


def _longest_first(spans: list[Span]) -> list[Span]:
    kept: list[Span] = []
    for span in sorted(spans, key=lambda s: (s.start - s.end, s.start, s.name)):
        if all(span.end <= other.start or span.start >= other.end for other in kept):
            kept.append(span)
    return kept


def _shorter(text: str, start: int, end: int, around: Span) -> tuple[int, int]:
    """Whole words around the hit, at most `LONGEST_QUOTE` characters."""
    if end - start <= LONGEST_QUOTE:
        return start, end
    spare = max(0, LONGEST_QUOTE - (around.end - around.start))
    left, right = max(start, around.start - spare // 2), min(end, around.end + spare // 2)
    while left > start and left < around.start and not text[left - 1].isspace():
        left += 1
    while right < end and right > around.end and not text[right].isspace():
        right -= 1
    return left, right
