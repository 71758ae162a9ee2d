"""The worker: each piece of work once, in its order, whatever fails and however many workers there are."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from bot.core.dialogue import DialogueUnavailable
from bot.core.errors import Conflict, Refused
from bot.services.entities import AuditEntry, Task
from bot.services.workshop import Workshop
from bot.store.unit_of_work import SqlStore
from bot.work.loop import Worker
from tests.conftest import Clock

Handle = Callable[[Workshop, Task], Any]


async def plan(shop: Workshop, *tasks: dict[str, Any]) -> None:
    """Tasks that are due now, in this order."""
    async with shop.store() as tx:
        for task in tasks:
            tx.add(Task(**{"kind": "note", "due_at": shop.clock(), "created_at": shop.clock(), **task}))
            await tx.flush()
        await tx.commit()


async def note(shop: Workshop, task: Task) -> None:
    """Write down that this was done, in the transaction that finishes it."""
    async with shop.store() as tx:
        tx.add(AuditEntry(at=shop.clock(), who="worker", action="done", subject=str(task.payload["n"])))
        await tx.tasks.finish(task)
        await tx.commit()


async def done(shop: Workshop) -> list[int]:
    """What was done, in order."""
    async with shop.store(read_only=True) as tx:
        return [int(entry.subject) for entry in await tx.all(AuditEntry, order_by="id")]


async def tasks(shop: Workshop) -> list[Task]:
    """Every task, in the order they were made."""
    async with shop.store(read_only=True) as tx:
        return await tx.all(Task, order_by="id")


def worker(shop: Workshop, handle: Handle = note, **rest: Any) -> Worker:
    """A worker who knows one kind of work."""
    return Worker(shop, handlers={"note": handle}, chores=(), idle_seconds=0.01, **rest)


def failing(*numbers: int, times: int = 1, error: Exception | None = None) -> Handle:
    """Work that fails so many times for these numbers, and is noted otherwise."""
    left = dict.fromkeys(numbers, times)

    async def handle(shop: Workshop, task: Task) -> None:
        number = task.payload["n"]
        if left.get(number, 0) > 0:
            left[number] -= 1
            raise error or RuntimeError("a customer's words")
        await note(shop, task)

    return handle


async def test_a_failing_task_holds_back_its_lock_and_nobody_else(shop: Workshop, clock: Clock) -> None:
    """Order is kept where it matters, and only there."""
    await plan(shop, *({"payload": {"n": n}, "lock": lock} for n, lock in enumerate(["a", "a", "b", "a", None])))
    one = worker(shop, failing(0))

    await one.drain()
    assert await done(shop) == [2, 4]
    clock.forward(seconds=1)
    await one.drain()

    assert await done(shop) == [2, 4, 0, 1, 3]


async def test_each_pause_is_longer_than_the_last_up_to_five_minutes(shop: Workshop, clock: Clock) -> None:
    """One second, two, four … and never more than 300."""
    await plan(shop, {"payload": {"n": 0}})
    one = worker(shop, failing(0, times=12))

    pauses = []
    for _ in range(12):
        await one.drain()
        [task] = await tasks(shop)
        pauses.append((task.due_at - clock.now).total_seconds())
        clock.now = task.due_at

    assert pauses == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]


async def test_an_absent_dialogue_is_asked_again_within_ten_seconds_and_never_given_up(
    shop: Workshop, clock: Clock
) -> None:
    """Customers wait for it; a restart of Rasa is not their concern."""
    await plan(shop, {"payload": {"n": 0}})
    one = worker(shop, failing(0, times=40, error=DialogueUnavailable("away")))

    for _ in range(40):
        await one.drain()
        [task] = await tasks(shop)
        assert task.state == "todo"
        assert (task.due_at - clock.now).total_seconds() <= 10
        clock.now = task.due_at
    await one.drain()

    assert await done(shop) == [0]


async def test_after_twenty_attempts_it_is_kept_for_a_person_and_the_next_goes_on(shop: Workshop, clock: Clock) -> None:
    """A poisoned message does not stop its conversation for ever."""
    await plan(shop, {"payload": {"n": 0}, "lock": "a"}, {"payload": {"n": 1}, "lock": "a"})
    one = worker(shop, failing(0, times=99))

    for _ in range(20):
        await one.drain()
        clock.forward(minutes=5)
    await one.drain()

    first, second = await tasks(shop)
    assert (first.state, first.attempts, second.state) == ("failed", 20, "done")
    assert await done(shop) == [1]


async def test_the_reason_is_kept_only_when_it_is_our_own(shop: Workshop) -> None:
    """A driver's error may quote a customer; ours never do."""
    await plan(shop, {"payload": {"n": 0}}, {"payload": {"n": 1}})

    await worker(shop, failing(0)).drain()
    await worker(shop, failing(1, error=Refused("there is no site"))).drain()

    assert [task.last_error for task in await tasks(shop)] == ["RuntimeError", ""]


async def test_neither_words_nor_values_reach_the_log(shop: Workshop, capsys: pytest.CaptureFixture[str]) -> None:
    """Where it failed and how, and nothing of what was said: neither the error's text nor what the frames held."""
    await plan(shop, {"payload": {"n": 0, "text": "the soup was cold"}})

    await worker(shop, failing(0)).drain()

    logged = "".join(capsys.readouterr())
    assert "RuntimeError" in logged
    assert "test_loop.py" in logged
    assert "customer's words" not in logged
    assert "soup" not in logged


async def test_work_nobody_knows_waits_for_a_worker_who_does(shop: Workshop, clock: Clock) -> None:
    """During an upgrade the edge may be newer than a worker."""
    await plan(shop, {"kind": "from_the_future", "payload": {"n": 0}})
    await worker(shop).drain()
    [task] = await tasks(shop)
    assert task.state == "todo"
    assert "nobody knows how to do 'from_the_future'" in task.last_error

    clock.forward(seconds=1)
    await Worker(shop, handlers={"from_the_future": note}).drain()

    assert await done(shop) == [0]


async def test_a_task_whose_worker_died_is_taken_up_after_its_lease(shop: Workshop, clock: Clock) -> None:
    """And not before."""
    await plan(shop, {"payload": {"n": 0}})
    assert len(await worker(shop)._claim(1)) == 1

    clock.forward(seconds=59)
    await worker(shop).drain()
    assert await done(shop) == []
    clock.forward(seconds=1)
    await worker(shop).drain()

    assert await done(shop) == [0]


async def test_a_worker_who_outlived_their_lease_changes_nothing_twice(shop: Workshop, clock: Clock) -> None:
    """The late one's whole transaction is refused, what it noted included."""
    await plan(shop, {"payload": {"n": 0}})

    async def slow(shop: Workshop, task: Task) -> None:
        clock.forward(seconds=shop.rules.lease.total_seconds())
        await worker(shop).drain()
        try:
            await note(shop, task)
        except Conflict:
            refused.append(task)
            raise

    refused: list[Task] = []
    await worker(shop, slow).drain()

    [task] = await tasks(shop)
    assert (len(refused), task.state, await done(shop)) == (1, "done", [0])


async def test_two_workers_do_everything_once_and_in_order(shop: Workshop) -> None:
    """200 tasks under 20 locks, two workers of eight hands each, on either database."""
    left, finished_all = set(range(200)), asyncio.Event()

    async def count(shop: Workshop, task: Task) -> None:
        await note(shop, task)
        left.discard(task.payload["n"])
        if not left:
            finished_all.set()

    await plan(shop, *({"payload": {"n": n}, "lock": f"lock {n % 20}"} for n in range(200)))
    running = [asyncio.create_task(worker(shop, count, at_once=8).run()) for _ in range(2)]

    async with asyncio.timeout(120):
        await finished_all.wait()
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)

    finished = await done(shop)
    assert sorted(finished) == list(range(200))
    for lock in range(20):
        of_this_lock = [n for n in finished if n % 20 == lock]
        assert of_this_lock == sorted(of_this_lock), f"lock {lock}"


async def test_a_woken_worker_looks_at_once(shop: Workshop) -> None:
    """It idles for an hour, unless somebody says that there is work."""
    finished = asyncio.Event()

    async def tell(shop: Workshop, task: Task) -> None:
        await note(shop, task)
        finished.set()

    one = Worker(shop, handlers={"note": tell}, chores=(), idle_seconds=3600)
    running = asyncio.create_task(one.run())
    await asyncio.sleep(0.05)
    await plan(shop, {"payload": {"n": 0}})
    one.wake()

    async with asyncio.timeout(30):
        await finished.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert await done(shop) == [0]


async def test_a_stopped_worker_leaves_what_it_held_to_its_lease(shop: Workshop, clock: Clock) -> None:
    """Nothing half done is marked as done or failed."""
    started = asyncio.Event()

    async def endless(shop: Workshop, task: Task) -> None:
        started.set()
        await asyncio.Event().wait()

    await plan(shop, {"payload": {"n": 0}})
    running = asyncio.create_task(worker(shop, endless).run())
    async with asyncio.timeout(30):
        await started.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    [task] = await tasks(shop)
    assert (task.state, task.due_at) == ("doing", clock.now + timedelta(seconds=60))


async def test_work_that_makes_work_is_done_once_and_in_order(shop: Workshop) -> None:
    """A hosted worker is handed what its own tasks make; the order within a lock holds all the same."""
    finished = asyncio.Event()

    async def chain(shop: Workshop, task: Task) -> None:
        n = task.payload["n"]
        async with shop.store() as tx:
            tx.add(AuditEntry(at=shop.clock(), who="worker", action="done", subject=str(n)))
            await tx.tasks.finish(task)
            if n < 90:
                now, lock = shop.clock(), f"lock {n % 3}"
                tx.add(Task(kind="note", payload={"n": n + 3}, lock=lock, due_at=now, created_at=now))
            await tx.commit()
        left.discard(n)
        if not left:
            finished.set()

    left = set(range(1, 93))
    one = Worker(shop, handlers={"note": chain}, chores=(), idle_seconds=0.01, at_once=2)
    assert isinstance(shop.store, SqlStore)
    shop.store.worker = one
    running = asyncio.create_task(one.run())
    await plan(shop, *({"payload": {"n": n}, "lock": f"lock {n % 3}"} for n in (1, 2, 3)))

    async with asyncio.timeout(60):
        await finished.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    numbers = await done(shop)
    assert sorted(numbers) == list(range(1, 93))
    assert all(of_lock == sorted(of_lock) for of_lock in ([n for n in numbers if n % 3 == k] for k in range(3)))


async def test_a_worker_that_is_told_to_stop_finishes_what_it_began(shop: Workshop) -> None:
    """And leaves what is due to others, also what its own work makes due."""
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def handle(shop: Workshop, task: Task) -> None:
        begun.set()
        await go_on.wait()
        async with shop.store() as tx:
            tx.add(Task(kind="note", payload={"n": 2}, due_at=shop.clock(), created_at=shop.clock()))
            await tx.commit()
        await note(shop, task)

    await plan(shop, {"payload": {"n": 0}, "lock": "a"}, {"payload": {"n": 1}, "lock": "a"})
    one = worker(shop, handle)
    assert isinstance(shop.store, SqlStore)
    shop.store.worker = one
    running = asyncio.create_task(one.run())
    await begun.wait()
    assert one.working

    stopping = asyncio.create_task(one.stop(within=60))
    await asyncio.sleep(0)
    assert not one.working
    go_on.set()
    await asyncio.gather(stopping, running)

    assert await done(shop) == [0]
    assert [(task.state, task.attempts) for task in await tasks(shop)] == [("done", 1), ("todo", 0), ("todo", 0)]


async def test_what_cannot_be_finished_in_time_is_given_back_at_once(shop: Workshop, clock: Clock) -> None:
    """Another worker need not wait for the lease; that the work was begun is remembered."""
    begun = asyncio.Event()

    async def hang(shop: Workshop, task: Task) -> None:
        begun.set()
        await asyncio.Event().wait()

    await plan(shop, {"payload": {"n": 0}})
    one = worker(shop, hang)
    running = asyncio.create_task(one.run())
    await begun.wait()

    await one.stop(within=0)
    await running

    [task] = await tasks(shop)
    assert (task.state, task.attempts, task.due_at) == ("todo", 1, clock.now)
    await worker(shop).drain()
    assert await done(shop) == [0]


async def test_a_worker_that_gives_way_does_a_few_at_a_time_until_it_need_not(shop: Workshop) -> None:
    """Somebody waits for each, so it never takes none."""
    crowd, under_way, few, many = [True], [0], asyncio.Event(), asyncio.Event()

    async def wait(shop: Workshop, task: Task) -> None:
        under_way[0] += 1
        few.set()
        if under_way[0] == 6:
            many.set()
        await many.wait()
        await note(shop, task)

    await plan(shop, *({"payload": {"n": n}} for n in range(6)))
    one = worker(shop, wait, gives_way=lambda: crowd[0])
    running = asyncio.create_task(one.run())

    async with asyncio.timeout(60):
        await few.wait()
        taken = [task.state for task in await tasks(shop)].count("doing")
        crowd[0] = False
        one.take(await one._claim(4))
        await many.wait()
    await one.stop(30)
    await running

    assert taken == 2
    assert sorted(await done(shop)) == list(range(6))
