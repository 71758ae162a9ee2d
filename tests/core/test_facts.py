"""What operations know, read out of whatever a business's system sends."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.facts import Facts, KnownFailure, operations_signals
from bot.core.vocabulary import Failure

anything = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.lists(st.integers(), max_size=2),
    st.sampled_from([math.inf, -math.inf, math.nan, "false", "0", "55"]),
)
NAMES = (
    *("wait_minutes", "promised_wait_minutes", "late_minutes", "remade", "rescheduled", "refunded"),
    *("new_service", "staff_tenure_days", "something_else"),
)


@given(st.dictionaries(st.sampled_from(NAMES), anything))
def test_reading_never_fails_and_never_invents(raw: dict[str, Any]) -> None:
    """Any mapping can be read; numbers come out finite and not below nothing."""
    facts = Facts.of(raw)

    assert 0 <= facts.wait_minutes < math.inf
    assert 0 <= facts.late_minutes < math.inf
    assert facts.rescheduled >= 0
    assert facts.excess_wait_minutes <= facts.wait_minutes
    assert all(weight > 0 and evidence for _, weight, evidence in operations_signals(facts, damped=False))


@pytest.mark.parametrize("unusable", ["soon", "", None, True, [], math.nan, math.inf])
def test_an_unusable_value_is_as_if_it_were_not_there(unusable: Any) -> None:
    """A promise nobody can read is no promise of nothing, and an unreadable tenure is no first day at work."""
    names = ("wait_minutes", "promised_wait_minutes", "late_minutes", "rescheduled", "staff_tenure_days")

    assert Facts.of(dict.fromkeys(names, unusable)) == Facts()


@pytest.mark.parametrize("word", ["false", "no", "true", [], {}, None])
def test_a_yes_or_no_is_a_truth_value_and_not_a_word(word: Any) -> None:
    """`"false"` would be true to Python; a word is passed over."""
    assert Facts.of({"remade": word, "refunded": word, "new_service": word}) == Facts()


def test_a_wait_counts_from_the_promise_or_from_a_quarter_of_an_hour() -> None:
    """Perception is the fact: 40 minutes are 20 too many when 20 were promised."""
    assert Facts(wait_minutes=40, promised_wait_minutes=20).excess_wait_minutes == 20
    assert Facts(wait_minutes=40).excess_wait_minutes == 25
    assert Facts(wait_minutes=5, promised_wait_minutes=20).excess_wait_minutes == 0


@pytest.mark.parametrize(
    ("facts", "failure"),
    [
        (Facts(), KnownFailure.NONE),
        (Facts(wait_minutes=29), KnownFailure.NONE),
        (Facts(wait_minutes=30), KnownFailure.WAIT),
        (Facts(late_minutes=19), KnownFailure.NONE),
        (Facts(late_minutes=20, wait_minutes=90), KnownFailure.LATE),
        (Facts(rescheduled=1), KnownFailure.RESCHEDULED),
        (Facts(rescheduled=2, wait_minutes=60), KnownFailure.WAIT),
        (Facts(remade=True, late_minutes=90), KnownFailure.REMADE),
    ],
)
def test_the_first_message_owns_the_gravest_known_failure(facts: Facts, failure: KnownFailure) -> None:
    """Asked before the complaint (P11): remade before late, late before a wait, a wait before a new date."""
    assert facts.known_failure is failure


@pytest.mark.parametrize("known", KnownFailure)
def test_every_known_failure_is_one_a_customer_could_complain_about(known: KnownFailure) -> None:
    """The case carries the same code whoever noticed first."""
    assert (known.as_failure() is Failure.NONE) is (known is KnownFailure.NONE)


def test_every_fact_explains_itself_and_counts_half_for_who_speaks_well() -> None:
    """Each signal names what happened; kind words halve it and never remove it."""
    facts = Facts(55, 20, 30, True, 2, True, True, 12)

    full = {name: weight for name, weight, _ in operations_signals(facts, damped=False)}
    half = {name: weight for name, weight, _ in operations_signals(facts, damped=True)}
    words = {name: evidence for name, _, evidence in operations_signals(facts, damped=False)}

    assert set(full) == {"long_wait", "late", "remade", "rescheduled", "refunded", "new_service", "new_staff"}
    assert half == {name: weight / 2 for name, weight in full.items()}
    assert words["long_wait"] == "waited 55 min, 35 too long"
    assert words["new_staff"] == "staff with us for 12 days"


@given(st.floats(0, 1000), st.floats(0, 1000))
def test_waiting_longer_never_looks_better(one: float, other: float) -> None:
    """The weight of a wait grows with it, up to a limit."""
    shorter, longer = sorted((one, other))

    def weight(minutes: float) -> float:
        return sum(weight for _, weight, _ in operations_signals(Facts(wait_minutes=minutes), damped=False))

    assert weight(shorter) <= weight(longer) <= 1.5
