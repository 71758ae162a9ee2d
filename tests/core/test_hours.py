"""Hours: quiet hours are the customer's night, opening hours the site's day, whatever the clocks do."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.core.errors import Unusable
from bot.core.hours import ContactWindow, OpeningHours, Span, parse_weekly
from tests.core.clocks import FIRST, LAST, anytime, jumps, places_in_time, zones

LONDON, TEHRAN, LORD_HOWE = ZoneInfo("Europe/London"), ZoneInfo("Asia/Tehran"), ZoneInfo("Australia/Lord_Howe")


def utc(*parts: int) -> datetime:
    """An instant in UTC."""
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


times = st.integers(0, 24 * 60 - 1).map(lambda minutes: time(minutes // 60, minutes % 60))


@st.composite
def windows(draw: st.DrawFn) -> ContactWindow:
    """Any window of at least a minute, small hours included."""
    opens, closes = sorted(draw(st.lists(times, min_size=2, max_size=2, unique=True)))
    return ContactWindow(opens, closes)


@given(places_in_time())
@example((LONDON, utc(2026, 3, 28, 20, 0)))  # the night in which an hour is skipped
@example((LONDON, utc(2026, 10, 24, 19, 0)))  # the night in which an hour comes twice
@example((ZoneInfo("Pacific/Apia"), utc(2011, 12, 30, 6, 0)))  # the evening before the day that never was
def test_we_write_at_the_first_waking_moment_and_never_at_night(place: tuple[ZoneInfo, datetime]) -> None:
    """By default 09:00-20:00 on the customer's own clock: allowed, not before, within a night, and nothing sooner."""
    zone, at = place
    window = ContactWindow()

    send_at = window.next_allowed(at, zone)

    assert time(9) <= send_at.astimezone(zone).time() < time(20)
    assert at <= send_at <= at + timedelta(hours=17)
    assert send_at == at if window.allows(at, zone) else send_at.astimezone(zone).time() == time(9)
    for tenths in range(10):
        between = at + (send_at - at) * (tenths / 10)
        assert between == send_at or not window.allows(between, zone)


@given(windows(), places_in_time())
@example(ContactWindow(time(1, 30), time(12)), (LONDON, utc(2026, 10, 25, 1, 10)))  # 01:10, for the second time
@example(ContactWindow(time(1, 15), time(1, 45)), (LONDON, utc(2026, 3, 29, 0, 0)))  # a window the clock jumps over
def test_any_window_is_kept_even_where_the_clock_jumps(window: ContactWindow, place: tuple[ZoneInfo, datetime]) -> None:
    """A business may write in the small hours if it must: the answer still is allowed, and never in the past."""
    zone, at = place

    send_at = window.next_allowed(at, zone)

    assert window.allows(send_at, zone)
    assert at <= send_at <= at + timedelta(days=2, hours=3)


def test_the_offset_that_counts_is_that_of_the_morning() -> None:
    """Nine o'clock is nine o'clock on the day it is, in summer and in winter, on the hour or on the half."""
    window = ContactWindow()

    assert window.next_allowed(utc(2026, 3, 28, 22), LONDON) == utc(2026, 3, 29, 8)
    assert window.next_allowed(utc(2026, 10, 24, 22), LONDON) == utc(2026, 10, 25, 9)
    assert window.next_allowed(utc(2026, 6, 1, 18), TEHRAN) == utc(2026, 6, 2, 5, 30)
    assert window.next_allowed(utc(2026, 4, 4, 12), LORD_HOWE) == utc(2026, 4, 4, 22, 30)


def test_opening_is_included_and_closing_is_not() -> None:
    """At nine we may write; at eight in the evening we may not any more."""
    window = ContactWindow()

    assert window.allows(utc(2026, 1, 5, 9), LONDON)
    assert not window.allows(utc(2026, 1, 5, 8, 59, 59), LONDON)
    assert window.allows(utc(2026, 1, 5, 19, 59, 59), LONDON)
    assert not window.allows(utc(2026, 1, 5, 20), LONDON)


@pytest.mark.parametrize(("opens", "closes"), [(time(20), time(9)), (time(9), time(9))])
def test_a_window_that_never_opens_is_refused(opens: time, closes: time) -> None:
    """Otherwise no check-in would ever leave, and nobody would know why."""
    with pytest.raises(Unusable, match="opens before it closes"):
        ContactWindow(opens, closes)


# Opening hours

WEEKDAYS = parse_weekly({day: [["09:00", "12:30"], ["14:00", "18:00"]] for day in ("mon", "tue", "wed", "thu", "fri")})
HOLIDAY = date(2026, 5, 4)
OFFICE = OpeningHours(LONDON, WEEKDAYS, frozenset({HOLIDAY}))


@st.composite
def split_shifts(draw: st.DrawFn) -> list[Span]:
    """Two spans of at least three hours together; the second may end after midnight."""
    first = draw(st.integers(4, 9))
    noon = draw(st.integers(first + 1, 13))
    second = draw(st.integers(noon, 17))
    night = draw(st.integers(second + 2, 27))
    return [(time(first, 30), time(noon, 30)), (time(second, 30), time(night % 24, 45))]


@st.composite
def opening_hours(draw: st.DrawFn) -> OpeningHours:
    """A site that opens on at least four days of the week, with some holidays."""
    days = draw(st.sets(st.integers(0, 6), min_size=4))
    usual, late = draw(split_shifts()), draw(split_shifts())
    weekly = {day: late if day > 3 else usual for day in sorted(days)}
    holidays = draw(st.frozensets(st.dates(FIRST.date(), LAST.date()), max_size=2))
    return OpeningHours(draw(zones), weekly, holidays)


moments = st.one_of(anytime, st.sampled_from(jumps("Europe/London")))
working = st.integers(1, 30 * 60).map(lambda minutes: timedelta(minutes=minutes))


def test_lunch_and_holidays_are_not_opening_hours() -> None:
    """Between the shifts, on a holiday and at the weekend nobody is on the floor."""
    assert OFFICE.is_open(utc(2026, 5, 1, 9))
    assert not OFFICE.is_open(utc(2026, 5, 1, 12))
    assert OFFICE.is_open(utc(2026, 5, 1, 13))
    assert not OFFICE.is_open(utc(2026, 5, 2, 10))
    assert not OFFICE.is_open(utc(2026, 5, 4, 10))


def test_a_promise_skips_lunch_the_weekend_and_the_holiday() -> None:
    """Two hours promised on Friday at 17:00, before a bank holiday Monday, are due on Tuesday at 10:00."""
    friday_at_five = utc(2026, 5, 1, 16)

    assert OFFICE.after_working(friday_at_five, timedelta(hours=2)) == utc(2026, 5, 5, 9)
    assert OFFICE.after_working(utc(2026, 5, 1, 11), timedelta(hours=1)) == utc(2026, 5, 1, 13, 30)
    assert OFFICE.next_open(friday_at_five + timedelta(hours=1)) == utc(2026, 5, 5, 8)


@given(opening_hours(), moments, working)
def test_a_promise_is_never_sooner_than_the_plain_clock_and_falls_due_while_somebody_is_there(
    hours: OpeningHours, at: datetime, worked: timedelta
) -> None:
    """What falls due does so within an open span, at its closing at the latest."""
    due = hours.after_working(at, worked)

    assert due >= at + worked
    today = due.astimezone(hours.zone).date()
    spans = hours.spans(today - timedelta(days=1)) + hours.spans(today)
    assert any(start <= due <= end for start, end in spans)


@given(opening_hours(), moments, working, st.timedeltas(timedelta(0), timedelta(days=9)), working)
def test_later_or_longer_is_never_due_sooner(
    hours: OpeningHours, at: datetime, worked: timedelta, waited: timedelta, more: timedelta
) -> None:
    """A promise given later, or for more work, never overtakes an earlier one."""
    due = hours.after_working(at, worked)

    assert hours.after_working(at + waited, worked) >= due
    assert hours.after_working(at, worked + more) > due


@given(opening_hours(), moments, working, working)
def test_working_in_two_parts_takes_as_long_as_in_one(
    hours: OpeningHours, at: datetime, first: timedelta, second: timedelta
) -> None:
    """Opening time adds up, however many nights lie between."""
    assert hours.after_working(hours.after_working(at, first), second) == hours.after_working(at, first + second)


@given(opening_hours(), moments)
def test_the_next_opening_is_open_and_nothing_before_it_is(hours: OpeningHours, at: datetime) -> None:
    """Whoever is told when somebody is there again finds somebody there."""
    opens = hours.next_open(at)

    assert opens is not None
    assert opens >= at
    assert hours.is_open(opens)
    assert (opens == at) is hours.is_open(at)


def test_a_site_that_never_opens_still_keeps_its_word() -> None:
    """Without opening hours the plain clock counts: a promise must have an end."""
    nowhere = OpeningHours(LONDON, {})
    at = utc(2026, 1, 5, 3)

    assert nowhere.next_open(at) is None
    assert not nowhere.is_open(at)
    assert nowhere.after_working(at, timedelta(hours=5)) == at + timedelta(hours=5)


def test_an_unknown_day_is_named() -> None:
    """A typing error in the hours of a site is found when they are read."""
    with pytest.raises(ValueError, match="unknown day 'monday'"):
        parse_weekly({"monday": [["09:00", "17:00"]]})


def test_a_bar_is_open_past_midnight() -> None:
    """A shift that ends no later than it begins ends on the next day, the one of a holiday's eve included."""
    bar = OpeningHours(LONDON, parse_weekly({"fri": [["18:00", "02:00"]], "sat": [["18:00", "00:00"]]}))
    eve = OpeningHours(LONDON, bar.weekly, frozenset({date(2026, 1, 10)}))

    assert bar.is_open(utc(2026, 1, 10, 1, 59))
    assert not bar.is_open(utc(2026, 1, 10, 2))
    assert bar.next_open(utc(2026, 1, 10, 1)) == utc(2026, 1, 10, 1)
    assert bar.after_working(utc(2026, 1, 10, 1), timedelta(hours=2)) == utc(2026, 1, 10, 19)
    assert bar.after_working(utc(2026, 1, 10, 23), timedelta(hours=1)) == utc(2026, 1, 11)
    assert eve.is_open(utc(2026, 1, 10, 1))
    assert not eve.is_open(utc(2026, 1, 10, 19))


@given(windows(), places_in_time(), st.integers(0, 99))
def test_a_window_is_open_for_as_long_as_it_says(
    window: ContactWindow, place: tuple[ZoneInfo, datetime], percent: int
) -> None:
    """At every instant of the time it is open for, whatever the clocks do meanwhile; never for a whole day and more."""
    zone, at = place

    left = window.open_for(at, zone)

    if left:
        assert window.allows(at + left * percent / 100, zone)
        assert left <= timedelta(hours=25)


def test_how_long_the_customers_day_lasts() -> None:
    """Until the closing hour on their own clock."""
    window = ContactWindow()

    assert window.open_for(utc(2026, 3, 4, 12), LONDON) == timedelta(hours=8)
    assert window.open_for(utc(2026, 7, 4, 12), LONDON) == timedelta(hours=7)
    assert window.open_for(utc(2026, 3, 4, 20), LONDON) == timedelta(0)
