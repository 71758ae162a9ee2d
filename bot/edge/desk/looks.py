"""The filters and names the desk's templates use: times on the agent's own clock, money, plain words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from babel.numbers import format_currency
from jinja2 import Environment
from markupsafe import Markup

from bot.core.calibration import in_percent
from bot.edge.desk import labels


@dataclass(frozen=True, slots=True)
class Clock:
    """Whose clock a page tells time by, and what it shows."""

    zone: ZoneInfo
    now: datetime


# Macros do not see the page's variables, so the clock of the page being rendered is kept beside them.
_clock: ContextVar[Clock] = ContextVar("clock")


@contextmanager
def telling_time(clock: Clock) -> Iterator[None]:
    """Render what is inside on this clock."""
    token = _clock.set(clock)
    try:
        yield
    finally:
        _clock.reset(token)


def furnish(env: Environment) -> None:
    """Give an environment what the desk's templates use."""
    env.filters.update(
        localtime=localtime,
        localdate=localdate,
        ago=ago,
        money=money,
        named=labels.named,
        signal_words=labels.signal_words,
        sentence=sentence,
        explained=labels.explained,
        attached=labels.attached,
        in_percent=in_percent,
    )


def localtime(at: datetime | str | None) -> Markup:
    """A `<time>` element: "14:30" today, else with as much of the day as it takes."""
    return _element(at, _spoken)


def localdate(at: datetime | str | None) -> Markup:
    """A `<time>` element with the date alone."""
    return _element(at, lambda local, _: f"{local.day} {local:%B %Y}")


def ago(at: datetime | str | None) -> Markup:
    """A `<time>` element that says how long ago, or how soon."""
    return _element(at, _distance)


def money(amount: dict[str, Any] | None) -> str:
    """`{"value": "42.00", "currency": "EUR"}` as €42.00."""
    if not amount:
        return ""
    return format_currency(Decimal(str(amount["value"])), str(amount["currency"]), locale="en_GB")


def sentence(text: str) -> str:
    """The words with a capital at the start; the rest stays as it was written."""
    return text[:1].upper() + text[1:]


def _element(at: datetime | str | None, say: Any) -> Markup:
    if not at:
        return Markup("")
    moment = datetime.fromisoformat(at) if isinstance(at, str) else at
    clock = _clock.get()
    local, now = moment.astimezone(clock.zone), clock.now.astimezone(clock.zone)
    whole = f"{local:%A} {local.day} {local:%B %Y, %H:%M} ({clock.zone.key})"
    return Markup('<time datetime="{}" title="{}">{}</time>').format(moment.isoformat(), whole, say(local, now))


def _spoken(local: datetime, now: datetime) -> str:
    days = (local.date() - now.date()).days
    names = {0: "", -1: "yesterday ", 1: "tomorrow "}
    if days in names:
        return f"{names[days]}{local:%H:%M}"
    if -7 < days < 7:
        return f"{local:%a %H:%M}"
    year = "" if local.year == now.year else f" {local.year}"
    return f"{local.day} {local:%b}{year}, {local:%H:%M}"


def _distance(local: datetime, now: datetime) -> str:
    gap = now - local
    if abs(gap) < timedelta(minutes=1):
        return "just now" if gap >= timedelta(0) else "in a moment"
    minutes = round(abs(gap).total_seconds() / 60)
    if minutes < 60:
        amount = f"{minutes} min"
    elif minutes < 48 * 60:
        amount = f"{round(minutes / 60)} h"
    else:
        amount = f"{round(minutes / 1440)} days"
    return f"{amount} ago" if gap > timedelta(0) else f"in {amount}"
