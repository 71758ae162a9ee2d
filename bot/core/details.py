"""The particulars in a customer's words: amounts, order numbers, how long it took, what time it was.

They are looked for in all our languages at once, because people mix them and a short message does not tell which it is.
What is found keeps the words it came from: an agent reads "order 4471, 35 EUR, 40 min" and can check each of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from bot.core.detail_words import (
    AND_A_HALF,
    COUNTS,
    CURRENCIES,
    FILLERS,
    HOURS,
    MINUTES,
    ORDERS,
    PHRASES,
    TIMES,
    UNITS,
)
from bot.core.folding import Folded, fold

LONGEST_TEXT = 2000


class DetailKind(StrEnum):
    """What a detail is."""

    AMOUNT = "amount"
    ORDER_NUMBER = "order_number"
    DURATION = "duration"
    TIME = "time"


@dataclass(frozen=True, slots=True)
class Detail:
    """One particular: its value in one form for all languages ("35 EUR", "4471", "40 min", "17:30"), and the words."""

    kind: DetailKind
    value: str
    words: str
    start: int
    end: int


def details_in(text: str) -> tuple[Detail, ...]:
    """The details of a text in their order; what was read as one thing is not read as another too."""
    folded = fold(text[:LONGEST_TEXT])
    found: list[Detail] = []
    for kind, reads in _READERS:
        for start, end, value in reads(folded.text):
            if all(end <= other.start or start >= other.end for other in found):
                found.append(Detail(kind, value, "", start, end))
    return tuple(sorted((_in_their_words(detail, folded) for detail in found), key=lambda detail: detail.start))


def _in_their_words(detail: Detail, folded: Folded) -> Detail:
    start, end = folded.raw_span(detail.start, detail.end)
    return Detail(detail.kind, detail.value, folded.raw[start:end], start, end)


def _any(words: Iterable[str]) -> str:
    """One of these, the longest first; in the one spelling that texts are folded to."""
    return "|".join(re.escape(fold(word).text) for word in sorted(words, key=lambda word: (-len(word), word)))


_NUMBER = r"\d+(?:[.,٫٬]\d+)*"

# --- amounts ----------------------------------------------------------------------------------------------------------

_SIGNS = {"€": "EUR", "$": "USD", "£": "GBP", "₺": "TRY"}
_CURRENCY_OF = {fold(word).text: code for code, words in CURRENCIES.items() for word in words} | _SIGNS
_TIMES_OF = {fold(word).text: times for word, times in TIMES.items()}
_MULTIPLIED = rf"(?P<n>{_NUMBER})\s*(?:(?P<times>{_any(TIMES)})\s+)?"
_WORD_CURRENCIES = _any(word for words in CURRENCIES.values() for word in words)
_AMOUNT_AFTER = re.compile(rf"(?<![\w.,]){_MULTIPLIED}(?P<c>[€$£₺]|(?:{_WORD_CURRENCIES})(?!\w))")
_AMOUNT_BEFORE = re.compile(rf"(?<!\w)(?P<c>[€$£₺]|(?:eur|usd|gbp|chf|rsd|try)\s)\s*(?P<n>{_NUMBER})(?P<times>)(?!\w)")


def _amounts(text: str) -> Iterator[tuple[int, int, str]]:
    for pattern in (_AMOUNT_AFTER, _AMOUNT_BEFORE):
        for hit in pattern.finditer(text):
            amount = _decimal(hit["n"]) * _TIMES_OF.get(hit["times"] or "", 1)
            yield hit.start(), hit.end(), f"{_plain(amount)} {_CURRENCY_OF[hit['c'].strip()]}"


def _decimal(written: str) -> Decimal:
    """Both "1.250,50" and "1,250.50"; one or two digits after the last mark are cents, three are thousands."""
    parts = re.split(r"[.,٫٬]", written)
    if len(parts) > 1 and len(parts[-1]) <= 2:
        return Decimal(f"{int(''.join(parts[:-1]))}.{''.join(str(int(digit)) for digit in parts[-1])}")
    return Decimal(int("".join(parts)))


def _plain(number: Decimal) -> str:
    return str(int(number)) if number == number.to_integral_value() else f"{number:f}"


# --- order numbers ----------------------------------------------------------------------------------------------------

_CODE = r"(?P<code>(?=[a-z-]*\d[\d-]{2})[a-z]{0,4}-?\d[\d-]*\d)"
_SEPARATOR = rf"(?:[\s:#.№-]|(?<!\w)(?:{_any(FILLERS)})(?!\w))*"
_ORDER_BEFORE = re.compile(rf"(?<!\w)(?:{_any(ORDERS)})\w*[\s:#.№-]{_SEPARATOR}{_CODE}(?![\w€$£₺])")
_ORDER_AFTER = re.compile(rf"(?<!\w){_CODE}\s*(?:{_any(('numaralı', 'nolu', 'no lu'))})\s+(?:{_any(ORDERS)})\w*")
_ORDER_SIGN = re.compile(rf"[#№]\s?{_CODE}(?!\w)")


def _orders(text: str) -> Iterator[tuple[int, int, str]]:
    for pattern in (_ORDER_BEFORE, _ORDER_AFTER, _ORDER_SIGN):
        for hit in pattern.finditer(text):
            yield hit.start(), hit.end(), "".join(_digit(character) for character in hit["code"]).upper()


def _digit(character: str) -> str:
    return str(int(character)) if character.isdecimal() else character


# --- how long, and when -----------------------------------------------------------------------------------------------

_UNIT_OF = {fold(word).text: unit for unit, words in UNITS.items() for word in words}
_COUNT_OF = {fold(word).text: int(count) for count, words in COUNTS.items() for word in words}
_PHRASE_OF = {fold(phrase).text: value for value, phrases in PHRASES.items() for phrase in phrases}
_PHRASE = re.compile(rf"(?<!\w)(?P<phrase>{_any(_PHRASE_OF)})(?!\w)")
_DURATION = re.compile(
    rf"(?<![\w:.,])(?P<n>{_NUMBER}|(?:{_any(_COUNT_OF)})(?=[\s-]))(?P<and>\s*(?:{_any(AND_A_HALF)}))?"
    rf"[\s-]*(?P<unit>{_any(_UNIT_OF)})(?!\w)"
)


def _durations(text: str) -> Iterator[tuple[int, int, str]]:
    for hit in _PHRASE.finditer(text):
        yield hit.start(), hit.end(), _PHRASE_OF[hit["phrase"]]
    for hit in _DURATION.finditer(text):
        count = Decimal(_COUNT_OF[hit["n"]]) if hit["n"] in _COUNT_OF else _decimal(hit["n"])
        unit = _UNIT_OF[hit["unit"]]
        yield hit.start(), hit.end(), _long(count + (Decimal("0.5") if hit["and"] else 0), unit)


def _long(count: Decimal, unit: str) -> str:
    if unit == HOURS and count != count.to_integral_value():
        return f"{_plain((count * 60).quantize(Decimal(1)))} {MINUTES}"
    return f"{_plain(count)} {unit.removesuffix('s') if count == 1 and unit not in (MINUTES, HOURS) else unit}"


_CLOCK = r"(?P<h>[01]?\d|2[0-3]|[۰-۲]?[۰-۹])(?:[:.](?P<m>[0-5]\d|[۰-۵][۰-۹]))?"
_HALF = rf"(?P<half>\s*(?:{_any((*AND_A_HALF, 'buçukta'))}))?"
_AT = _any(("στις", "stis", "a las", "a la", "um", "gegen"))
_OFF_THE_HOUR = _any(("vor", "nach", "menos", "παρά"))
"""What follows is minutes to subtract or to add: nothing is said rather than something wrong."""
_OCLOCK = _any(("saat", "ساعت"))
_TIMES_OF_DAY = (
    re.compile(
        r"(?<![\w:.,])(?P<h>[01]?\d|2[0-3]|[۰-۲]?[۰-۹])[:](?P<m>[0-5]\d|[۰-۵][۰-۹])(?P<half>)\s?(?P<pm>am|pm)?(?![\d:%])"
    ),
    re.compile(rf"(?<!\w){_CLOCK}(?P<half>)\s?(?P<pm>am|pm|a\.m\.|p\.m\.)(?!\w)"),
    re.compile(rf"(?<!\w){_CLOCK}(?P<half>)(?P<pm>)\s?(?:uhr|oclock)(?!\w)"),
    re.compile(
        rf"(?<!\w)(?:{_OCLOCK})\s+{_CLOCK}{_HALF}(?P<pm>)(?:[dt][ea]|[dt]en|[dt]an|ye|ya|e|a|i)?(?![\w:])(?!\s*(?:{_any(_UNIT_OF)})(?!\w))"
    ),
    re.compile(rf"(?<!\w)(?:{_AT})\s+{_CLOCK}{_HALF}(?P<pm>)(?![\w:])(?!\s*(?:{_OFF_THE_HOUR})(?!\w))"),
    re.compile(rf"(?<!\w)(?:u|oko|posle)\s+{_CLOCK}(?P<half>)(?P<pm>)\s*(?:sati|sata|sat|casova|h)(?!\w)"),
    re.compile(
        rf"(?<!\w)(?:at|by|until|till)\s+{_CLOCK}(?P<half>)(?P<pm>)"
        r"(?=\s*(?:[,;!?]|\.(?!\d)|$|and |but |today|tomorrow|in the ))"
    ),
)


def _times(text: str) -> Iterator[tuple[int, int, str]]:
    for pattern in _TIMES_OF_DAY:
        for hit in pattern.finditer(text):
            hour, minute = int(hit["h"]), int(hit["m"] or (30 if hit["half"] else 0))
            if (hit["pm"] or "").startswith("p") and hour < 12:
                hour += 12
            if hour < 24:
                yield hit.start(), hit.end(), f"{hour}:{minute:02}"


_READERS = (
    (DetailKind.AMOUNT, _amounts),
    (DetailKind.ORDER_NUMBER, _orders),
    (DetailKind.TIME, _times),
    (DetailKind.DURATION, _durations),
)
