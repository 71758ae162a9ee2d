"""What a provider says about a message we handed over: how far it got, and what its errors ask of us.

Status callbacks come in any order, twice, late or never, so a delivery only ever moves forward. The error table is
Twilio's (https://www.twilio.com/docs/api/errors); an unknown code is kept and shown, and asks for nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

RANK = {
    "accepted": 0,
    "scheduled": 0,
    "queued": 1,
    "sending": 2,
    "sent": 3,
    "delivered": 4,
    "partially_delivered": 4,
    "undelivered": 4,
    "failed": 4,
    "canceled": 4,
    "read": 5,
}
FINAL_RANK = RANK["delivered"]
UNDELIVERED = frozenset({"undelivered", "failed", "canceled"})
WITHHELD = "withheld"
"""The delivery of a message that was held back by us; `delivery_error` says why."""
NEVER_ARRIVED = UNDELIVERED | {WITHHELD}


def rank(status: str | None) -> int:
    """How far a status is along the way; -1 for none and for words we do not know."""
    return RANK.get(status or "", -1)


def advance(current: str | None, reported: str | None) -> str | None:
    """The status to keep: the reported one only if it is further along.

    A late "sent" never overwrites "failed"; of two ends the first stands; an unknown word changes nothing.
    """
    return reported if rank(reported) > rank(current) else current


def is_final(status: str | None) -> bool:
    """Whether nothing but "read" can follow."""
    return rank(status) >= FINAL_RANK


class Remedy(StrEnum):
    """What an error asks of us."""

    NONE = "none"
    SUPPRESS = "suppress"
    MARK_INVALID = "mark_invalid"
    RETRY_LATER = "retry_later"
    RESCHEDULE = "reschedule"
    BACK_OFF = "back_off"
    SLOW_SENDER = "slow_sender"
    STOP_SENDER = "stop_sender"
    PAUSE_ACCOUNT = "pause_account"


@dataclass(frozen=True, slots=True)
class Problem:
    """One provider error: its code, what it means, what it asks of us, and how long to wait where that is known."""

    code: str
    meaning: str
    remedy: Remedy
    wait: timedelta | None = None

    @property
    def alerts(self) -> bool:
        """Whether somebody has to be told, because it will keep happening to other messages too."""
        return self.remedy in {Remedy.SLOW_SENDER, Remedy.STOP_SENDER, Remedy.PAUSE_ACCOUNT}


_ONE_LATER_RETRY = timedelta(minutes=30)

_PROBLEMS = {
    problem.code: problem
    for problem in (
        Problem("21610", "the number has opted out at the provider", Remedy.SUPPRESS),
        Problem("21211", "not a phone number", Remedy.MARK_INVALID),
        Problem("21614", "not a mobile number", Remedy.MARK_INVALID),
        Problem("30005", "the number does not exist any more", Remedy.MARK_INVALID),
        Problem("30006", "a landline or a carrier that cannot be reached", Remedy.MARK_INVALID),
        Problem("30003", "the phone is off or out of reach", Remedy.RETRY_LATER, _ONE_LATER_RETRY),
        Problem("30008", "the carrier gave no reason", Remedy.RETRY_LATER, _ONE_LATER_RETRY),
        Problem("30610", "blocked in the carrier's quiet hours", Remedy.RESCHEDULE),
        Problem("30047", "the provider could not reschedule it out of quiet hours", Remedy.RESCHEDULE),
        Problem("20429", "too many requests", Remedy.BACK_OFF),
        Problem("21611", "the sender's queue is full", Remedy.SLOW_SENDER),
        Problem("30001", "the sender's queue overflowed", Remedy.SLOW_SENDER),
        Problem("30007", "filtered by the carrier", Remedy.STOP_SENDER),
        Problem("30034", "the sender is not registered with the carriers", Remedy.STOP_SENDER),
        Problem("20003", "the account's credentials were refused", Remedy.STOP_SENDER),
        Problem("63038", "the account's daily limit is reached", Remedy.PAUSE_ACCOUNT, timedelta(hours=24)),
    )
}


def problem(code: str | int | None) -> Problem:
    """What the provider's error `code` means and asks; an unknown one comes back as it is, asking for nothing."""
    key = str(code or "").strip()
    return _PROBLEMS.get(key) or Problem(key, "unknown to us; see the provider's error reference", Remedy.NONE)
