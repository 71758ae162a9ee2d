"""Whether and when to write first: what decides a check-in, a follow-up or a word of progress, with its trace."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from bot.core.hours import ContactWindow
from bot.core.vocabulary import Medium, Purpose


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
    `recent_contacts` are the instants of what we wrote first lately, on any channel. `busy` says that an agent owns a
    conversation with them or that a case is open, so that a cheerful question would collide with it; `contacted_at` is
    when somebody of ours, or an earlier question, last reached out to them (P32).
    """

    medium: Medium
    has_address: bool
    consented: bool
    opted_out: bool
    zones: tuple[ZoneInfo, ...]
    recent_contacts: tuple[datetime, ...] = ()
    busy: bool = False
    contacted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ContactPolicy:
    """The business's restraint: hours, at most `cap` first messages in `cap_window`, `spacing` between two contacts.

    A check-in is asked at most `stale_after` the service ended, a word of progress said at most `news_for` after it
    was due; a follow-up waits as long as it must.
    """

    window: ContactWindow = field(default_factory=ContactWindow)
    cap: int = 3
    cap_window: timedelta = timedelta(days=7)
    spacing: timedelta = timedelta(hours=4)
    stale_after: timedelta = timedelta(days=3)
    news_for: timedelta = timedelta(days=1)

    def patience(self, purpose: Purpose) -> timedelta | None:
        """For how long after its occasion it is worth saying; None for ever."""
        return {Purpose.CHECK_IN: self.stale_after, Purpose.PROGRESS: self.news_for}.get(purpose)


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


def decide_contact(
    reach: Reach,
    *,
    finished_at: datetime,
    now: datetime,
    policy: ContactPolicy,
    purpose: Purpose = Purpose.CHECK_IN,
) -> ContactDecision:
    """Ask every rule in turn; the first that does not pass decides. All instants are aware.

    `finished_at` is the occasion: when the service ended, the fix was made, the promised answer was due.
    """
    asking = _Asking(reach, finished_at, now, policy, purpose)
    trace: list[TraceEntry] = []
    for rule in _RULES[purpose]:
        outcome, reason, send_at = rule(asking)
        trace.append(TraceEntry(now, rule.__name__.lstrip("_"), outcome, reason))
        if outcome is not Outcome.PASS:
            return ContactDecision(outcome, send_at, tuple(trace))
    return ContactDecision(Outcome.PASS, now, tuple(trace))


_Said = tuple[Outcome, str, datetime | None]


@dataclass(frozen=True, slots=True)
class _Asking:
    """What every rule is told."""

    reach: Reach
    occasion: datetime
    now: datetime
    policy: ContactPolicy
    purpose: Purpose

    def not_before(self, at: datetime, why: str) -> _Said:
        """Put it off to the first waking moment from `at` on, or let it go when it would be pointless by then."""
        free_at, patience = waking(self.reach.zones, at, self.policy.window), self.policy.patience(self.purpose)
        if free_at is None or (patience is not None and free_at - self.occasion > patience):
            return Outcome.SKIP, why, None
        return Outcome.POSTPONE, why, free_at


def _address(asking: _Asking) -> _Said:
    medium = asking.reach.medium
    if asking.reach.has_address:
        return Outcome.PASS, f"there is an address on {medium}", None
    return Outcome.SKIP, f"the customer has no address on {medium}", None


def _opt_out(asking: _Asking) -> _Said:
    if asking.reach.opted_out:
        return Outcome.SKIP, "the customer opted out", None
    return Outcome.PASS, "no opt-out is recorded", None


def _consent(asking: _Asking) -> _Said:
    # On the web the customer opened the conversation; only a text to their phone needs a recorded permission.
    consented, medium = asking.reach.consented, asking.reach.medium
    if consented or medium is Medium.WEBCHAT:
        return Outcome.PASS, "consent is recorded" if consented else "the website needs none", None
    return Outcome.SKIP, f"no consent to write by {medium} is recorded", None


def _stale(asking: _Asking) -> _Said:
    stale_after = asking.policy.stale_after
    if asking.now - asking.occasion > stale_after:
        return Outcome.SKIP, f"the service ended more than {stale_after.days} days ago", None
    return Outcome.PASS, "the service is recent", None


def _collision(asking: _Asking) -> _Said:
    if asking.reach.busy:
        return Outcome.SKIP, "a person is already talking with this customer", None
    contacted_at = asking.reach.contacted_at
    if contacted_at is not None and asking.now < contacted_at + asking.policy.spacing:
        minutes = max(0, round((asking.now - contacted_at).total_seconds() / 60))
        return asking.not_before(
            contacted_at + asking.policy.spacing, f"somebody else reached out to this customer {minutes} minutes ago"
        )
    return Outcome.PASS, "nobody else is talking with this customer", None


def _cap(asking: _Asking) -> _Said:
    policy, since = asking.policy, asking.now - asking.policy.cap_window
    recent = sorted(at for at in asking.reach.recent_contacts if at > since)
    if len(recent) < policy.cap:
        return Outcome.PASS, f"{len(recent)} of {policy.cap} first messages in {policy.cap_window.days} days", None
    asked = f"already asked {len(recent)} times in {policy.cap_window.days} days"
    return asking.not_before(recent[-policy.cap] + policy.cap_window, asked)


def _quiet_hours(asking: _Asking) -> _Said:
    reach, now = asking.reach, asking.now
    at = waking(reach.zones, now, asking.policy.window)
    if at is None:
        return Outcome.SKIP, "the customer's time zone is unknown and no hour suits every candidate", None
    return (
        (Outcome.PASS, clocks(reach.zones, now), None)
        if at <= now
        else (Outcome.POSTPONE, clocks(reach.zones, now), at)
    )


_RULES: dict[Purpose, tuple[Callable[[_Asking], _Said], ...]] = {
    Purpose.CHECK_IN: (_address, _opt_out, _consent, _stale, _collision, _cap, _quiet_hours),
    # A case the customer began: nobody needs to agree to it anew.
    Purpose.FOLLOW_UP: (_address, _opt_out, _collision, _cap, _quiet_hours),
    # A person owns the conversation and has said nothing: that is the reason for it, and no collision. The customer
    # waits for a promised answer, so no cap keeps an honest word from them.
    Purpose.PROGRESS: (_address, _opt_out, _quiet_hours),
}
"""What is asked before we write first, in this order."""


def waking(zones: Sequence[ZoneInfo], at: datetime, window: ContactWindow) -> datetime | None:
    """The first moment not before `at` that suits every candidate zone; None when no hour does."""
    # Step to the latest opening until all of them agree; what does not within three days never will.
    horizon = at + timedelta(days=3)
    while at <= horizon:
        later = max((window.next_allowed(at, zone) for zone in zones), default=at)
        if later <= at:
            return at
        at = later
    return None


def candidate_zones(
    recorded: ZoneInfo | None,
    near: Sequence[ZoneInfo],
    of_number: Sequence[ZoneInfo],
    at: datetime,
    window: ContactWindow,
) -> tuple[ZoneInfo, ...]:
    """Where the customer may be: what the record says, else wherever the number and the place they were served allow.

    A number whose zones share no waking hour tells nothing (a toll-free one lies in forty): then the place counts.
    """
    if recorded is not None:
        return (recorded,)
    everywhere = tuple(dict.fromkeys((*near, *of_number)))
    return everywhere if waking(everywhere, at, window) is not None else tuple(dict.fromkeys(near))[:1]


def clocks(zones: Sequence[ZoneInfo], now: datetime) -> str:
    """What time it is for the customer, wherever they may be."""
    told = ", ".join(f"{now.astimezone(zone):%H:%M} in {zone.key}" for zone in zones[:3])
    return f"it is {told}" if told else "no time zone applies"
