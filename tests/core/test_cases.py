"""The life of a case: no illegal move, no resolution with a step missing, and the most urgent first."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.assessment import Assessment
from bot.core.cases import (
    DEFAULT_TARGETS,
    GATE,
    LIVE,
    Matter,
    Return,
    allowed_actions,
    check_resolvable,
    check_step,
    move,
    return_to,
    severity_of,
    urgency,
)
from bot.core.errors import Conflict, Refused
from bot.core.facts import Facts
from bot.core.vocabulary import CaseState, Failure, HandoffReason, Severity, Step, StepState, Verdict

ACTIONS = ("claim", "release", "resolve", "close", "reopen")
LEGAL = {
    (CaseState.OPEN, "claim"): CaseState.CLAIMED,
    (CaseState.REOPENED, "claim"): CaseState.CLAIMED,
    (CaseState.CLAIMED, "release"): CaseState.OPEN,
    (CaseState.CLAIMED, "resolve"): CaseState.RESOLVED,
    (CaseState.RESOLVED, "close"): CaseState.CLOSED,
    (CaseState.RESOLVED, "reopen"): CaseState.REOPENED,
    (CaseState.CLOSED, "reopen"): CaseState.REOPENED,
}
NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
GRAVE = Facts(remade=True)


@given(st.lists(st.sampled_from(ACTIONS), max_size=12))
def test_no_sequence_of_actions_leads_anywhere_it_should_not(actions: list[str]) -> None:
    """Every move is in the table; every other is refused and changes nothing."""
    state = CaseState.OPEN

    for action in actions:
        if (state, action) in LEGAL:
            state = move(state, action)
            assert state in LEGAL.values()
        else:
            with pytest.raises(Conflict, match=f"{state} cannot be changed by '{action}'"):
                move(state, action)


@given(st.lists(st.sampled_from(ACTIONS), max_size=12))
def test_a_case_is_closed_only_after_it_was_resolved(actions: list[str]) -> None:
    """No way leads from open or reopened to closed around the fix."""
    path = [CaseState.OPEN]
    for action in actions:
        if (path[-1], action) in LEGAL:
            path.append(move(path[-1], action))

    for before, after in pairwise(path):
        if after is CaseState.CLOSED:
            assert before is CaseState.RESOLVED
        if after is CaseState.RESOLVED:
            assert before is CaseState.CLAIMED


@pytest.mark.parametrize(
    ("state", "actions"),
    [
        (CaseState.OPEN, {"replies", "claim"}),
        (CaseState.REOPENED, {"replies", "claim"}),
        (CaseState.CLAIMED, {"replies", "resolve", "steps", "grants", "handback", "transfer"}),
        (CaseState.RESOLVED, {"reopen"}),
        (CaseState.CLOSED, {"reopen"}),
    ],
)
def test_the_desk_offers_what_will_be_accepted_and_nothing_else(state: CaseState, actions: set[str]) -> None:
    """A button that can only answer "no" is not shown: what is settled is reopened before it is written to again."""
    assert set(allowed_actions(state)) == actions


def test_live_is_what_a_human_still_has_to_do_something_about() -> None:
    """Everything but resolved and closed."""
    assert set(CaseState) - LIVE == {CaseState.RESOLVED, CaseState.CLOSED}


@given(st.dictionaries(st.sampled_from(Step), st.sampled_from(StepState)))
def test_a_case_is_resolved_with_every_step_done_or_waived(steps: dict[Step, StepState]) -> None:
    """Four steps are the gate; the follow-up comes after. A refusal names what is missing, in order (P12)."""
    missing = [step for step in GATE if steps.get(step, StepState.OPEN) is StepState.OPEN]

    if missing:
        with pytest.raises(Refused, match=", ".join(missing)):
            check_resolvable(steps)
    else:
        check_resolvable(steps)


def test_the_follow_up_is_no_part_of_the_gate() -> None:
    """It is asked after the fix."""
    assert set(Step) - set(GATE) == {Step.FOLLOW_UP}


@pytest.mark.parametrize("step", Step)
def test_waiving_a_step_takes_a_reason(step: Step) -> None:
    """ "Not our fault" needs a sentence (P7)."""
    with pytest.raises(Refused, match="note"):
        check_step(step, StepState.WAIVED, "  ")

    check_step(step, StepState.WAIVED, "the customer asked for nothing more")


def test_the_follow_up_is_done_by_the_customers_answer_and_by_nobody_else() -> None:
    """No agent ticks off whether the customer is happy (P25)."""
    with pytest.raises(Refused, match="when the customer has answered"):
        check_step(Step.FOLLOW_UP, StepState.DONE, "they sounded fine")


def heard(verdict: Verdict) -> Assessment:
    """An assessment with this verdict."""
    return Assessment(verdict, 0.5, 0.5, ())


@pytest.mark.parametrize(
    ("assessment", "facts", "reason", "severity"),
    [
        (None, Facts(), HandoffReason.SAFETY, Severity.CRITICAL),
        (heard(Verdict.SATISFIED), Facts(), HandoffReason.SAFETY, Severity.CRITICAL),
        (heard(Verdict.COMPLAINT), Facts(), HandoffReason.DISSATISFIED, Severity.HIGH),
        (heard(Verdict.MASKED), Facts(), HandoffReason.DISSATISFIED, Severity.MEDIUM),
        (heard(Verdict.MASKED), GRAVE, HandoffReason.DISSATISFIED, Severity.HIGH),
        (heard(Verdict.LUKEWARM), Facts(), HandoffReason.ASKED_FOR_PERSON, Severity.LOW),
        (heard(Verdict.LUKEWARM), GRAVE, HandoffReason.ASKED_FOR_PERSON, Severity.MEDIUM),
        (heard(Verdict.SATISFIED), Facts(), HandoffReason.CALL_BACK, Severity.MEDIUM),
        (None, Facts(), HandoffReason.BOT_UNAVAILABLE, Severity.MEDIUM),
        (None, GRAVE, HandoffReason.BOT_UNAVAILABLE, Severity.HIGH),
    ],
)
def test_severity(assessment: Assessment | None, facts: Facts, reason: HandoffReason, severity: Severity) -> None:
    """Safety before all; then what was said, raised by what operations know; unknown is never low."""
    assert severity_of(assessment, facts, reason) is severity


def test_the_graver_a_case_the_sooner_it_is_promised() -> None:
    """Both promised times grow as the severity falls."""
    falling = (Severity.CRITICAL, Severity.HIGH, Severity.MEDIUM, Severity.LOW)

    for promised in (DEFAULT_TARGETS.first_response, DEFAULT_TARGETS.resolution):
        assert [promised[severity] for severity in falling] == sorted(promised.values())
        assert set(promised) == set(Severity)


hours = st.integers(-48, 48).map(lambda number: NOON + timedelta(minutes=30 * number))


@given(st.sampled_from(Severity), hours, hours, st.booleans())
def test_of_two_cases_alike_the_one_due_sooner_is_at_least_as_urgent(
    severity: Severity, one: datetime, other: datetime, answered: bool
) -> None:
    """And an unanswered one is always more urgent than the same one answered."""
    sooner, later = sorted((one, other))

    def of(due: datetime, *, answered: bool) -> float:
        return urgency(severity, first_response_due=due, answered=answered, now=NOON)

    assert of(sooner, answered=answered) >= of(later, answered=answered)
    assert of(sooner, answered=False) > of(sooner, answered=True)


@given(hours)
def test_of_two_cases_due_together_the_graver_is_more_urgent(due: datetime) -> None:
    """Critical before high before medium before low."""
    falling = (Severity.CRITICAL, Severity.HIGH, Severity.MEDIUM, Severity.LOW)

    ordered = [urgency(severity, first_response_due=due, answered=False, now=NOON) for severity in falling]

    assert ordered == sorted(ordered, reverse=True)
    assert len(set(ordered)) == 4


@given(st.sampled_from(Severity), hours, st.integers(0, 600))
def test_waiting_never_makes_a_case_less_urgent(severity: Severity, due: datetime, minutes: int) -> None:
    """Urgency only grows while nobody answers."""
    later = NOON + timedelta(minutes=minutes)

    assert urgency(severity, first_response_due=due, answered=False, now=later) >= urgency(
        severity, first_response_due=due, answered=False, now=NOON
    )


@pytest.mark.parametrize(
    ("failure", "event", "days", "expected"),
    [
        (Failure.WAIT, "lunch", 0, Return.REOPENS),
        (Failure.NONE, "lunch", 30, Return.REOPENS),
        (Failure.OTHER, "lunch", 1, Return.REOPENS),
        (Failure.WAIT, "lunch", 31, Return.FOLLOWS),
        (Failure.PRICE, "lunch", 1, Return.FOLLOWS),
        (Failure.WAIT, "dinner", 1, Return.FOLLOWS),
        (Failure.NONE, "dinner", 1, Return.UNRELATED),
        (Failure.PRICE, "dinner", 1, Return.UNRELATED),
    ],
)
def test_a_complaint_comes_back_to_the_case_it_is_about(
    failure: Failure, event: str, days: int, expected: Return
) -> None:
    """The same service and no other failure, soon: the case itself. Later, or half the same: one that follows."""
    settled, month = Matter(Failure.WAIT, "lunch"), timedelta(days=30)

    found = return_to(settled, Matter(failure, event), since_fix=timedelta(days=days), within=month)

    assert found is expected
