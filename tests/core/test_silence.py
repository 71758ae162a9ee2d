"""What silence means, judged by what operations know and by who fell silent."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.facts import Facts, operations_signals
from bot.core.silence import (
    ANSWER_SPREAD,
    ANSWERS_PRIOR,
    AT_RISK_FROM,
    MEDIAN_ANSWER_MINUTES,
    PRIOR_UNHAPPY,
    UNHAPPY_ANSWERS_RATIO,
    Silence,
    judge_silence,
)
from bot.core.vocabulary import Verdict

BAD = Facts(wait_minutes=75, promised_wait_minutes=10, remade=True)


def test_silence_after_a_good_visit_is_taken_as_it_comes() -> None:
    """Most people who say nothing have nothing to say."""
    assessment = judge_silence(Silence(Facts()))

    assert assessment.verdict is Verdict.SILENT_OK
    assert [signal.name for signal in assessment.signals] == ["silence"]


def test_silence_after_a_bad_visit_is_at_risk_and_says_why() -> None:
    """The facts speak where the customer does not."""
    assessment = judge_silence(Silence(BAD))

    assert assessment.verdict is Verdict.SILENT_AT_RISK
    assert {signal.name for signal in assessment.signals} == {"long_wait", "remade", "silence"}


def test_silence_from_someone_who_always_answered_means_something() -> None:
    """The same middling visit is at risk for one who always answers, and not for one who does not."""
    middling = Facts(wait_minutes=30)

    habitual = judge_silence(Silence(middling, asked_before=2, answered_before=2))

    assert habitual.signals[-1].name == "unusual_silence"
    assert habitual.signals[-1].evidence == "no answer in 24 h, answered 2 of 2 earlier check-ins"
    assert habitual.verdict is Verdict.SILENT_AT_RISK
    assert judge_silence(Silence(middling)).verdict is Verdict.SILENT_OK
    assert judge_silence(Silence(middling, asked_before=4, answered_before=0)).verdict is Verdict.SILENT_OK


def test_even_a_habit_alone_does_not_cry_wolf() -> None:
    """A good visit and five answers before: busy, most likely."""
    assert judge_silence(Silence(Facts(), asked_before=5, answered_before=5)).verdict is Verdict.SILENT_OK


@given(st.integers(0, 20), st.floats(0, 1), st.floats(0, 200), st.floats(0, 200))
def test_silence_says_more_the_longer_it_lasts_and_the_surer_it_was_seen(
    asked: int, share: float, hours: float, more: float
) -> None:
    """And it never speaks for the customer being content."""
    silence = Silence(Facts(), asked_before=asked, answered_before=int(asked * share), waited_hours=hours)

    now = judge_silence(silence).probability
    later = judge_silence(replace(silence, waited_hours=hours + more)).probability
    unseen = judge_silence(replace(silence, delivery="sent")).probability
    read = judge_silence(replace(silence, delivery="read")).probability

    assert PRIOR_UNHAPPY - 1e-4 <= now <= later
    assert unseen <= now <= read


def test_the_probability_is_what_it_says_in_a_world_where_the_assumptions_hold() -> None:
    """20,000 simulated customers: in each band of predicted risk, that share of the silent is unhappy."""
    dice = Random(7)
    bands: dict[int, list[tuple[float, bool]]] = defaultdict(list)
    for _ in range(20_000):
        silence, unhappy = _silent_customer(dice)
        if silence is not None:
            predicted = judge_silence(silence).probability
            bands[int(predicted * 10)].append((predicted, unhappy))

    assert sum(len(band) for band in bands.values()) > 8_000
    for band in bands.values():
        if len(band) >= 300:
            predicted = sum(p for p, _ in band) / len(band)
            assert sum(unhappy for _, unhappy in band) / len(band) == pytest.approx(predicted, abs=0.04)


def _silent_customer(dice: Random) -> tuple[Silence | None, bool]:
    """One customer of the assumed world, or None when they answered; and whether they are unhappy."""
    facts = dice.choice([Facts(), Facts(), Facts(wait_minutes=30), Facts(late_minutes=40), BAD])
    log_odds = math.log(PRIOR_UNHAPPY / (1 - PRIOR_UNHAPPY))
    log_odds += sum(weight for _, weight, _ in operations_signals(facts, damped=False))
    unhappy = dice.random() < 1 / (1 + math.exp(-log_odds))
    rate = dice.betavariate(*ANSWERS_PRIOR)
    asked = dice.randrange(6)
    answered = sum(dice.random() < rate for _ in range(asked))
    delivery, seen = dice.choice([("delivered", 0.9), ("read", 1.0)])
    inclined = dice.random() < rate * (UNHAPPY_ANSWERS_RATIO if unhappy else 1)
    hours = math.exp(dice.gauss(math.log(MEDIAN_ANSWER_MINUTES), ANSWER_SPREAD)) / 60
    if inclined and dice.random() < seen and hours <= 24:
        return None, unhappy
    return Silence(facts, asked_before=asked, answered_before=answered, delivery=delivery), unhappy


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
