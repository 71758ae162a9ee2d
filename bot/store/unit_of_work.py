"""One transaction over SQLite or PostgreSQL. Rollback is the default; commit is said aloud."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol, TypeVar

from sqlalchemy import event, insert, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm.exc import StaleDataError
from sqlalchemy.orm.util import identity_key

from bot.core.errors import Conflict, NotFound
from bot.core.sealing import Sealer
from bot.services.entities import Task
from bot.store import sqlite
from bot.store.due_table import TaskRepository
from bot.store.lookups import by_attributes, by_key, shape_of, values_of
from bot.store.people import PeopleRepository
from bot.store.repositories import (
    CaseRepository,
    ChangeRepository,
    ConversationRepository,
    LedgerRepository,
    LeftoverRepository,
    SenderRepository,
)
from bot.store.seals import SealRepository
from bot.store.tables import changes, map_entities

T = TypeVar("T")

NO_KEY = Sealer()
_CONNECT_SECONDS = 10
# Parameters stay out of error messages: they are customers' words and numbers.
_ON_SQLITE: dict[str, Any] = {"pool_size": 10, "max_overflow": 20, "hide_parameters": True}


def create_engine(url: str, *, connections: int = 10, statement_seconds: float = 30) -> AsyncEngine:
    """An engine for `sqlite+aiosqlite:///…` (see `bot.store.sqlite`) or `postgresql+asyncpg://…`.

    PostgreSQL: at most so many `connections`, each tried before it is used again, so that a server that was restarted
    is met with new ones; a statement that takes longer than `statement_seconds` (0: any time) is given up.
    """
    map_entities()
    if url.startswith("sqlite"):
        engine = create_async_engine(
            url, module=sqlite.Driver(), connect_args={"timeout": sqlite.BUSY_SECONDS}, **_ON_SQLITE
        )
        event.listen(engine.sync_engine, "connect", sqlite.prepare)
        event.listen(engine.sync_engine, "begin", sqlite.begin)
        return engine
    return create_async_engine(
        url,
        pool_pre_ping=True,
        pool_size=connections,
        max_overflow=0,
        hide_parameters=True,
        connect_args={
            "timeout": _CONNECT_SECONDS,
            "server_settings": {
                "application_name": "afterword",
                "statement_timeout": str(round(statement_seconds * 1000)),
            },
        },
    )


def async_url(url: str) -> str:
    """`DATABASE_URL` as people write it, with the driver this project uses."""
    for plain in ("postgres://", "postgresql://"):
        if url.startswith(plain):
            return "postgresql+asyncpg://" + url.removeprefix(plain)
    if url.startswith("sqlite://"):
        return "sqlite+aiosqlite://" + url.removeprefix("sqlite://")
    return url


_WITHOUT_THE_DISK = text("SET LOCAL synchronous_commit TO off")


class _Turn:
    """A writer's turn in the queue of its process; it ends with the commit, or when the unit of work is left."""

    def __init__(self, queue: asyncio.Lock | None) -> None:
        self._queue = queue

    async def __aenter__(self) -> None:
        if self._queue is not None:
            await self._queue.acquire()

    async def __aexit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """Let the next one write; ending twice changes nothing."""
        queue, self._queue = self._queue, None
        if queue is not None:
            queue.release()


class LocalWorker(Protocol):
    """A worker in the same process, as a unit of work that makes tasks sees it."""

    @property
    def lease(self) -> timedelta:
        """How long a task is its own."""
        ...

    def room(self) -> int:
        """How many tasks it could begin now without passing over older ones."""
        ...

    def take(self, tasks: Sequence[Task], *, more: bool) -> None:
        """Begin these, which are claimed; `more` are due that are not."""
        ...


class SqlStore:
    """Opens units of work on one engine."""

    def __init__(self, engine: AsyncEngine, sealer: Sealer = NO_KEY) -> None:
        self.engine = engine
        self._sealer = sealer
        self.worker: LocalWorker | None = None
        """The worker of this process, if it hosts one: what is due at once goes straight to it."""
        # SQLite has one writer at a time and makes the others sleep and try again: within a process they queue instead.
        on_sqlite = engine.dialect.name == "sqlite"
        self._writers = asyncio.Lock() if on_sqlite else None
        self._group = sqlite.GroupSync(Path(engine.url.database)) if on_sqlite and engine.url.database else None
        # A page is read from one moment: SQLite's readers see a snapshot by themselves, PostgreSQL's when asked.
        snapshot = {} if on_sqlite else {"isolation_level": "REPEATABLE READ"}
        self._reading = engine.execution_options(afterword="read", **snapshot)
        self._writing = engine.execution_options(afterword="write")

    @asynccontextmanager
    async def __call__(self, *, read_only: bool = False) -> AsyncIterator[SqlUnitOfWork]:
        """A new transaction, rolled back unless it is committed before it is left."""
        engine = self._reading if read_only else self._writing
        turn = _Turn(None if read_only else self._writers)
        async with turn, AsyncSession(engine, expire_on_commit=False, autoflush=True) as session:
            try:
                yield SqlUnitOfWork(session, self._sealer, worker=self.worker, turn=turn, group=self._group)
            except (StaleDataError, IntegrityError) as error:
                raise Conflict("someone else changed this first; look again") from error


class SqlUnitOfWork:
    """See `bot.services.ports.UnitOfWork`."""

    def __init__(
        self,
        session: AsyncSession,
        sealer: Sealer = NO_KEY,
        *,
        worker: LocalWorker | None = None,
        turn: _Turn | None = None,
        group: sqlite.GroupSync | None = None,
    ) -> None:
        self.session = session
        self._turn = turn or _Turn(None)
        self._group = group
        self._worker = worker
        self._tasks: list[Task] = []
        self._begun: list[Task] = []
        self._left: list[Task] = []
        self._topics: dict[str, None] = {}
        self.conversations = ConversationRepository(session)
        self.tasks = TaskRepository(session)
        self.cases = CaseRepository(session)
        self.changes = ChangeRepository(session)
        self.ledger = LedgerRepository(session)
        self.leftovers = LeftoverRepository(session)
        self.senders = SenderRepository(session)
        self.people = PeopleRepository(session)
        self.seals = SealRepository(session, sealer)

    async def find(self, kind: type[T], id: str) -> T | None:
        """The entity with this primary key, or None."""
        known: T | None = self.session.sync_session.identity_map.get(identity_key(kind, id))
        if known is not None:
            return known
        return (await self.session.scalars(by_key(kind), {"key": id})).first()

    async def get(self, kind: type[T], id: str) -> T:
        """The entity with this primary key. Raises NotFound."""
        entity = await self.find(kind, id)
        if entity is None:
            raise NotFound(f"there is no {kind.__name__.lower()} {id!r}")
        return entity

    async def one(self, kind: type[T], /, **equal: Any) -> T | None:
        """The only or first entity whose attributes equal these."""
        found = await self.all(kind, limit=1, **equal)
        return found[0] if found else None

    async def all(
        self,
        kind: type[T],
        /,
        *,
        order_by: str | None = None,
        descending: bool = False,
        limit: int | None = None,
        **equal: Any,
    ) -> list[T]:
        """Every entity whose attributes equal these; a tuple, list or set of values means any of them."""
        query = by_attributes(kind, shape_of(equal), order_by, descending, limit)
        return list((await self.session.scalars(query, values_of(equal))).all())

    def add(self, *entities: Any) -> None:
        """Remember new entities at the commit; the worker of this process then begins new tasks that are due."""
        self._tasks += [entity for entity in entities if isinstance(entity, Task)]
        self.session.add_all(entities)

    async def begin(self, task: Task) -> bool:
        """Remember a new task; whether the worker of this process begins it as soon as this is committed."""
        self.session.add(task)
        return await self._begin(task)

    async def delete(self, entity: Any) -> None:
        """Forget an entity at the commit."""
        await self.session.delete(entity)

    def changed(self, *topics: str) -> None:
        """Tell open pages, after the commit, that something under each topic changed."""
        self._topics |= dict.fromkeys(topics)

    async def flush(self) -> None:
        """Send what is pending to the database. Raises Conflict when a constraint or a version stands in the way."""
        try:
            await self.session.flush()
        except (StaleDataError, IntegrityError) as error:
            raise Conflict("someone else changed this first; look again") from error

    async def commit(self, *, durable: bool = True) -> None:
        """Make it so. Raises Conflict when someone else changed the same thing first.

        What need not survive a power cut is committed without waiting for the disk: `durable=False`.
        """
        try:
            if not durable and self._group is None:
                await self.session.execute(_WITHOUT_THE_DISK)
            for task in self._tasks:
                await self._begin(task)
            if self._topics:
                now = datetime.now(UTC)
                hints = [{"topic": topic, "at": now} for topic in self._topics]
                await self.session.execute(insert(changes), hints)
            await self.session.commit()
        except (StaleDataError, IntegrityError) as error:
            raise Conflict("someone else changed this first; look again") from error
        self._turn.end()
        if self._worker is not None and (self._begun or self._left):
            # Whoever works on them commits after us, and so makes our commit durable with its own.
            self._worker.take(self._begun, more=bool(self._left))
        self._tasks, self._begun, self._left, self._topics = [], [], [], {}
        if durable and self._group is not None:
            await self._group.reached()

    async def _begin(self, task: Task) -> bool:
        """Claim a new task for the worker of this process, if that has room and the task's turn has come."""
        locks = {known.lock for known in (*self._begun, *self._left)}
        begins = (
            self._worker is not None
            and task.due_at <= task.created_at
            and len(self._begun) < self._worker.room()
            and (task.lock is None or task.lock not in locks)
            and (task.lock is None or not await self.tasks.is_locked(task.lock, besides=task.id))
        )
        if begins and self._worker is not None:
            task.state, task.attempts, task.due_at = "doing", 1, task.due_at + self._worker.lease
        (self._begun if begins else self._left).append(task)
        return begins
