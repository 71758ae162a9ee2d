"""Phone numbers: lenient in, strict E.164 out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache

import phonenumbers
from babel.core import get_global

from bot.core.errors import Refused


def e164(written: str, *, zones: Sequence[str | None], field: str) -> str:
    """The number as E.164. Without a country it is read as one of the first country among `zones`.

    Raises Refused, naming `field`.
    """
    region = next(filter(None, (country_of(zone) for zone in zones if zone)), None)
    try:
        number = phonenumbers.parse(written, region)
    except phonenumbers.NumberParseException as error:
        raise Refused("not a phone number; write it with its country, like +905321234567", field=field) from error
    if not phonenumbers.is_possible_number(number):
        raise Refused("too short or too long for a phone number of its country", field=field)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def numbers_meant(written: str, *, zones: Sequence[str], field: str) -> list[str]:
    """Every number (E.164) that somebody looking for one may mean by `written`, the likeliest first.

    With 00 or without the plus, which an address line turns into a space, or as it is dialled in the country of one of
    `zones`. Raises Refused, naming `field`, when it can be no number at all.
    """
    found: dict[str, None] = {}
    refusal: Refused | None = None
    for candidate, zone in _readings(written.strip(), zones):
        try:
            found[e164(candidate, zones=(zone,), field=field)] = None
        except Refused as refused:
            refusal = refusal or refused
    if not found:
        raise refusal or Refused("write a phone number with its country, like +905321234567", field=field)
    return list(found)


def _readings(written: str, zones: Sequence[str]) -> Iterator[tuple[str, str | None]]:
    yield written, None
    if written.startswith("00"):
        yield "+" + written[2:], None
    yield from ((written, zone) for zone in zones)
    if written[:1].isdecimal():
        yield "+" + written, None


@cache
def country_of(zone: str) -> str | None:
    """The country (ISO 3166) a time zone lies in, where there is one."""
    territory = get_global("zone_territories").get(zone)
    return territory if territory and len(territory) == 2 else None
