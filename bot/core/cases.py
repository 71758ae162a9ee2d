"""The life of a case: which moves are allowed, the five steps that gate its resolution, and how urgent it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from bot.core.assessment import Assessment
from bot.core.errors import Conflict, Refused
from bot.core.facts import Facts
from bot.core.vocabulary import CaseState, Failure, HandoffReason, Severity, Step, StepState, Verdict

_MOVES: Mapping[str, tuple[frozenset[CaseState], CaseState]] = {
    "claim": (frozenset({CaseState.OPEN, CaseState.REOPENED}), CaseState.CLAIMED),
    "release": (frozenset({CaseState.CLAIMED}), CaseState.OPEN),
    "resolve": (frozenset({CaseState.CLAIMED}), CaseState.RESOLVED),
    "close": (frozenset({CaseState.RESOLVED}), CaseState.CLOSED),
    "reopen": (frozenset({CaseState.RESOLVED, CaseState.CLOSED}), CaseState.REOPENED),
}

LIVE = frozenset({CaseState.OPEN, CaseState.CLAIMED, CaseState.REOPENED})
"""States in which a human still has something to do."""

SETTLED = frozenset({CaseState.RESOLVED, CaseState.CLOSED})
"""States in which everything was done, and the customer may still come back."""

_UNNAMED = frozenset({Failure.NONE, Failure.OTHER})

GATE = (Step.APOLOGISE, Step.ACT, Step.COMPASSION, Step.COMPENSATE)
"""Steps that must be done or waived before a case is resolved; the follow-up comes after and closes it (P12, P25)."""


def move(state: CaseState, action: str) -> CaseState:
    """The state that `action` leads to. Raises Conflict when the case is not in a state that allows it."""
    allowed, target = _MOVES[action]
    if state not in allowed:
        raise Conflict(f"a case that is {state} cannot be changed by {action!r}; it may from {_names(allowed)}")
    return target


def allowed_actions(state: CaseState) -> list[str]:
    """What an agent can do with a case in this state, in the words of the API."""
    actions = [name for name, (states, _) in _MOVES.items() if state in states and name not in ("close", "release")]
    if state is CaseState.CLAIMED:
        actions += ["steps", "grants", "handback", "transfer"]
    return ["replies", *actions] if state in LIVE else actions


def check_resolvable(steps: Mapping[Step, StepState]) -> None:
    """Raises Refused, naming the steps still open, unless every step of the gate is done or waived."""
    missing = [step for step in GATE if steps.get(step, StepState.OPEN) is StepState.OPEN]
    if missing:
        raise Refused(
            f"these steps are still open: {_names(missing)}. Do each, or waive it with a note.", field="steps"
        )


@dataclass(frozen=True, slots=True)
class Matter:
    """What a complaint is about, as far as it is known."""

    failure: Failure
    service_event_id: str | None


class Return(Enum):
    """What a complaint is to a case settled before: the same again, a new one that follows it, or unrelated."""

    REOPENS = "reopens"
    FOLLOWS = "follows"
    UNRELATED = "unrelated"


def return_to(settled: Matter, complaint: Matter, *, since_fix: timedelta, within: timedelta) -> Return:
    """How a complaint relates to a settled case (P26).

    It is about the same thing when it is about the same service and no other failure is named. Soon after the fix that
    reopens the case; later, or when only the service or only the failure is the same, a new case follows it.
    """
    same_service = settled.service_event_id == complaint.service_event_id
    both_named = _UNNAMED.isdisjoint({settled.failure, complaint.failure})
    if same_service and not (both_named and settled.failure is not complaint.failure):
        return Return.REOPENS if since_fix <= within else Return.FOLLOWS
    same_failure = both_named and settled.failure is complaint.failure
    return Return.FOLLOWS if same_service or same_failure else Return.UNRELATED


def check_step(step: Step, state: StepState, note: str) -> None:
    """Raises Refused when a step is waived without a reason, or the follow-up is ticked off by hand (P25)."""
    if state is StepState.WAIVED and not note.strip():
        raise Refused("waiving a step takes a note that says why", field="note")
    if step is Step.FOLLOW_UP and state is StepState.DONE:
        raise Refused(
            "the follow-up is done when the customer has answered it; waive it with a note instead", field="step"
        )


def severity_of(assessment: Assessment | None, facts: Facts, reason: HandoffReason) -> Severity:
    """How urgently a human is wanted, from what was said and what operations know."""
    if reason is HandoffReason.SAFETY:
        return Severity.CRITICAL
    grave = facts.excess_wait_minutes >= 45 or facts.late_minutes >= 60 or facts.remade or facts.rescheduled >= 2
    if assessment is None:
        return Severity.HIGH if grave else Severity.MEDIUM
    if assessment.verdict is Verdict.COMPLAINT:
        return Severity.HIGH
    if assessment.verdict is Verdict.MASKED:
        return Severity.HIGH if grave else Severity.MEDIUM
    return Severity.MEDIUM if grave or reason is HandoffReason.CALL_BACK else Severity.LOW


def hidden_cost_likely(failure: Failure, facts: Facts) -> bool:
    """Whether this kind of failure tends to cost the customer more than the service itself (P18)."""
    long_wait = max(facts.excess_wait_minutes, facts.late_minutes) >= 45
    return long_wait or facts.rescheduled > 0 or failure in (Failure.DAMAGE, Failure.AVAILABILITY)


@dataclass(frozen=True, slots=True)
class Targets:
    """Promised times in opening hours, by severity."""

    first_response: Mapping[Severity, timedelta]
    resolution: Mapping[Severity, timedelta]


DEFAULT_TARGETS = Targets(
    first_response={
        Severity.CRITICAL: timedelta(minutes=10),
        Severity.HIGH: timedelta(minutes=30),
        Severity.MEDIUM: timedelta(hours=1),
        Severity.LOW: timedelta(hours=4),
    },
    resolution={
        Severity.CRITICAL: timedelta(hours=4),
        Severity.HIGH: timedelta(hours=8),
        Severity.MEDIUM: timedelta(hours=16),
        Severity.LOW: timedelta(hours=24),
    },
)

_WEIGHT = {Severity.CRITICAL: 4.0, Severity.HIGH: 3.0, Severity.MEDIUM: 2.0, Severity.LOW: 1.0}


def gravest(one: Severity, other: Severity) -> Severity:
    """The more urgent of two."""
    return max(one, other, key=_WEIGHT.__getitem__)


def urgency(severity: Severity, *, first_response_due: datetime, answered: bool, now: datetime) -> float:
    """A number to order the queue by, greater is sooner: severity, then how near or far past its due time the case is.

    An answered case waits for its resolution only and counts a tenth.
    """
    hours_over = (now - first_response_due).total_seconds() / 3600
    pressure = 1 + max(0.0, min(10.0, hours_over + 1))
    return _WEIGHT[severity] * pressure * (0.1 if answered else 1.0)


def _names(values: object) -> str:
    return ", ".join(str(value) for value in values)  # type: ignore[attr-defined]
