"""What operations know about one service event, and what that says about how it felt."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bot.core.vocabulary import Failure


class KnownFailure(StrEnum):
    """A failure operations recorded before the customer said a word; the first message owns it (P11)."""

    NONE = ""
    WAIT = "wait"
    LATE = "late"
    REMADE = "remade"
    RESCHEDULED = "rescheduled"

    def as_failure(self) -> Failure:
        """The failure code a customer's complaint about this would carry."""
        return {
            KnownFailure.NONE: Failure.NONE,
            KnownFailure.WAIT: Failure.WAIT,
            KnownFailure.LATE: Failure.WAIT,
            KnownFailure.REMADE: Failure.QUALITY,
            KnownFailure.RESCHEDULED: Failure.AVAILABILITY,
        }[self]


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts the decisions read; times in minutes, tenure in days. Others are kept and shown, never lost."""

    wait_minutes: float = 0
    promised_wait_minutes: float | None = None
    late_minutes: float = 0
    remade: bool = False
    rescheduled: int = 0
    refunded: bool = False
    new_service: bool = False
    staff_tenure_days: int | None = None

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Facts:
        """Read the known facts out of a service event's free mapping; unknown or unusable ones are passed over."""
        tenure = _number(raw.get("staff_tenure_days"))
        return cls(
            wait_minutes=_number(raw.get("wait_minutes")) or 0.0,
            promised_wait_minutes=_number(raw.get("promised_wait_minutes")),
            late_minutes=_number(raw.get("late_minutes")) or 0.0,
            remade=raw.get("remade") is True,
            rescheduled=int(_number(raw.get("rescheduled")) or 0),
            refunded=raw.get("refunded") is True,
            new_service=raw.get("new_service") is True,
            staff_tenure_days=int(tenure) if tenure is not None else None,
        )

    @property
    def excess_wait_minutes(self) -> float:
        """How much longer the customer waited than was promised (or than a quarter of an hour, when nothing was)."""
        allowed = 15 if self.promised_wait_minutes is None else self.promised_wait_minutes
        return max(0.0, self.wait_minutes - allowed)

    @property
    def known_failure(self) -> KnownFailure:
        """The failure worth owning in the first message, the gravest first."""
        if self.remade:
            return KnownFailure.REMADE
        if self.late_minutes >= 20:
            return KnownFailure.LATE
        if self.excess_wait_minutes >= 15:
            return KnownFailure.WAIT
        if self.rescheduled:
            return KnownFailure.RESCHEDULED
        return KnownFailure.NONE


def operations_signals(facts: Facts, *, damped: bool) -> Iterable[tuple[str, float, str]]:
    """Signals (name, log-odds, evidence) from the facts; `damped` halves them when the customer speaks well of it."""
    scale = 0.5 if damped else 1.0
    if facts.excess_wait_minutes >= 10:
        weight = min(1.5, 0.5 + facts.excess_wait_minutes / 60)
        yield "long_wait", scale * weight, f"waited {facts.wait_minutes:g} min, {facts.excess_wait_minutes:g} too long"
    if facts.late_minutes >= 10:
        yield "late", scale * min(1.5, 0.5 + facts.late_minutes / 60), f"{facts.late_minutes:g} min late"
    if facts.remade:
        yield "remade", scale * 0.9, "had to be made again"
    if facts.rescheduled:
        yield "rescheduled", scale * min(1.2, 0.6 * facts.rescheduled), f"rescheduled {facts.rescheduled} times"
    if facts.refunded:
        yield "refunded", scale * 0.5, "money was already returned"
    if facts.new_service:
        yield "new_service", scale * 0.2, "a new service"
    if facts.staff_tenure_days is not None and facts.staff_tenure_days < 30:
        yield "new_staff", scale * 0.2, f"staff with us for {facts.staff_tenure_days} days"


def _number(value: Any) -> float | None:
    """What can be counted with, not below nothing; None for what is no number: an unreadable promise is not "0"."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return max(0.0, float(value))
