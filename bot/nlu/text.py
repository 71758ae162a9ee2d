"""Texts as the detector compares them: folded, with the way back to the customer's own characters."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

WORD = re.compile(r"\w+")
_APOSTROPHES = "'’‘ʼ`´"
_MARKS = {"Mn", "Me", "Cf"}
_LONGEST_CHARACTER_NGRAM = 5
_SERBIAN: dict[str, str] = dict(
    zip(
        "абвгдђежзијклљмнњопрстћуфхцчџш",
        [*"abvgd", "dj", *"ezzijkl", "lj", "m", "n", "nj", *"oprstcufhcc", "dz", "s"],
        strict=True,
    )
) | {"đ": "dj"}
"""Serbian is read in one script: "чекали" is "cekali", as "čekali" is; a đ without its stroke is typed dj."""

_PERSIAN = str.maketrans("يىكةە", "ییکهه")
"""Persian is often typed on an Arabic keyboard: its "ي" and "ك" look alike and are other characters."""


@dataclass(frozen=True, slots=True)
class Folded:
    """A text without case, accents or apostrophes; `origin[i]` is where its i-th character stood."""

    text: str
    origin: tuple[int, ...]
    raw: str

    def raw_span(self, start: int, end: int) -> tuple[int, int]:
        """Where a span of the folded text stands in the customer's own; both ends are character offsets."""
        if start >= end:
            return (0, 0)
        last = self.origin[end] if end < len(self.origin) else len(self.raw)
        return self.origin[start], max(self.origin[end - 1] + 1, _trimmed(self.raw, self.origin[end - 1] + 1, last))


def fold(raw: str) -> Folded:
    """Lower case, bare letters: "DEĞİL", "değil" and "degil" become one, and so do "didn’t" and "didnt".

    Serbian becomes Latin; Persian typed with Arabic letters, Persian.
    """
    letters: list[str] = []
    origin: list[int] = []
    for at, character in enumerate(raw):
        for letter in _folded(character):
            letters.append(letter)
            origin.append(at)
    return Folded("".join(letters), tuple(origin), raw)


@lru_cache(maxsize=4096)
def _folded(character: str) -> str:
    if character in _APOSTROPHES:
        return ""
    if character in "ıİI":
        return "i"
    if latin := _SERBIAN.get(character.lower()):
        return latin
    bare = "".join(c for c in unicodedata.normalize("NFKD", character) if unicodedata.category(c) not in _MARKS)
    folded: str = bare.casefold().translate(_PERSIAN)
    return " " if bare.isspace() else folded


def _trimmed(raw: str, start: int, end: int) -> int:
    """Take marks along that belong to the last letter, and nothing else."""
    while start < end and unicodedata.category(raw[start]) in _MARKS:
        start += 1
    return start


def ngrams(folded: str) -> Iterator[str]:
    """Words, pairs of words (`w…`) and parts of words up to five characters (`c…`) of a folded text."""
    words = WORD.findall(folded)
    for at, word in enumerate(words):
        yield f"w{word}"
        if at:
            yield f"w{words[at - 1]} {word}"
    for chunk in folded.split():
        padded = f" {chunk} "
        for size in range(1, _LONGEST_CHARACTER_NGRAM + 1):
            for start in range(max(1, len(padded) - size + 1)):
                yield f"c{padded[start : start + size]}"


def answer_ngrams(folded: str, question: str) -> Iterator[str]:
    """The first words of an answer together with what was asked: "nothing" is praise after "what could be better?"."""
    yield f"q{question}"
    for word in WORD.findall(folded)[:6]:
        yield f"q{question} {word}"
