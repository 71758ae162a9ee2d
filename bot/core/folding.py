"""Texts as they are compared: without case, accents, apostrophes or script, and with the way back to the original."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import lru_cache

_APOSTROPHES = "'’‘ʼ`´"
_MARKS = {"Mn", "Me", "Cf"}
# Serbian is written in two scripts letter for letter. The Latin đ has no accent to take off, so both become dj.
_SERBIAN = {
    **dict(zip("абвгдежзијклмнопрстћуфхцчш", "abvgdezzijklmnoprstcufhccs", strict=True)),
    **{"ђ": "dj", "љ": "lj", "њ": "nj", "џ": "dz", "đ": "dj"},
}
# One letter to the eye, two to a machine: Arabic keyboards beside Persian ones.
_PERSIAN = {"ي": "ی", "ى": "ی", "ك": "ک", "ة": "ه", "ۀ": "ه"}
_UMLAUTS = frozenset("aou")


@dataclass(frozen=True, slots=True)
class Folded:
    """A folded text; `origin[i]` is where its i-th character stood in `raw`."""

    text: str
    origin: tuple[int, ...]
    raw: str

    def raw_span(self, start: int, end: int) -> tuple[int, int]:
        """Where a span of the folded text stands in the original; a mark on its last letter belongs to it."""
        last = self.origin[end - 1] + 1
        while last < len(self.raw) and unicodedata.category(self.raw[last]) in _MARKS:
            last += 1
        return self.origin[start], last


def fold(raw: str, language: str = "") -> Folded:
    """ "DEĞİL" and "degil" become one, "ђак" and "đak" too, and in German "fuer" and "für"."""
    letters: list[str] = []
    origin: list[int] = []
    for at, character in enumerate(raw):
        for letter in _folded(character):
            if language == "de" and letter == "e" and letters and letters[-1] in _UMLAUTS:
                continue
            letters.append(letter)
            origin.append(at)
    return Folded("".join(letters), tuple(origin), raw)


@lru_cache(maxsize=4096)
def _folded(character: str) -> str:
    if character in _APOSTROPHES:
        return ""
    if character == "\n":
        return character
    if character in "ıİI":
        return "i"
    character = unicodedata.normalize("NFKC", character).casefold()
    if character in _SERBIAN:
        return _SERBIAN[character]
    if character in _PERSIAN:
        return _PERSIAN[character]
    bare = "".join(c for c in unicodedata.normalize("NFKD", character) if unicodedata.category(c) not in _MARKS)
    return " " if bare.isspace() else bare.casefold()
