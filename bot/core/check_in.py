"""Whether, when and how to ask: the decision behind every check-in, with its trace."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from bot.core.hours import ContactWindow
from bot.core.vocabulary import Medium


class Outcome(StrEnum):
    """What one rule had to say."""

    PASS = "pass"  # noqa: S105 - not a password
    POSTPONE = "postpone"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class TraceEntry:
    """One rule's word in a decision to write or not to write."""

    at: datetime
    rule: str
    outcome: Outcome
    reason: str


@dataclass(frozen=True, slots=True)
class Reach:
    """What is known, at the moment of deciding, about writing to one customer first.

    `zones` are the customer's possible time zones: one when recorded, several when it had to be guessed.
    `recent_contacts` are the instants of what we wrote first lately; `busy` says that an agent owns the conversation
    or that a case is open, so that a cheerful question would collide with it (P32).
    """

    medium: Medium
    has_address: bool
    consented: bool
    opted_out: bool
    zones: tuple[ZoneInfo, ...]
    recent_contacts: tuple[datetime, ...] = ()
    busy: bool = False


@dataclass(frozen=True, slots=True)
class ContactPolicy:
    """The business's restraint: hours, at most `cap` first messages in `cap_window`, and how old a service may be."""

    window: ContactWindow = field(default_factory=ContactWindow)
    cap: int = 3
    cap_window: timedelta = timedelta(days=7)
    stale_after: timedelta = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class ContactDecision:
    """`outcome`, when to come back if it is to be postponed (UTC), and the trace of every rule asked."""

    outcome: Outcome
    send_at: datetime | None
    trace: tuple[TraceEntry, ...]

    @property
    def reason(self) -> str:
        """The rule that decided."""
        return self.trace[-1].rule


def decide_contact(reach: Reach, *, finished_at: datetime, now: datetime, policy: ContactPolicy) -> ContactDecision:
    """Ask every rule in turn; the first that does not pass decides. All instants are aware."""
    trace: list[TraceEntry] = []
    for rule in (_address, _opt_out, _consent, _stale, _collision, _cap, _quiet_hours):
        outcome, reason, send_at = rule(reach, finished_at, now, policy)
        trace.append(TraceEntry(now, rule.__name__.lstrip("_"), outcome, reason))
        if outcome is not Outcome.PASS:
            return ContactDecision(outcome, send_at, tuple(trace))
    return ContactDecision(Outcome.PASS, now, tuple(trace))


_Said = tuple[Outcome, str, datetime | None]


def _address(reach: Reach, finished_at: datetime, now: datetime, policy: ContactPolicy) -> _Said:
    if reach.has_address:
        return Outcome.PASS, f"there is an address on {reach.medium}", None
    return Outcome.SKIP, f"the customer has no address on {reach.medium}", None


def _opt_out(reach: Reach, finished_at: datetime, now: datetime, policy: ContactPolicy) -> _Said:
    if reach.opted_out:
        return Outcome.SKIP, "the customer opted out", None
    return Outcome.PASS, "no opt-out is recorded", None


def _consent(reach: Reach, finished_at: datetime, now: datetime, policy: ContactPolicy) -> _Said:
    # On the web the customer opened the conversation; only a text to their phone needs a recorded permission.
    if reach.consented or reach.medium is Medium.WEBCHAT:
        return Outcome.PASS, "consent is recorded" if reach.consented else "the website needs none", None
    return Outcome.SKIP, f"no consent to write by {reach.medium} is recorded", None


def _stale(reach: Reach, finished_at: datetime, now: datetime, policy: ContactPolicy) -> _Said:
    if now - finished_at > policy.stale_after:
        return Outcome.SKIP, f"the service ended more than {policy.stale_after.days} days ago", None
    return Outcome.PASS, "the service is recent", None


def _collision(reach: Reach, finished_at: datetime, now: datetime, policy: ContactPolicy) -> _Said:
    if reach.busy:
        return Outcome.SKIP, "a person is already talking with this customer", None
    return Outcome.PASS, "nobody else is talking with this customer", None


def _cap(reach: Reach, finished_at: datetime, now: datetime, policy: ContactPolicy) -> _Said:
    since = now - policy.cap_window
    recent = sorted(at for at in reach.recent_contacts if at > since)
    if len(recent) < policy.cap:
        return Outcome.PASS, f"{len(recent)} of {policy.cap} first messages in {policy.cap_window.days} days", None
    asked = f"already asked {len(recent)} times in {policy.cap_window.days} days"
    free_at = _waking(reach, recent[-policy.cap] + policy.cap_window, policy)
    if free_at is None or free_at - finished_at > policy.stale_after:
        return Outcome.SKIP, asked, None
    return Outcome.POSTPONE, asked, free_at


def _quiet_hours(reach: Reach, finished_at: datetime, now: datetime, policy: ContactPolicy) -> _Said:
    at = _waking(reach, now, policy)
    if at is None:
        return Outcome.SKIP, "the customer's time zone is unknown and no hour suits every candidate", None
    return (Outcome.PASS, _clock(reach, now), None) if at <= now else (Outcome.POSTPONE, _clock(reach, now), at)


def _waking(reach: Reach, at: datetime, policy: ContactPolicy) -> datetime | None:
    """The first moment not before `at` that suits every candidate zone; None when no hour does."""
    # Step to the latest opening until all of them agree.
    for _ in range(len(reach.zones) * 3 + 1):
        later = max((policy.window.next_allowed(at, zone) for zone in reach.zones), default=at)
        if later <= at:
            return at
        at = later
    return at if all(policy.window.allows(at, zone) for zone in reach.zones) else None


def _clock(reach: Reach, now: datetime) -> str:
    clocks = ", ".join(f"{now.astimezone(zone):%H:%M} in {zone.key}" for zone in reach.zones[:3])
    return f"it is {clocks}" if clocks else "no time zone applies"
