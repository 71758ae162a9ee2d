"""One worker. Any number of them may run; the due table keeps them out of each other's way."""

from __future__ import annotations

import asyncio
import contextlib
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import structlog

from bot.core.dialogue import DialogueUnavailable
from bot.core.errors import AfterwordError, Conflict
from bot.services import catching_up, chasing, check_ins, conversing, follow_up, outbox, restored, resuming, turns
from bot.services.entities import Task
from bot.services.workshop import Workshop

log = structlog.get_logger(__name__)

Handler = Callable[[Workshop, Task], Awaitable[None]]

HANDLERS: Mapping[str, Handler] = {
    "handle_message": turns.handle_message,
    "send_message": outbox.send_message,
    "resume_dialogue": resuming.resume_dialogue,
    "send_check_in": check_ins.send_check_in,
    "judge_silence": check_ins.judge_unanswered,
    "follow_up": follow_up.follow_up,
    "chase_case": chasing.chase_case,
    "catch_up": catching_up.catch_up,
    conversing.AFTER_RESTORE: restored.after_restore,
}

Chore = Callable[[Workshop], Awaitable[None]]


async def forget_leftovers(shop: Workshop) -> None:
    """Throw away what nobody will ask for any more."""
    async with shop.store() as tx:
        await tx.leftovers.forget(shop.clock())
        await tx.commit()


CHORES: Sequence[Chore] = (forget_leftovers, catching_up.keep_catching_up)
"""What a worker sees to when it begins, and every hour after."""

_DIALOGUE_BACKOFF_CAP = 10.0
_BACKOFF_CAP = 300.0
_MOST_ATTEMPTS = 20
_FEW = 2
"""How many tasks a worker has under way at most while it gives way."""


class Worker:
    """Takes due tasks, at most `at_once` at a time, and works them off until it is stopped.

    While it `gives_way` to others in its process it takes a few at a time: never none, for somebody waits for each.
    """

    def __init__(
        self,
        shop: Workshop,
        *,
        at_once: int = 16,
        idle_seconds: float = 0.2,
        gives_way: Callable[[], bool] = lambda: False,
        handlers: Mapping[str, Handler] = HANDLERS,
        chores: Sequence[Chore] = CHORES,
    ) -> None:
        self.lease = shop.rules.lease
        self._shop = shop
        self._at_once = at_once
        self._idle_seconds = idle_seconds
        self._gives_way = gives_way
        self._handlers = handlers
        self._chores = chores
        self._woken = asyncio.Event()
        self._waiting = True
        """Whether something may be due that nobody has begun."""
        self._running: dict[asyncio.Task[None], Task] = {}
        self._stopping = False
        self._gone = asyncio.Event()
        self._gone.set()

    def wake(self) -> None:
        """Look again now: something became due."""
        self._waiting = True
        self._woken.set()

    def room(self) -> int:
        """How many tasks could be begun now; none while older ones wait, and none by a worker that is leaving."""
        return 0 if self._waiting or self._stopping else max(0, self._hands() - len(self._running))

    def _hands(self) -> int:
        return min(_FEW, self._at_once) if self._gives_way() else self._at_once

    @property
    def working(self) -> bool:
        """Whether it takes tasks: it runs, and nobody told it to stop."""
        return not (self._gone.is_set() or self._stopping)

    def take(self, tasks: Sequence[Task], *, more: bool = False) -> None:
        """Begin tasks that are claimed already; `more` are due that are not."""
        for task in tasks:
            running = asyncio.create_task(self._work(task), name=f"{task.kind}:{task.id}")
            self._running[running] = task
            running.add_done_callback(self._done)
        if more:
            self.wake()

    async def run(self) -> None:
        """Work until told to `stop`. Cancelled, it ends at once, and what is under way is left to its lease."""
        tidying = asyncio.create_task(self._keep_house())
        self._gone.clear()
        try:
            while not self._stopping:
                self._woken.clear()
                if not await self._take_some():
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._woken.wait(), self._idle_seconds)
        except asyncio.CancelledError:
            await _end(*self._running)
            raise
        finally:
            self._gone.set()
            await _end(tidying)

    async def stop(self, within: float) -> None:
        """Take nothing new, finish what is under way within so many seconds, and give back what is not finished.

        What is given back is due at once: another worker need not wait for the lease to end.
        """
        self._stopping = True
        self._woken.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                while self._running:
                    await asyncio.wait(self._running)
        cut_off = dict(self._running)
        await _end(*cut_off)
        for task in cut_off.values():
            await self._give_back(task, begun=True)
        if cut_off:
            log.warning("stopped before it was done", given_back=len(cut_off))

    async def _give_back(self, task: Task, *, begun: bool) -> None:
        now = self._shop.clock()
        try:
            async with self._shop.store() as tx:
                if begun:
                    # As a failed attempt, not as one that never was: a message cut off while it was sent may have left.
                    await tx.tasks.retry(task, at=now, error="its worker was stopped")
                else:
                    await tx.tasks.postpone(task, at=now)
                await tx.commit()
        except Conflict:
            return  # it had been finished after all
        except Exception as error:
            log.warning("giving back failed", task=task.id, reason=type(error).__name__)

    async def _keep_house(self) -> None:
        while True:
            for chore in self._chores:
                try:
                    await chore(self._shop)
                except Exception as error:
                    log.warning("a chore failed", chore=chore.__name__, error=type(error).__name__)
            await asyncio.sleep(3600)

    async def drain(self) -> int:
        """Work off everything due now, one after the other, and say how many tasks that were (for tests)."""
        done = 0
        while tasks := await self._claim(1):
            for task in tasks:
                await self._work(task)
                done += 1
        return done

    async def _take_some(self) -> bool:
        free = self._hands() - len(self._running)
        if free <= 0:
            await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
            return True
        try:
            tasks = await self._claim(free)
        except Exception as error:
            # The database is away or busy: what is due stays due, and we come back.
            log.warning("claiming failed", reason=type(error).__name__, where=_where(error))
            await asyncio.sleep(1)
            return False
        if self._stopping:
            # Told to stop while we asked: nobody has begun these.
            for task in tasks:
                await self._give_back(task, begun=False)
            return False
        self.take(tasks)
        return bool(tasks)

    def _done(self, running: asyncio.Task[None]) -> None:
        del self._running[running]
        if self._waiting:
            # There is room now, and the next task of the same lock may have become free.
            self._woken.set()

    async def _claim(self, limit: int) -> list[Task]:
        try:
            # An idle worker only reads: the writers' turn is for those who have something to write.
            async with self._shop.store(read_only=True) as tx:
                self._waiting = False  # before the question: whoever wakes us meanwhile is not forgotten
                some = await tx.tasks.any_due(self._shop.clock())
                self._waiting = self._waiting or some
            if not self._waiting:
                return []
            async with self._shop.store() as tx:
                tasks = await tx.tasks.claim(self._shop.clock(), lease=self.lease, limit=limit)
                await tx.commit()
                return tasks
        except Conflict:
            # Another worker took a task of the same lock in the same instant.
            return []

    async def _work(self, task: Task) -> None:
        handler = self._handlers.get(task.kind)
        try:
            if handler is None:
                raise AfterwordError(f"nobody knows how to do {task.kind!r}; is this worker older than its edge?")
            await handler(self._shop, task)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            await self._put_back(task, error)

    async def _put_back(self, task: Task, error: Exception) -> None:
        unavailable = isinstance(error, DialogueUnavailable)
        cap = _DIALOGUE_BACKOFF_CAP if unavailable else _BACKOFF_CAP
        again = self._shop.clock() + timedelta(seconds=min(cap, 0.5 * 2 ** min(task.attempts, 20)))
        # Never the error's own text of a driver: it may quote a customer's words.
        reason = str(error) if isinstance(error, AfterwordError) else type(error).__name__
        where = _where(error)
        log.warning("task failed", kind=task.kind, task=task.id, attempts=task.attempts, reason=reason, where=where)
        with contextlib.suppress(Conflict):
            async with self._shop.store() as tx:
                if task.attempts >= _MOST_ATTEMPTS and not unavailable:
                    await tx.tasks.give_up(task, error=reason)
                else:
                    await tx.tasks.retry(task, at=again, error=reason)
                await tx.commit()


async def _end(*running: asyncio.Task[None]) -> None:
    """Cancel these and wait until they are gone."""
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


def _where(error: Exception) -> str:
    """The innermost places an error came through; a whole traceback may show values, and so a customer's words."""
    frames = reversed(traceback.extract_tb(error.__traceback__)[-4:])
    return " < ".join(f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames)
