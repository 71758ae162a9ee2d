"""Conversations as an append-only table of events, on SQLite or PostgreSQL, with the busy ones kept in memory.

Rasa's own store reads and counts a whole conversation at every save. This one writes only what is new. Each event has a
position in its conversation; a save continues after the position at which the tracker was read, and the primary key
refuses it when another process got there first (`ConversationMoved`): nothing is lost and nothing is written twice.
A tracker kept in memory is used only while the table's last event is still the one that it ends with.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from rasa.core.tracker_store import SerializedTrackerAsText, TrackerStore
from rasa.shared.core.events import SessionStarted
from rasa.shared.core.trackers import DialogueStateTracker
from sqlalchemy.exc import IntegrityError, ProgrammingError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.schema import CreateTable

from bot.rasa_compat.errors import ConversationMoved

DATABASE_URL = "AFTERWORD_RASA_DATABASE_URL"
DEFAULT_DATABASE_URL = "sqlite:///var/rasa.sqlite"
HOT_CONVERSATIONS = 500
CONNECTIONS = "AFTERWORD_DATABASE_CONNECTIONS"
STATEMENT_SECONDS = "AFTERWORD_DATABASE_STATEMENT_SECONDS"
_PATIENCE = 5.0

metadata = sa.MetaData()
events = sa.Table(
    "rasa_events",
    metadata,
    sa.Column("conversation_id", sa.String(255), primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("type_name", sa.String(64), nullable=False),
    sa.Column("timestamp", sa.Float(53), nullable=False),
    sa.Column("data", sa.Text, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Saved:
    """Up to where a tracker is in the table: the last event there, and how many of the tracker's events that covers."""

    position: int
    timestamp: float
    count: int


NOTHING_SAVED = Saved(position=0, timestamp=0.0, count=0)


class EventTableStore(TrackerStore, SerializedTrackerAsText):  # type: ignore[misc]
    """The tracker store that endpoints.yml names. The database is opened at the first use, in the running loop."""

    errors_are_final = True

    def __init__(
        self, domain: Any = None, event_broker: Any = None, host: str | None = None, url: str | None = None, **_: Any
    ) -> None:
        super().__init__(domain, event_broker)
        self.url = async_url(os.environ.get(DATABASE_URL) or url or host or DEFAULT_DATABASE_URL)
        self._hot: OrderedDict[str, DialogueStateTracker] = OrderedDict()
        self._engine: AsyncEngine | None = None
        self._opening = asyncio.Lock()

    @property
    def domain(self) -> Any:
        """The domain of the model in use."""
        return self._domain

    @domain.setter
    def domain(self, domain: Any) -> None:
        """A new model brings new slots, so trackers built with the old ones are let go."""
        TrackerStore.domain.fset(self, domain)
        self._hot.clear()

    def init_tracker(self, sender_id: str) -> DialogueStateTracker:
        """An empty tracker of a conversation that the table does not know."""
        return _mark(super().init_tracker(sender_id), NOTHING_SAVED)

    async def retrieve(self, sender_id: str) -> DialogueStateTracker | None:
        """The latest session of a conversation; whoever asks first after a save gets the tracker kept in memory."""
        hot = self._hot.pop(sender_id, None)
        async with (await self._open()).connect() as connection:
            end = await _end(connection, sender_id)
            if end is None:
                return None
            if hot is not None and _is_current(hot, *end):
                return hot
            return await self._read(connection, sender_id, whole=False)

    async def retrieve_full_tracker(self, conversation_id: str) -> DialogueStateTracker | None:
        """All sessions of a conversation."""
        async with (await self._open()).connect() as connection:
            return await self._read(connection, conversation_id, whole=True)

    async def exists(self, conversation_id: str) -> bool:
        """Whether the table has any event of the conversation."""
        async with (await self._open()).connect() as connection:
            return await _end(connection, conversation_id) is not None

    async def keys(self) -> Iterable[str]:
        """The identifiers of all conversations."""
        async with (await self._open()).connect() as connection:
            return list(await connection.scalars(sa.select(events.c.conversation_id).distinct()))

    async def save(self, tracker: DialogueStateTracker) -> None:
        """Append what is new. A tracker that did not come from this store replaces the whole conversation.

        Raises ConversationMoved when another process wrote to the conversation since the tracker was read.
        """
        saved: Saved | None = getattr(tracker, _SAVED, None)
        replace = saved is None
        if saved is None:
            saved = Saved(await self._last_position(tracker.sender_id), 0.0, 0)
        new = list(tracker.events)[saved.count :]
        if not new and not replace:
            self._keep(tracker)
            return
        rows = _rows(tracker.sender_id, new, saved.position)
        await self._write(tracker.sender_id, rows, replace=replace)
        if self.event_broker is not None:
            await self._stream_new_events(self.event_broker, new, tracker.sender_id)
        if rows:
            _mark(tracker, Saved(rows[-1]["position"], rows[-1]["timestamp"], len(tracker.events)))
        if _is_one_session(tracker):
            self._keep(tracker)

    async def forget(self, conversation_id: str) -> int:
        """Erase a conversation; how many events it had."""
        self._hot.pop(conversation_id, None)
        async with (await self._open()).begin() as connection:
            result = await connection.execute(sa.delete(events).where(events.c.conversation_id == conversation_id))
        return int(result.rowcount)

    async def ready(self) -> None:
        """Open the database and create the table, or raise what stands in the way."""
        await self._open()

    async def answers(self) -> bool:
        """Whether the database answers now."""
        try:
            async with asyncio.timeout(_PATIENCE), (await self._open()).connect() as connection:
                await connection.execute(sa.select(1))
        except (SQLAlchemyError, OSError, TimeoutError):
            return False
        return True

    async def close(self) -> None:
        """Close every connection."""
        if self._engine is not None:
            await self._engine.dispose()
            self._engine = None

    async def _last_position(self, conversation_id: str) -> int:
        async with (await self._open()).connect() as connection:
            end = await _end(connection, conversation_id)
        return end[0] if end else 0

    async def _write(self, conversation_id: str, rows: list[dict[str, Any]], *, replace: bool) -> None:
        try:
            async with (await self._open()).begin() as connection:
                if replace:
                    await connection.execute(sa.delete(events).where(events.c.conversation_id == conversation_id))
                if rows:
                    await connection.execute(sa.insert(events), rows)
        except IntegrityError as error:
            raise ConversationMoved(
                f"Conversation '{conversation_id}' was changed by another process; the turn can be tried again."
            ) from error

    async def _read(self, connection: AsyncConnection, conversation_id: str, *, whole: bool) -> Any:
        query = sa.select(events).where(events.c.conversation_id == conversation_id).order_by(events.c.position)
        if not whole:
            start = sa.select(sa.func.max(events.c.position)).where(
                events.c.conversation_id == conversation_id, events.c.type_name == SessionStarted.type_name
            )
            query = query.where(events.c.position >= sa.func.coalesce(start.scalar_subquery(), 0))
        rows = (await connection.execute(query)).all()
        if not rows:
            return None
        dumped = [json.loads(row.data) for row in rows]
        tracker = DialogueStateTracker.from_dict(conversation_id, dumped, self.domain.slots)
        return _mark(tracker, Saved(rows[-1].position, rows[-1].timestamp, len(tracker.events)))

    def _keep(self, tracker: DialogueStateTracker) -> None:
        self._hot[tracker.sender_id] = tracker
        self._hot.move_to_end(tracker.sender_id)
        while len(self._hot) > HOT_CONVERSATIONS:
            self._hot.popitem(last=False)

    async def _open(self) -> AsyncEngine:
        async with self._opening:
            if self._engine is None:
                self._engine = await open_engine(self.url)
            return self._engine


_SAVED = "_afterword_saved"


def _mark(tracker: DialogueStateTracker, saved: Saved) -> DialogueStateTracker:
    setattr(tracker, _SAVED, saved)
    return tracker


def _is_current(tracker: DialogueStateTracker, position: int, timestamp: float) -> bool:
    """Whether a tracker in memory ends where the table ends, and nothing was added to it without being saved."""
    saved: Saved = getattr(tracker, _SAVED)
    return (saved.position, saved.timestamp, saved.count) == (position, timestamp, len(tracker.events))


def _is_one_session(tracker: DialogueStateTracker) -> bool:
    """Reading from the table gives the latest session only; memory must give the same."""
    starts = [index for index, event in enumerate(tracker.events) if isinstance(event, SessionStarted)]
    return not starts or starts == [0]


async def _end(connection: AsyncConnection, conversation_id: str) -> tuple[int, float] | None:
    query = (
        sa.select(events.c.position, events.c.timestamp)
        .where(events.c.conversation_id == conversation_id)
        .order_by(events.c.position.desc())
        .limit(1)
    )
    row = (await connection.execute(query)).first()
    return (row.position, row.timestamp) if row else None


def _rows(conversation_id: str, new: list[Any], after: int) -> list[dict[str, Any]]:
    return [
        {
            "conversation_id": conversation_id,
            "position": position,
            "type_name": event.type_name,
            "timestamp": event.timestamp,
            "data": json.dumps(event.as_dict(), ensure_ascii=False),
        }
        for position, event in enumerate(new, after + 1)
    ]


def async_url(url: str) -> sa.URL:
    """The same database through its asynchronous driver; a folder missing for a SQLite file is the caller's to make."""
    parsed = sa.make_url(url)
    drivers = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg", "postgres": "postgresql+asyncpg"}
    backend = parsed.drivername.partition("+")[0]
    if backend not in drivers:
        raise ValueError(f"{DATABASE_URL} must begin with sqlite or postgresql, not '{backend}'.")
    return parsed.set(drivername=drivers[backend])


async def open_engine(url: sa.URL) -> AsyncEngine:
    """An engine whose database answers and has the table."""
    sqlite = url.get_backend_name() == "sqlite"
    if sqlite and url.database and url.database != ":memory:":
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_async_engine(url, **({"connect_args": {"timeout": 15}} if sqlite else _on_postgres()))
    if sqlite:
        sa.event.listen(engine.sync_engine, "connect", _tune_sqlite)
    for last_attempt in (False, True):
        try:
            async with engine.begin() as connection:
                await connection.execute(CreateTable(events, if_not_exists=True))
            break
        except (IntegrityError, ProgrammingError):  # PostgreSQL, when two processes create it in the same moment
            if last_attempt:
                raise
    return engine


def _on_postgres() -> dict[str, Any]:
    """As `bot.store.unit_of_work.create_engine` has it: a bounded number of connections, tried before they are used."""
    seconds = float(os.environ.get(STATEMENT_SECONDS, "30"))
    return {
        "pool_pre_ping": True,
        "pool_size": int(os.environ.get(CONNECTIONS, "10")),
        "max_overflow": 0,
        "hide_parameters": True,
        "connect_args": {
            "timeout": 10,
            "server_settings": {"application_name": "rasa", "statement_timeout": str(round(seconds * 1000))},
        },
    }


def _tune_sqlite(connection: Any, _: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.close()
