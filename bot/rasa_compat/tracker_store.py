"""Conversations as an append-only table of events, on SQLite or PostgreSQL, with the busy ones kept in memory.

Rasa's own store reads and counts a whole conversation at every save. This one writes only what is new. Each event has a
position in its conversation; a save continues after the position at which the tracker was read, and the primary key
refuses it when another process got there first (`ConversationMoved`): nothing is lost and nothing is written twice.
A tracker kept in memory is used only while the table's last event is still the one that it ends with. A conversation
that was erased (`event_table.erase`) refuses to begin again.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from rasa.core.tracker_store import SerializedTrackerAsText, TrackerStore
from rasa.shared.core.events import SessionStarted
from rasa.shared.core.trackers import DialogueStateTracker
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bot.rasa_compat.errors import ConversationErased, ConversationMoved
from bot.rasa_compat.event_table import DATABASE_URL, DEFAULT_DATABASE_URL, ERASED, async_url, events, open_engine

HOT_CONVERSATIONS = 500
_PATIENCE = 5.0


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
            if await _end(connection, conversation_id) is None:
                return None
            return await self._read(connection, conversation_id, whole=True)

    async def exists(self, conversation_id: str) -> bool:
        """Whether the table has any event of the conversation."""
        async with (await self._open()).connect() as connection:
            return await _end(connection, conversation_id) is not None

    async def keys(self) -> Iterable[str]:
        """The identifiers of all conversations."""
        async with (await self._open()).connect() as connection:
            known = sa.select(events.c.conversation_id).where(events.c.type_name != ERASED).distinct()
            return list(await connection.scalars(known))

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
        sa.select(events.c.position, events.c.timestamp, events.c.type_name)
        .where(events.c.conversation_id == conversation_id)
        .order_by(events.c.position.desc())
        .limit(1)
    )
    row = (await connection.execute(query)).first()
    if row is not None and row.type_name == ERASED:
        raise ConversationErased(f"Conversation '{conversation_id}' was erased; it does not begin again.")
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
