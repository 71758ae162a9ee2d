"""One transaction over SQLite or PostgreSQL. Rollback is the default; commit is said aloud."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import event, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import class_mapper
from sqlalchemy.orm.exc import StaleDataError

from bot.core.errors import Conflict, NotFound
from bot.services.entities import Change, Task
from bot.store.repositories import (
    CaseRepository,
    ChangeRepository,
    ConversationRepository,
    LedgerRepository,
    LeftoverRepository,
    TaskRepository,
)
from bot.store.tables import map_entities

T = TypeVar("T")

_BUSY_SECONDS = 30
# Parameters stay out of error messages: they are customers' words and numbers.
_POOL: dict[str, Any] = {"pool_size": 10, "max_overflow": 20, "hide_parameters": True}


def create_engine(url: str) -> AsyncEngine:
    """An engine for `sqlite+aiosqlite:///…` (WAL, foreign keys, full sync) or `postgresql+asyncpg://…`."""
    map_entities()
    if not url.startswith("sqlite"):
        return create_async_engine(url, pool_pre_ping=True, **_POOL)
    engine = create_async_engine(url, connect_args={"timeout": _BUSY_SECONDS}, **_POOL)
    event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def async_url(url: str) -> str:
    """`DATABASE_URL` as people write it, with the driver this project uses."""
    for plain in ("postgres://", "postgresql://"):
        if url.startswith(plain):
            return "postgresql+asyncpg://" + url.removeprefix(plain)
    if url.startswith("sqlite://"):
        return "sqlite+aiosqlite://" + url.removeprefix("sqlite://")
    return url


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # The driver must not open transactions by itself: `_begin_sqlite` says which kind is wanted.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={_BUSY_SECONDS * 1000}"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Any) -> None:
    # A writer takes its lock at once: upgrading a read lock later can only fail when another writer is waiting.
    reading = connection.get_execution_options().get("afterword_read_only", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


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


class SqlStore:
    """Opens units of work on one engine."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self.on_task: Callable[[], None] = _nobody_waits
        # SQLite has one writer at a time and makes the others sleep and try again: within a process they queue instead.
        self._writers = asyncio.Lock() if engine.dialect.name == "sqlite" else None
        # A page is read from one moment: SQLite's readers see a snapshot by themselves, PostgreSQL's when asked.
        snapshot = {} if engine.dialect.name == "sqlite" else {"isolation_level": "REPEATABLE READ"}
        self._reading = engine.execution_options(afterword_read_only=True, **snapshot)

    @asynccontextmanager
    async def __call__(self, *, read_only: bool = False) -> AsyncIterator[SqlUnitOfWork]:
        """A new transaction, rolled back unless it is committed before it is left."""
        engine = self._reading if read_only else self.engine
        turn = _Turn(None if read_only else self._writers)
        async with turn, AsyncSession(engine, expire_on_commit=False, autoflush=True) as session:
            try:
                yield SqlUnitOfWork(session, on_task=self.on_task, turn=turn)
            except (StaleDataError, IntegrityError) as error:
                raise Conflict("someone else changed this first; look again") from error


class SqlUnitOfWork:
    """See `bot.services.ports.UnitOfWork`."""

    def __init__(self, session: AsyncSession, *, on_task: Callable[[], None], turn: _Turn) -> None:
        self.session = session
        self._turn = turn
        self._on_task = on_task
        self._has_task = False
        self.conversations = ConversationRepository(session)
        self.tasks = TaskRepository(session)
        self.cases = CaseRepository(session)
        self.changes = ChangeRepository(session)
        self.ledger = LedgerRepository(session)
        self.leftovers = LeftoverRepository(session)

    async def find(self, kind: type[T], id: str) -> T | None:
        """The entity with this primary key, or None."""
        return await self.session.get(kind, id)

    async def get(self, kind: type[T], id: str) -> T:
        """The entity with this primary key. Raises NotFound."""
        entity = await self.session.get(kind, id)
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
        columns = class_mapper(kind).columns
        query = select(kind)
        for name, value in equal.items():
            many = isinstance(value, tuple | list | set | frozenset)
            query = query.where(columns[name].in_(list(value)) if many else columns[name] == value)
        if order_by is not None:
            column = columns[order_by]
            query = query.order_by(column.desc() if descending else column.asc())
        if limit is not None:
            query = query.limit(limit)
        return list((await self.session.scalars(query)).all())

    def add(self, *entities: Any) -> None:
        """Remember new entities at the commit; a new task wakes the worker of this process after it."""
        self._has_task = self._has_task or any(isinstance(entity, Task) for entity in entities)
        self.session.add_all(entities)

    async def delete(self, entity: Any) -> None:
        """Forget an entity at the commit."""
        await self.session.delete(entity)

    def changed(self, *topics: str) -> None:
        """Tell open pages, after the commit, that something under each topic changed."""
        now = datetime.now(UTC)
        self.session.add_all(Change(topic=topic, at=now) for topic in topics)

    async def flush(self) -> None:
        """Send what is pending to the database. Raises Conflict when a constraint or a version stands in the way."""
        try:
            await self.session.flush()
        except (StaleDataError, IntegrityError) as error:
            raise Conflict("someone else changed this first; look again") from error

    async def commit(self) -> None:
        """Make it so. Raises Conflict when someone else changed the same thing first."""
        try:
            await self.session.commit()
        except (StaleDataError, IntegrityError) as error:
            raise Conflict("someone else changed this first; look again") from error
        self._turn.end()
        if self._has_task:
            self._has_task = False
            self._on_task()


def _nobody_waits() -> None:
    """No worker lives in this process; those elsewhere look by themselves."""
