"""One spelling for what people write in several, and the n-grams that intents are told by.

Accents and case fall away (`bot.nlu.text.fold`). Greek is spelt in Latin letters, near to how it sounds and to how
people type it on a Latin keyboard, so that "καλά ήταν" and "kala itan" share what they have in common.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.nlu.text import WORD, fold

SHORTEST, LONGEST = 2, 5
"""Parts of words: endings in Turkish, slips of the thumb, slang."""

_SOUNDS = {
    **{"αι": "e", "ει": "i", "οι": "i", "υι": "i", "ου": "ou", "αυ": "av", "ευ": "ef"},
    **{"μπ": "mp", "ντ": "nt", "γγ": "gg", "γκ": "gk", "θ": "th", "ξ": "ks", "ψ": "ps"},
    **dict(zip("αβγδεζηικλμνοπρστυφχως", "avgdeziiklmnoprstifxos", strict=True)),
}
_GREEK = re.compile("|".join(_SOUNDS))


def spelled(text: str) -> str:
    """The text in its one spelling."""
    return _GREEK.sub(lambda found: _SOUNDS[found[0]], fold(text).text)


def ngrams(text: str) -> Iterator[str]:
    """The words of a text (`w…`), its neighbouring words, the two ends among them (`p…`), and parts of words (`c…`)."""
    words = WORD.findall(spelled(text))
    if not words:
        return
    before = ""
    for word in words:
        yield f"w{word}"
        yield f"p{before} {word}"
        before = word
        padded = f" {word} "
        for size in range(SHORTEST, LONGEST + 1):
            for start in range(max(1, len(padded) - size + 1)):
                yield f"c{padded[start : start + size]}"
    yield f"p{before} "
