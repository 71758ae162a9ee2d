"""The last question before a written message leaves: may it still, and if not now, when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from bot.core.check_in import ContactDecision, Outcome, TraceEntry, clocks, waking
from bot.core.hours import ContactWindow
from bot.core.vocabulary import MessageKind, Owner

_LEAST_VALIDITY = timedelta(minutes=1)
"""What is left of the customer's day must be at least this much, for a question to arrive in it."""


@dataclass(frozen=True, slots=True)
class Leaving:
    """A message at the door, and what holds there.

    `writes_first`: nobody asked for it just now. `moved_on`: the conversation is at another version than it was
    written for. `talking_elsewhere`: a person has the customer in another conversation. `overtaken`: it was put off,
    and the customer has written meanwhile.
    """

    kind: MessageKind
    opted_out: bool
    unreachable: bool
    owner: Owner
    moved_on: bool
    writes_first: bool
    talking_elsewhere: bool
    overtaken: bool
    zones: tuple[ZoneInfo, ...]


def may_leave(leaving: Leaving, *, now: datetime, window: ContactWindow) -> ContactDecision:
    """Ask every rule that its kind is bound by; the first that does not pass decides, and quiet hours only put off."""
    trace: list[TraceEntry] = []
    if leaving.kind is MessageKind.COMPLIANCE:
        trace.append(TraceEntry(now, "exempt", Outcome.PASS, "an answer to STOP, START or HELP always leaves"))
    for name, holds_back in _RULES[leaving.kind]:
        reason = holds_back(leaving)
        trace.append(TraceEntry(now, name, Outcome.SKIP if reason else Outcome.PASS, reason or _FREE[name]))
        if reason:
            return ContactDecision(Outcome.SKIP, None, tuple(trace))
    if leaving.writes_first:
        opens = waking(leaving.zones, now, window) or now
        left = min((window.open_for(opens, zone) for zone in leaving.zones), default=_LEAST_VALIDITY)
        if opens <= now and left < _LEAST_VALIDITY:
            # Too late for today: what could not be delivered before quiet hours begin must not be begun.
            opens = waking(leaving.zones, now + left, window) or now
        outcome = Outcome.PASS if opens <= now else Outcome.POSTPONE
        trace.append(TraceEntry(now, "quiet_hours", outcome, clocks(leaving.zones, now)))
        return ContactDecision(outcome, opens, tuple(trace))
    return ContactDecision(Outcome.PASS, now, tuple(trace))


def _opted_out(leaving: Leaving) -> str:
    return "the customer opted out" if leaving.opted_out else ""


def _unreachable(leaving: Leaving) -> str:
    return "the address does not reach this customer" if leaving.unreachable and leaving.writes_first else ""


def _owned(leaving: Leaving) -> str:
    return "a person owns the conversation" if leaving.owner is Owner.AGENT else ""


def _moved_on(leaving: Leaving) -> str:
    return "the conversation moved on before this could leave" if leaving.moved_on else ""


def _elsewhere(leaving: Leaving) -> str:
    return "a person is talking with the customer in another conversation" if leaving.talking_elsewhere else ""


def _overtaken(leaving: Leaving) -> str:
    return "the customer wrote first" if leaving.overtaken else ""


_Rule = tuple[str, Callable[[Leaving], str]]
_OPT_OUT: _Rule = ("opt_out", _opted_out)
_CASE: tuple[_Rule, ...] = (
    ("address", _unreachable),
    ("version", _moved_on),
    ("collision", _elsewhere),
    ("point", _overtaken),
)
_RULES: dict[MessageKind, tuple[_Rule, ...]] = {
    MessageKind.COMPLIANCE: (),
    MessageKind.AGENT: (_OPT_OUT,),
    MessageKind.LIFECYCLE: (_OPT_OUT, *_CASE),
    MessageKind.DIALOGUE: (_OPT_OUT, _CASE[0], ("owner", _owned), *_CASE[1:]),
}
_FREE = {
    "opt_out": "no opt-out is recorded",
    "address": "the address is not known to be wrong",
    "owner": "the bot owns the conversation",
    "version": "nothing has changed since it was written",
    "collision": "nobody of ours is talking with them somewhere else",
    "point": "it still has its point",
}
