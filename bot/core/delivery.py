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


class Hold(StrEnum):
    """Which messages of a sender wait while it is in trouble."""

    NOTHING = "nothing"
    FIRSTS = "firsts"
    """Those with which we write first; answers and agents' words still leave."""
    EVERYTHING = "everything"


@dataclass(frozen=True, slots=True)
class Problem:
    """One provider error: its code, what it means, what it asks of us, and how long to wait where that is known.

    `advice` tells the agent who reads it at the desk what to do about the message.
    """

    code: str
    meaning: str
    remedy: Remedy
    wait: timedelta | None = None
    advice: str = ""

    @property
    def alerts(self) -> bool:
        """Whether somebody has to be told, because it will keep happening to other messages too."""
        return self.remedy in {Remedy.SLOW_SENDER, Remedy.STOP_SENDER, Remedy.PAUSE_ACCOUNT}

    @property
    def sends_again(self) -> bool:
        """Whether the message that met it is worth another sending, once, later."""
        return self.remedy in {
            Remedy.RETRY_LATER,
            Remedy.RESCHEDULE,
            Remedy.BACK_OFF,
            Remedy.SLOW_SENDER,
            Remedy.PAUSE_ACCOUNT,
        }

    @property
    def holds(self) -> Hold:
        """Which other messages of the sender wait because of it."""
        match self.remedy:
            case Remedy.SLOW_SENDER | Remedy.STOP_SENDER:
                return Hold.FIRSTS
            case Remedy.PAUSE_ACCOUNT | Remedy.BACK_OFF:
                return Hold.EVERYTHING
            case _:
                return Hold.NOTHING


_HALF_AN_HOUR, _HOUR, _DAY = timedelta(minutes=30), timedelta(hours=1), timedelta(hours=24)

_OPTED_OUT = "Reach them another way; they hear from us again once they text START."
_WRONG_NUMBER = "Ask for another number, or reach them another way."
_ONCE_MORE = "We send it once more half an hour later. If it is urgent, call."
_IN_THE_MORNING = "We send it once more when their day allows it."
_BY_ITSELF = "It leaves by itself when the pause is over. If it is urgent, call."
_CALL = "It will not be sent again: call, or write to them another way."

_PROBLEMS = {
    problem.code: problem
    for problem in (
        Problem("21610", "they have opted out at the provider", Remedy.SUPPRESS, None, _OPTED_OUT),
        Problem("21211", "this is not a phone number", Remedy.MARK_INVALID, None, _WRONG_NUMBER),
        Problem("21614", "this is not a mobile number", Remedy.MARK_INVALID, None, _WRONG_NUMBER),
        Problem("30005", "the number does not exist any more", Remedy.MARK_INVALID, None, _WRONG_NUMBER),
        Problem("30006", "it is a landline, or its carrier takes no texts", Remedy.MARK_INVALID, None, _WRONG_NUMBER),
        Problem("30003", "the phone is off or out of reach", Remedy.RETRY_LATER, _HALF_AN_HOUR, _ONCE_MORE),
        Problem("30008", "the carrier gave no reason", Remedy.RETRY_LATER, _HALF_AN_HOUR, _ONCE_MORE),
        Problem("30610", "it met the carrier's quiet hours", Remedy.RESCHEDULE, _HOUR, _IN_THE_MORNING),
        Problem(
            "30047", "the provider could not move it out of quiet hours", Remedy.RESCHEDULE, _HOUR, _IN_THE_MORNING
        ),
        Problem("20429", "we sent too much at once", Remedy.BACK_OFF, None, _BY_ITSELF),
        Problem("429", "we sent too much at once", Remedy.BACK_OFF, None, _BY_ITSELF),
        Problem("21611", "our number's queue is full", Remedy.SLOW_SENDER, timedelta(minutes=5), _BY_ITSELF),
        Problem("30001", "our number's queue overflowed", Remedy.SLOW_SENDER, timedelta(minutes=5), _BY_ITSELF),
        Problem("30007", "the carrier filters our texts", Remedy.STOP_SENDER, _HOUR, _CALL),
        Problem("30034", "our number is not registered with the carriers", Remedy.STOP_SENDER, _DAY, _CALL),
        Problem(
            "20003", "the provider refuses our credentials", Remedy.PAUSE_ACCOUNT, timedelta(minutes=10), _BY_ITSELF
        ),
        Problem("63038", "our account's daily limit is reached", Remedy.PAUSE_ACCOUNT, _DAY, _BY_ITSELF),
    )
}


def problem(code: str | int | None) -> Problem:
    """What the provider's error `code` means and asks; an unknown one comes back as it is, asking for nothing."""
    key = str(code or "").strip()
    unknown = Problem(key, "the provider gave a reason unknown to us", Remedy.NONE, None, _CALL)
    return _PROBLEMS.get(key) or unknown


def problems() -> tuple[Problem, ...]:
    """Every error that asks for something."""
    return tuple(_PROBLEMS.values())


LONGEST_RETRY_AFTER = timedelta(hours=1)
_LONGEST_BACKOFF = timedelta(minutes=5)


def wait_before_retry(attempts: int, retry_after: float | None, *, spread: float) -> timedelta:
    """How long a message rests before it is handed over again, after so many attempts.

    `retry_after` (seconds) is the provider's own wish and is never undercut, but believed for an hour at most; without
    it each pause is twice the last. `spread` in [0, 1) adds up to a tenth, so that what was refused together does not
    come back together.
    """
    backoff = min(_LONGEST_BACKOFF, timedelta(seconds=2 ** min(attempts, 12)))
    wish = min(LONGEST_RETRY_AFTER, timedelta(seconds=min(retry_after, 1e6))) if retry_after is not None else backoff
    return wish * (1 + spread / 10)
