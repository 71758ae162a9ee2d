"""The due table: claiming, settling and looking at tasks."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Exists, FromClause, Integer, bindparam, func, literal_column, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.core.errors import Conflict
from bot.services.entities import Json, Task
from bot.store import tables as t
from bot.store.repositories import changed_rows

_UNFINISHED = ("todo", "doing")


def _is_unfinished(tasks: FromClause) -> ColumnElement[bool]:
    # Written out, not handed over as parameters: only so do both databases see that the partial indexes serve.
    return tasks.c.state.in_([literal_column(f"'{state}'") for state in _UNFINISHED])


def _an_earlier_of_its_lock() -> Exists:
    earlier = t.tasks.alias("earlier")
    same = (t.tasks.c.lock.is_not(None), earlier.c.lock == t.tasks.c.lock, earlier.c.id < t.tasks.c.id)
    return select(earlier.c.id).where(*same, _is_unfinished(earlier)).exists()


_IS_DUE = (_is_unfinished(t.tasks), t.tasks.c.due_at <= bindparam("now"))
DUE = (
    select(t.tasks)
    .where(*_IS_DUE, ~_an_earlier_of_its_lock())
    .order_by(t.tasks.c.due_at, t.tasks.c.id)
    .limit(bindparam("limit", type_=Integer))
    .with_for_update(skip_locked=True, of=t.tasks)
)
"""What may be claimed: what is due, and each the earliest unfinished of its lock."""

ANY_DUE = select(t.tasks.c.id).where(*_IS_DUE).limit(1)
"""Whether something may be due."""

_TAKE = (
    update(t.tasks)
    .where(t.tasks.c.id.in_(bindparam("ids", expanding=True)))
    .values(state="doing", attempts=t.tasks.c.attempts + 1, due_at=bindparam("until"))
)
_HOLDERS = (
    select(t.tasks.c.id)
    .where(t.tasks.c.lock == bindparam("wanted"), t.tasks.c.id != bindparam("besides"), _is_unfinished(t.tasks))
    .limit(1)
)


class TaskRepository:
    """See `bot.services.ports.Tasks`."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def claim(self, now: datetime, *, lease: timedelta, limit: int) -> list[Task]:
        """Take due tasks, each the earliest unfinished of its lock, by moving `due_at` to the end of the lease."""
        due = (await self._session.execute(DUE, {"now": now, "limit": limit})).mappings().all()
        if due:
            await changed_rows(self._session, _TAKE, {"ids": [row["id"] for row in due], "until": now + lease})
        taken = {"state": "doing", "due_at": now + lease}
        return [Task(**{**row, **taken, "attempts": row["attempts"] + 1}) for row in due]

    async def finish(self, task: Task) -> None:
        """The work is done. Raises Conflict when the lease was lost meanwhile."""
        await self._settle(task, state="done")

    async def retry(self, task: Task, *, at: datetime, error: str) -> None:
        """Put it back, due at `at`."""
        await self._settle(task, state="todo", due_at=at, last_error=error[:500])

    async def give_up(self, task: Task, *, error: str) -> None:
        """It will never succeed; keep it for a person to look at."""
        await self._settle(task, state="failed", last_error=error[:500])

    async def postpone(self, task: Task, *, at: datetime, **noted: Any) -> None:
        """Not now: due again at `at`, without counting an attempt; what is `noted` joins its payload."""
        payload = {**task.payload, **noted}
        await self._settle(task, state="todo", due_at=at, attempts=task.attempts - 1, payload=payload)

    async def repeat(self, task: Task, *, at: datetime, payload: Json) -> None:
        """The work is done and begins anew at `at`."""
        await self._settle(task, state="todo", due_at=at, payload=payload, attempts=0)

    async def _settle(self, task: Task, **values: Any) -> None:
        # Fenced on the attempt: a worker that outlived its lease must not settle what another has taken up.
        settled = await changed_rows(
            self._session,
            update(t.tasks)
            .where(t.tasks.c.id == task.id, t.tasks.c.state == "doing", t.tasks.c.attempts == task.attempts)
            .values(**values),
        )
        if not settled:
            raise Conflict(f"the lease on task {task.id} was lost")

    async def cancel(self, key: str) -> bool:
        """Take back a task that has not begun; whether there was one."""
        statement = (
            update(t.tasks).where(t.tasks.c.key == key, t.tasks.c.state == "todo").values(state="gone", key=None)
        )
        return bool(await changed_rows(self._session, statement))

    async def is_locked(self, lock: str, *, besides: int | None) -> bool:
        """Whether an unfinished task holds or waits for a lock, other than the one with this number."""
        found = (await self._session.execute(_HOLDERS, {"wanted": lock, "besides": besides or 0})).first()
        return found is not None

    async def is_settled(self, key: str) -> bool:
        """Whether a task was done or given up. If not, that waits until this transaction has ended."""
        state = select(t.tasks.c.state).where(t.tasks.c.key == key).with_for_update(read=True)
        found = (await self._session.execute(state)).scalar_one_or_none()
        return found is not None and found not in _UNFINISHED

    async def any_due(self, now: datetime) -> bool:
        """Whether it is worth trying to claim."""
        return (await self._session.execute(ANY_DUE, {"now": now})).first() is not None

    async def due(self, now: datetime) -> int:
        """How many tasks are due and not done."""
        query = select(func.count()).select_from(t.tasks).where(*_IS_DUE)
        return int((await self._session.execute(query, {"now": now})).scalar_one())
