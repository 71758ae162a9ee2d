"""What silence means, judged by what operations know and by who fell silent."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from bot.core.facts import Facts
from bot.core.silence import AT_RISK_FROM, Silence, judge_silence
from bot.core.vocabulary import Verdict

BAD = Facts(wait_minutes=75, promised_wait_minutes=10, remade=True)


def test_silence_after_a_good_visit_is_taken_as_it_comes() -> None:
    """Most people who say nothing have nothing to say."""
    assessment = judge_silence(Silence(Facts()))

    assert assessment.verdict is Verdict.SILENT_OK
    assert assessment.signals == ()


def test_silence_after_a_bad_visit_is_at_risk_and_says_why() -> None:
    """The facts speak where the customer does not."""
    assessment = judge_silence(Silence(BAD))

    assert assessment.verdict is Verdict.SILENT_AT_RISK
    assert {signal.name for signal in assessment.signals} == {"long_wait", "remade"}


def test_silence_from_someone_who_always_answered_means_something() -> None:
    """It takes two answers to make a habit."""
    middling = Facts(wait_minutes=30)

    habitual = judge_silence(Silence(middling, asked_before=2, answered_before=2))

    assert habitual.signals[-1].name == "unusual_silence"
    assert habitual.signals[-1].evidence == "answered all 2 earlier check-ins"
    assert habitual.verdict is Verdict.SILENT_AT_RISK
    assert judge_silence(Silence(middling, asked_before=1, answered_before=1)).verdict is Verdict.SILENT_OK
    assert judge_silence(Silence(middling, asked_before=3, answered_before=2)).verdict is Verdict.SILENT_OK


def test_who_was_not_reached_or_opted_out_was_not_silent() -> None:
    """Nothing is read into a silence that was not the customer's."""
    assert judge_silence(Silence(BAD, undeliverable=True)).verdict is Verdict.UNREACHABLE
    assert judge_silence(Silence(BAD, opted_out=True)).verdict is Verdict.OPTED_OUT
    assert judge_silence(Silence(BAD, opted_out=True, undeliverable=True)).verdict is Verdict.OPTED_OUT


@given(st.floats(0, 500), st.floats(0, 500), st.booleans(), st.integers(0, 9), st.integers(0, 9))
def test_the_verdict_follows_from_the_probability_and_worse_facts_never_lower_it(
    wait: float, late: float, remade: bool, asked: int, answered: int
) -> None:
    """One number, one threshold, and each fact only ever adds to the risk."""
    silence = Silence(Facts(wait_minutes=wait, late_minutes=late), asked_before=asked, answered_before=answered)
    worse = replace(silence, facts=replace(silence.facts, remade=True, late_minutes=late + 30))

    assessment = judge_silence(silence)

    assert (assessment.verdict is Verdict.SILENT_AT_RISK) is (assessment.probability >= AT_RISK_FROM)
    assert judge_silence(worse).probability >= assessment.probability
