"""Instants worth trying: anywhere in four decades, and close to the moments at which clocks jump."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

ZONES = (
    "Europe/London",
    "Europe/Istanbul",  # stayed on summer time in 2016
    "Europe/Belgrade",
    "Asia/Tehran",  # half hours, changed at midnight until 2022
    "America/New_York",
    "America/St_Johns",  # quarter past the hour is nothing: it changed at one minute past midnight
    "America/Havana",  # midnight happens twice
    "America/Sao_Paulo",  # midnight is skipped
    "Atlantic/Azores",
    "Africa/Cairo",
    "Africa/Casablanca",  # turns its clocks around Ramadan
    "Asia/Beirut",
    "Asia/Kathmandu",
    "Pacific/Apia",  # had no 30 December 2011
    "Pacific/Chatham",
    "Australia/Lord_Howe",  # jumps by half an hour
    "Antarctica/Troll",  # jumps by two hours
    "Antarctica/Casey",  # jumped by three
)

FIRST, LAST = datetime(2005, 1, 1, tzinfo=UTC), datetime(2035, 1, 1, tzinfo=UTC)


@cache
def jumps(zone: str) -> tuple[datetime, ...]:
    """The instants (UTC, to the minute) at which the clock of `zone` jumped."""
    clock, found, at = ZoneInfo(zone), [], FIRST
    while at < LAST:
        later = at + timedelta(days=7)
        if at.astimezone(clock).utcoffset() != later.astimezone(clock).utcoffset():
            found.append(_between(clock, at, later))
        at = later
    return tuple(found)


def _between(clock: ZoneInfo, before: datetime, after: datetime) -> datetime:
    while after - before > timedelta(minutes=1):
        middle = before + (after - before) / 2
        if middle.astimezone(clock).utcoffset() == before.astimezone(clock).utcoffset():
            before = middle
        else:
            after = middle
    return after.replace(second=0, microsecond=0)


zones = st.sampled_from(ZONES).map(ZoneInfo)
anytime = st.datetimes(FIRST.replace(tzinfo=None), LAST.replace(tzinfo=None), timezones=st.just(UTC))


@st.composite
def places_in_time(draw: st.DrawFn) -> tuple[ZoneInfo, datetime]:
    """A zone and an instant, half of them within a day and a half of a jump of its clock."""
    zone = draw(zones)
    if not jumps(zone.key) or draw(st.booleans()):
        return zone, draw(anytime)
    minutes = draw(st.integers(-36 * 60, 36 * 60))
    return zone, draw(st.sampled_from(jumps(zone.key))) + timedelta(minutes=minutes)
