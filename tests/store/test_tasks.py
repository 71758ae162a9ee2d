"""The due table: who gets what when, and that nobody settles what is not theirs any more."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Select

from benchmarks.plans import plan_of
from bot.core.errors import Conflict
from bot.services.entities import Task
from bot.store.due_table import ANY_DUE, DUE
from bot.store.unit_of_work import SqlStore
from tests.conftest import NOON

MINUTE = timedelta(minutes=1)


async def plan(store: SqlStore, *tasks: dict[str, Any]) -> None:
    """Tasks due at noon, in this order; `n` tells them apart."""
    async with store() as tx:
        for number, task in enumerate(tasks):
            tx.add(Task(**{"kind": "k", "payload": {"n": number}, "due_at": NOON, "created_at": NOON, **task}))
            await tx.flush()
        await tx.commit()


async def claim(store: SqlStore, *, at: timedelta = timedelta(0), limit: int = 10) -> list[Task]:
    """Claim what is due some time after noon, for a minute."""
    async with store() as tx:
        claimed = await tx.tasks.claim(NOON + at, lease=MINUTE, limit=limit)
        await tx.commit()
        return claimed


def numbers(tasks: list[Task]) -> list[int]:
    """Which tasks these are."""
    return [task.payload["n"] for task in tasks]


async def settle(store: SqlStore, how: str, task: Task, **rest: Any) -> None:
    """Finish, retry, postpone or give up, in a transaction of its own."""
    async with store() as tx:
        await getattr(tx.tasks, how)(task, **rest)
        await tx.commit()


async def test_of_each_lock_only_the_earliest_is_taken(store: SqlStore) -> None:
    """Tasks without a lock wait for nobody."""
    await plan(store, {"lock": "a"}, {"lock": "a"}, {"lock": "b"}, {}, {})

    assert numbers(await claim(store)) == [0, 2, 3, 4]
    assert numbers(await claim(store)) == []


async def test_what_is_taken_is_hidden_until_its_lease_ends(store: SqlStore) -> None:
    """Moving `due_at` to the end of the lease is the lease."""
    await plan(store, {"lock": "a"}, {"lock": "a"})
    [task] = await claim(store)
    assert (task.state, task.attempts, task.due_at) == ("doing", 1, NOON + MINUTE)

    assert await claim(store, at=MINUTE * 0.99) == []
    [again] = await claim(store, at=MINUTE)
    assert (numbers([again]), again.attempts) == ([0], 2)


async def test_the_next_of_a_lock_comes_when_the_first_is_finished(store: SqlStore) -> None:
    """And a later one that is due sooner does not overtake it."""
    await plan(store, {"lock": "a", "due_at": NOON + MINUTE}, {"lock": "a"})
    assert await claim(store) == []

    [first] = await claim(store, at=MINUTE)
    await settle(store, "finish", first)

    assert numbers(await claim(store, at=MINUTE)) == [1]


async def test_the_longest_due_comes_first_and_only_so_many(store: SqlStore) -> None:
    """By due time, then in the order they were made."""
    await plan(store, {"due_at": NOON - MINUTE}, {"due_at": NOON - 2 * MINUTE}, {"due_at": NOON - MINUTE}, {})

    assert numbers(await claim(store, limit=3)) == [1, 0, 2]


async def test_what_is_not_due_is_not_counted_and_not_taken(store: SqlStore) -> None:
    """Later is later."""
    await plan(store, {}, {"due_at": NOON + MINUTE})

    async with store(read_only=True) as tx:
        assert await tx.tasks.due(NOON) == 1
        assert await tx.tasks.due(NOON + MINUTE) == 2
    assert numbers(await claim(store)) == [0]


@pytest.mark.parametrize(
    ("how", "rest"),
    [
        ("finish", {}),
        ("retry", {"at": NOON, "error": "late"}),
        ("give_up", {"error": "late"}),
        ("postpone", {"at": NOON}),
    ],
)
async def test_a_late_worker_settles_nothing(store: SqlStore, how: str, rest: dict[str, Any]) -> None:
    """Its lease ended and another has taken the task up: every way to settle it raises Conflict."""
    await plan(store, {})
    [late] = await claim(store)
    [current] = await claim(store, at=MINUTE)

    with pytest.raises(Conflict, match="lease"):
        await settle(store, how, late, **rest)

    await settle(store, "finish", current)
    async with store(read_only=True) as tx:
        assert [task.state for task in await tx.all(Task)] == ["done"]


async def test_a_retry_counts_and_a_postponement_does_not(store: SqlStore) -> None:
    """Waiting for the morning is no failure."""
    await plan(store, {})
    [task] = await claim(store)
    await settle(store, "postpone", task, at=NOON)
    [task] = await claim(store)
    assert task.attempts == 1

    await settle(store, "retry", task, at=NOON, error="x" * 900)
    [task] = await claim(store)

    assert (task.attempts, task.last_error) == (2, "x" * 500)


async def test_given_up_means_out_of_the_way(store: SqlStore) -> None:
    """It is kept, and the next of its lock goes on."""
    await plan(store, {"lock": "a"}, {"lock": "a"})
    [task] = await claim(store)
    await settle(store, "give_up", task, error="poison")

    assert numbers(await claim(store, at=MINUTE)) == [1]


async def test_only_what_has_not_begun_is_taken_back(store: SqlStore) -> None:
    """And its key is free for another."""
    await plan(store, {"key": "k1"}, {"key": "k2"})
    await claim(store, limit=1)

    async with store() as tx:
        assert not await tx.tasks.cancel("k1")
        assert await tx.tasks.cancel("k2")
        assert not await tx.tasks.cancel("k2")
        assert not await tx.tasks.cancel("k404")
        await tx.commit()
    await plan(store, {"key": "k2"})

    assert numbers(await claim(store)) == [0]


async def test_a_key_is_planned_once(store: SqlStore) -> None:
    """The same piece of work twice is a conflict."""
    await plan(store, {"key": "k1"})

    with pytest.raises(Conflict):
        await plan(store, {"key": "k1"})


@pytest.mark.parametrize("query", [DUE, ANY_DUE], ids=["what is due", "whether any is"])
async def test_among_a_million_pending_what_is_due_is_found_by_its_index(store: SqlStore, query: Select[Any]) -> None:
    """No database reads a task that is not due, whatever parameters it is asked with."""
    plan = await plan_of(store.engine, query, scans=False)

    assert "ix_tasks_due" in plan
    assert "SCAN tasks" not in plan
    assert "Seq Scan on tasks " not in plan
