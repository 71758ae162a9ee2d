"""Phone numbers: lenient in, strict E.164 out."""

from __future__ import annotations

from functools import cache

import phonenumbers
from babel.core import get_global

from bot.core.errors import Refused


def e164(written: str, *, zones: tuple[str | None, ...], field: str) -> str:
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


@cache
def country_of(zone: str) -> str | None:
    """The country (ISO 3166) a time zone lies in, where there is one."""
    territory = get_global("zone_territories").get(zone)
    return territory if territory and len(territory) == 2 else None
