"""Phrases as people write them into a data file, and where they stand in a text.

`*` stands for the rest of a word, `..` for up to four words, `#` for a number, `(a|b c)` for one of several; a
zero-width non-joiner may be a space or nothing. Case, accents, apostrophes and, in Serbian, the script make no
difference. Between the words of a phrase may stand a comma or a dash, but no end of a sentence.
"""

from __future__ import annotations

import re
from functools import cache

from bot.core.folding import fold

_BETWEEN = r"[^\w.!?;؟…]{1,3}"
_GAP = rf"{_BETWEEN}(?:\w+{_BETWEEN}){{0,4}}"
_TOKEN = re.compile(r"\s*\.\.\s*|[()|*#]|\u200c|\s+|[^\s()|*#.\u200c]+|.")
_SIGNS = {"(": "(?:", ")": ")", "|": "|", "*": r"\w*", "#": r"\d+", "\u200c": r"\s?"}


class BadPhrase(ValueError):
    """A phrase that cannot be understood; the message says why."""


def check(phrase: str) -> None:
    """Raises BadPhrase unless a phrase can be understood and finds something in particular."""
    if not phrase.strip():
        raise BadPhrase("an empty phrase finds nothing; take it out")
    depth, certain = 0, False
    for piece in _TOKEN.findall(phrase.strip()):
        depth += (piece == "(") - (piece == ")")
        if depth < 0:
            break
        certain = certain or (depth == 0 and any(letter.isalnum() for letter in piece))
    if depth != 0:
        raise BadPhrase(f"{phrase!r} has a bracket too many or too few")
    # Compiling is slow, and there are thousands: only a phrase without any fixed word needs it.
    if not certain and re.fullmatch(_expression(phrase, ""), ""):
        raise BadPhrase(f"{phrase!r} fits everything; say more")


@cache
def pattern(phrases: tuple[str, ...], language: str = "") -> re.Pattern[str]:
    """What finds any of these phrases in a folded text; none of them finds nothing. Made on first use, and kept."""
    branches = "|".join(f"(?:{_expression(phrase, language)})" for phrase in phrases)
    return re.compile(rf"(?<!\w)(?:{branches})(?!\w)" if phrases else r"(?!)")


def _expression(phrase: str, language: str) -> str:
    return "".join(_translated(token, language) for token in _TOKEN.findall(phrase.strip()))


def _translated(token: str, language: str) -> str:
    if token.strip() == "..":
        return _GAP
    if token.isspace():
        return _BETWEEN
    return _SIGNS.get(token) or re.escape(fold(token, language).text)
