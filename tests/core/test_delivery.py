"""Delivery: what providers report, in whatever order they report it."""

from datetime import timedelta
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.delivery import (
    RANK,
    UNDELIVERED,
    Remedy,
    advance,
    is_final,
    problem,
    problems,
    rank,
    wait_before_retry,
)

STATUSES = st.sampled_from(sorted(RANK))
REPORTS = st.lists(STATUSES | st.sampled_from(["", "receiving", "something-new"]))


@given(st.none() | STATUSES, REPORTS)
def test_delivery_only_moves_forward(start: str | None, reports: list[str]) -> None:
    """Whatever arrives, no report takes a delivery back."""
    reached = start

    for report in reports:
        further = advance(reached, report)
        assert rank(further) >= rank(reached)
        reached = further


@given(REPORTS, st.randoms())
def test_the_order_of_reports_does_not_matter(reports: list[str], random: object) -> None:
    """The same reports in another order lead equally far."""
    shuffled = list(reports)
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    assert rank(reduce(advance, reports, None)) == rank(reduce(advance, shuffled, None))  # type: ignore[arg-type]


@given(st.none() | STATUSES, REPORTS)
def test_a_report_heard_twice_changes_nothing(start: str | None, reports: list[str]) -> None:
    """Duplicates are harmless."""
    once = reduce(advance, reports, start)

    assert reduce(advance, reports, once) == once


@pytest.mark.parametrize(
    ("current", "reported", "kept"),
    [
        (None, "queued", "queued"),
        ("queued", "sent", "sent"),
        ("failed", "sent", "failed"),
        ("undelivered", "delivered", "undelivered"),
        ("delivered", "sent", "delivered"),
        ("delivered", "read", "read"),
        ("scheduled", "accepted", "scheduled"),
        ("sent", "something-new", "sent"),
    ],
)
def test_what_is_kept(current: str | None, reported: str, kept: str) -> None:
    """A late "sent" does not overwrite the end, and of two ends the first stands."""
    assert advance(current, reported) == kept


def test_ends() -> None:
    """Everything from delivered on is an end; what failed is one too."""
    assert all(is_final(status) for status in UNDELIVERED | {"delivered", "read"})
    assert not any(is_final(status) for status in [None, "queued", "sending", "sent", "something-new"])


@pytest.mark.parametrize(
    ("codes", "remedy"),
    [
        (["21610"], Remedy.SUPPRESS),
        (["21211", "21614", "30005", "30006"], Remedy.MARK_INVALID),
        (["30003", "30008"], Remedy.RETRY_LATER),
        (["30610", "30047"], Remedy.RESCHEDULE),
        (["20429"], Remedy.BACK_OFF),
        (["30001", "21611"], Remedy.SLOW_SENDER),
        (["30007", "30034"], Remedy.STOP_SENDER),
        (["63038"], Remedy.PAUSE_ACCOUNT),
    ],
)
def test_every_error_has_its_remedy(codes: list[str], remedy: Remedy) -> None:
    """The error table says what to do, whether the code comes as a number or as text."""
    for code in codes:
        assert problem(code).remedy is remedy
        assert problem(int(code)) == problem(code)
        assert problem(code).meaning


def test_what_hurts_more_than_one_message_alerts() -> None:
    """Somebody is told when a sender or the account is in trouble, not when one number is."""
    assert problem("30007").alerts
    assert problem("63038").alerts
    assert problem("63038").wait == timedelta(hours=24)
    assert not problem("30003").alerts


@given(st.integers(0, 30), st.floats(0, 0.999), st.none() | st.floats(0, 1e12))
def test_the_wait_before_a_retry(attempts: int, spread: float, retry_after: float | None) -> None:
    """The provider's wish is never undercut and believed for an hour; ours doubles up to five minutes; a tenth more."""
    wait = wait_before_retry(attempts, retry_after, spread=spread)

    wish = min(retry_after, 3600) if retry_after is not None else min(300, 2**attempts)
    assert wish - 1e-3 <= wait.total_seconds() <= wish * 1.1 + 1e-3
    assert wait == wait_before_retry(attempts, retry_after, spread=spread)


def test_every_problem_says_what_it_means_and_what_to_do() -> None:
    """In words an agent can use; what holds others back says for how long."""
    for found in problems():
        assert found.meaning[0].islower()
        assert found.advice.endswith(".")
        assert not found.alerts or found.wait


def test_an_unknown_code_is_kept() -> None:
    """A code we have never seen stays visible and asks for nothing."""
    assert problem("99999").code == "99999"
    assert problem("99999").remedy is Remedy.NONE
    assert problem(None).code == ""
