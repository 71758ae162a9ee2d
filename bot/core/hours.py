"""Time as people live it: the customer's quiet hours and the site's opening hours, daylight saving included."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

Span = tuple[time, time]
"""From (included) until (excluded), within one day of the local clock."""


@dataclass(frozen=True, slots=True)
class ContactWindow:
    """The hours of the customer's own day in which we may write first (facts: 09:00-20:00 by default)."""

    opens: time = time(9)
    closes: time = time(20)

    def allows(self, at: datetime, zone: ZoneInfo) -> bool:
        """Whether `at` (aware) falls inside the window on the clock of `zone`."""
        return self.opens <= at.astimezone(zone).time() < self.closes

    def next_allowed(self, at: datetime, zone: ZoneInfo) -> datetime:
        """The first moment (UTC) not before `at` that the window allows."""
        if self.allows(at, zone):
            return at.astimezone(UTC)
        local = at.astimezone(zone)
        day = local.date() if local.time() < self.opens else local.date() + timedelta(days=1)
        # Where the clock skips the opening hour, `fold=0` resolves to the same instant after the jump: still allowed.
        return datetime.combine(day, self.opens, tzinfo=zone).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class OpeningHours:
    """When a site has people on the floor: spans for each weekday (0 is Monday), minus whole holidays."""

    zone: ZoneInfo
    weekly: Mapping[int, Sequence[Span]]
    holidays: frozenset[date] = frozenset()

    def spans(self, day: date) -> list[tuple[datetime, datetime]]:
        """The open spans of one local date, as UTC instants in order."""
        if day in self.holidays:
            return []
        return [
            (
                datetime.combine(day, start, tzinfo=self.zone).astimezone(UTC),
                datetime.combine(day, end, tzinfo=self.zone).astimezone(UTC),
            )
            for start, end in sorted(self.weekly.get(day.weekday(), ()))
        ]

    def is_open(self, at: datetime) -> bool:
        """Whether somebody is on the floor at `at`."""
        return any(start <= at < end for start, end in self.spans(at.astimezone(self.zone).date()))

    def next_open(self, at: datetime) -> datetime | None:
        """The first open instant not before `at` within a fortnight; None when the site never opens."""
        first = at.astimezone(self.zone).date()
        for offset in range(15):
            for start, end in self.spans(first + timedelta(days=offset)):
                if at < end:
                    return max(start, at.astimezone(UTC))
        return None

    def after_working(self, at: datetime, worked: timedelta) -> datetime:
        """The instant at which `worked` hours of opening time have passed since `at`.

        A site without opening hours counts the plain clock: a promise must have an end.
        """
        left, cursor = worked, at.astimezone(UTC)
        for offset in range(60):
            for start, end in self.spans(at.astimezone(self.zone).date() + timedelta(days=offset)):
                begin = max(start, cursor)
                if begin >= end:
                    continue
                if end - begin >= left:
                    return begin + left
                left -= end - begin
                cursor = end
        return cursor + left


def parse_weekly(raw: Mapping[str, Sequence[Sequence[str]]]) -> dict[int, list[Span]]:
    """Read `{"mon": [["09:00", "17:30"]], …}` into spans by weekday. Raises ValueError naming an unknown day."""
    names = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    weekly: dict[int, list[Span]] = {}
    for name, spans in raw.items():
        if name not in names:
            raise ValueError(f"unknown day {name!r}; use one of {', '.join(names)}")
        weekly[names.index(name)] = [(time.fromisoformat(start), time.fromisoformat(end)) for start, end in spans]
    return weekly
