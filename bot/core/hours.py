"""Time as people live it: the customer's quiet hours and the site's opening hours, daylight saving included."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from bot.core.errors import Unusable

Span = tuple[time, time]
"""From (included) until (excluded) on the local clock; one that ends no later than it begins ends on the next day."""


@dataclass(frozen=True, slots=True)
class ContactWindow:
    """The hours of the customer's own day in which we may write first (facts: 09:00-20:00 by default)."""

    opens: time = time(9)
    closes: time = time(20)

    def __post_init__(self) -> None:
        """Raises Unusable for a window in which nobody could ever be written to."""
        if self.opens >= self.closes:
            raise Unusable(
                f"a contact window opens before it closes; {self.opens:%H:%M}-{self.closes:%H:%M} never does"
            )

    def allows(self, at: datetime, zone: ZoneInfo) -> bool:
        """Whether `at` (aware) falls inside the window on the clock of `zone`."""
        return self.opens <= at.astimezone(zone).time() < self.closes

    def open_for(self, at: datetime, zone: ZoneInfo) -> timedelta:
        """How long from `at` on the window stays open on the clock of `zone`; zero when it is closed.

        Where the clock is set back or forward over the closing hour, rather too short than too long.
        """
        if not self.allows(at, zone):
            return timedelta(0)
        day = at.astimezone(zone).date()
        closings = sorted(
            datetime.combine(day, self.closes, tzinfo=zone).replace(fold=fold).astimezone(UTC) for fold in (0, 1)
        )
        moment = timedelta(microseconds=1)
        ends = (end for end in closings if end > at and self.allows(end - moment, zone))
        return next(ends, at) - at

    def next_allowed(self, at: datetime, zone: ZoneInfo) -> datetime:
        """The first opening (UTC) not before `at`, or `at` itself when the window allows it."""
        if self.allows(at, zone):
            return at.astimezone(UTC)
        day = at.astimezone(zone).date()
        # A clock that is set back shows the opening hour twice: the first time may be over at `at`. One that is set
        # forward may skip it: then `fold=0` names the moment as long after the jump, if the window still allows it.
        openings = (
            datetime.combine(day + timedelta(days=offset), self.opens, tzinfo=zone).replace(fold=fold).astimezone(UTC)
            for offset in range(4)
            for fold in (0, 1)
        )
        return next(opening for opening in openings if opening >= at and self.allows(opening, zone))


@dataclass(frozen=True, slots=True)
class OpeningHours:
    """When a site has people on the floor: spans for each weekday (0 is Monday), minus whole holidays."""

    zone: ZoneInfo
    weekly: Mapping[int, Sequence[Span]]
    holidays: frozenset[date] = frozenset()

    def spans(self, day: date) -> list[tuple[datetime, datetime]]:
        """The open spans that begin on one local date, as UTC instants in order."""
        if day in self.holidays:
            return []
        return [
            (self._instant(day, start), self._instant(day if start < end else day + timedelta(days=1), end))
            for start, end in sorted(self.weekly.get(day.weekday(), ()))
        ]

    def is_open(self, at: datetime) -> bool:
        """Whether somebody is on the floor at `at`."""
        return any(start <= at < end for start, end in self._spans_from(at, days=1))

    def next_open(self, at: datetime) -> datetime | None:
        """The first open instant not before `at` within a fortnight; None when the site never opens."""
        coming = (max(start, at.astimezone(UTC)) for start, end in self._spans_from(at, days=15) if at < end)
        return next(coming, None)

    def after_working(self, at: datetime, worked: timedelta) -> datetime:
        """The instant at which `worked` hours of opening time have passed since `at`.

        A site without opening hours counts the plain clock: a promise must have an end.
        """
        left, cursor = worked, at.astimezone(UTC)
        for start, end in self._spans_from(at, days=60):
            begin = max(start, cursor)
            if begin >= end:
                continue
            if end - begin >= left:
                return begin + left
            left -= end - begin
            cursor = end
        return cursor + left

    def _spans_from(self, at: datetime, *, days: int) -> Iterator[tuple[datetime, datetime]]:
        """The spans of that many dates from the one at `at`, after those of the night before, which may still run."""
        day = at.astimezone(self.zone).date()
        for offset in range(-1, days):
            yield from self.spans(day + timedelta(days=offset))

    def _instant(self, day: date, at: time) -> datetime:
        return datetime.combine(day, at, tzinfo=self.zone).astimezone(UTC)


def parse_weekly(raw: Mapping[str, Sequence[Sequence[str]]]) -> dict[int, list[Span]]:
    """Read `{"mon": [["09:00", "17:30"]], …}` into spans by weekday. Raises ValueError naming an unknown day."""
    names = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    weekly: dict[int, list[Span]] = {}
    for name, spans in raw.items():
        if name not in names:
            raise ValueError(f"unknown day {name!r}; use one of {', '.join(names)}")
        weekly[names.index(name)] = [(time.fromisoformat(start), time.fromisoformat(end)) for start, end in spans]
    return weekly
