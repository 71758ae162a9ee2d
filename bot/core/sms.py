"""How many SMS segments a text costs: carriers bill, queue and rate-limit segments, not messages.

A text in the GSM 7-bit alphabet (3GPP TS 23.038) has 160 septets in one segment, or 153 in each of several, because the
header that joins them takes seven. One letter outside it turns the whole text into UCS-2: 70 or 67 code units.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

GSM7_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM7_EXTENSION = frozenset("\f^{}\\[~]|€")
"""Each of these is an escape and a letter: two septets, which never part."""


class Encoding(StrEnum):
    """The alphabet a text leaves in."""

    GSM7 = "GSM-7"
    UCS2 = "UCS-2"


_ALONE_AND_JOINED = {Encoding.GSM7: (160, 153), Encoding.UCS2: (70, 67)}


@dataclass(frozen=True, slots=True)
class Cost:
    """What a text costs: its alphabet, its length in that alphabet's units, and its segments."""

    encoding: Encoding
    units: int
    segments: int


def encoding_of(text: str) -> Encoding:
    """GSM-7 when every letter is in it, otherwise UCS-2."""
    return Encoding.GSM7 if not set(text) - GSM7_BASIC - GSM7_EXTENSION else Encoding.UCS2


def cost(text: str) -> Cost:
    """Alphabet, units and segments of `text`. An empty text still takes one segment to carry."""
    encoding = encoding_of(text)
    widths = [_width(letter, encoding) for letter in text]
    alone, joined = _ALONE_AND_JOINED[encoding]
    units = sum(widths)
    return Cost(encoding, units, 1 if units <= alone else _fill(widths, joined))


def segments(text: str) -> int:
    """How many segments `text` costs."""
    return cost(text).segments


def _width(letter: str, encoding: Encoding) -> int:
    if encoding is Encoding.GSM7:
        return 2 if letter in GSM7_EXTENSION else 1
    return 2 if ord(letter) > 0xFFFF else 1


def _fill(widths: list[int], room: int) -> int:
    """Segments of `room` units: a letter of two units that does not fit whole starts the next one."""
    count, used = 1, 0
    for width in widths:
        if used + width > room:
            count, used = count + 1, 0
        used += width
    return count
