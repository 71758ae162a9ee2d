"""The measurements measure what they say: the counts are right, whatever the times are."""

from __future__ import annotations

import asyncio

import pytest

from benchmarks import burst, dialogue, due
from benchmarks.databases import KINDS, answers
from benchmarks.figures import Report, Took, median_of, timed


def lines(report: Report) -> dict[str, str]:
    """What was measured, by what it is."""
    return {line.what: line.measured for line in report.lines}


@pytest.fixture(params=KINDS)
async def kind(request: pytest.FixtureRequest) -> str:
    """A kind of database there is here."""
    if not await answers(request.param):
        pytest.skip("no PostgreSQL answers")
    return str(request.param)


async def test_everything_that_is_due_is_worked_off_once(kind: str) -> None:
    """It counts in the database that as many check-ins are sent and queued as were due."""
    report = Report()

    await due.measure(report, due.QUICK, [kind], rasa=False)

    name = "SQLite" if kind == "sqlite" else "PostgreSQL"
    found = lines(report)
    assert found[f"{name}: what is due is found by ix_tasks_due, nothing is scanned"] == "yes"
    assert set(found) >= {
        f"{name}: due tasks claimed and finished",
        f"{name}: check-ins decided and queued",
        f"{name}: memory of the worker meanwhile",
    }


@pytest.mark.e2e
async def test_a_burst_is_kept_whole_and_handled_once(kind: str) -> None:
    """Every message is in the store once, and answered once."""
    report = Report()

    await burst.measure(report, burst.QUICK, [kind])

    name = "SQLite" if kind == "sqlite" else "PostgreSQL"
    assert lines(report)[f"{name}: messages lost"] == "0 of 60"
    assert lines(report)[f"{name}: handled twice, of 60"] == "0"


@pytest.mark.e2e
async def test_every_turn_brings_words() -> None:
    """A line for each number at once; a turn without words would fail it."""
    report = Report()

    await dialogue.measure(report, dialogue.QUICK, stock=False)

    assert [line.what for line in report.lines] == [
        f"Rasa's turn with an action, {many} at once" for many in dialogue.QUICK.at_once
    ]


async def test_as_many_are_done_as_were_asked_for_and_no_more_at_once() -> None:
    """And the shares are of those."""
    at_once, most = 0, 0

    async def do() -> None:
        nonlocal at_once, most
        at_once, most = at_once + 1, max(most, at_once + 1)
        await asyncio.sleep(0)
        at_once -= 1

    took = await timed(do, at_once=3, times=20)

    assert (len(took.ms), most) == (20, 3)


def test_shares_and_medians_are_of_what_was_measured() -> None:
    """The median repeat is by its rate; p99 of a hundred is the last but one."""
    took = Took([float(ms) for ms in range(1, 101)], seconds=10)
    slow, fast = Took([1.0], 10), Took([1.0], 0.01)

    assert (took.per_second, took.share(0.5), took.share(0.99)) == (10, 51, 100)
    assert median_of([fast, took, slow]) is took
