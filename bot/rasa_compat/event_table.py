"""The table of Rasa's events, for Rasa's tracker store and for those who look after it without a Rasa: no Rasa in here.

An erased conversation leaves one row behind: an event of the type `erased`, without any content, at the very position
where a turn that is under way somewhere would write. Its primary key refuses that turn, whichever process it is in.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError, ProgrammingError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.schema import CreateTable

DATABASE_URL = "AFTERWORD_RASA_DATABASE_URL"
DEFAULT_DATABASE_URL = "sqlite:///var/rasa.sqlite"
CONNECTIONS = "AFTERWORD_DATABASE_CONNECTIONS"
STATEMENT_SECONDS = "AFTERWORD_DATABASE_STATEMENT_SECONDS"
ERASED = "erased"
_TRIES = 5

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


async def events_of(engine: AsyncEngine, conversation_ids: Iterable[str]) -> list[dict[str, Any]]:
    """What Rasa remembers of some conversations, in order, as its own JSON."""
    found: list[dict[str, Any]] = []
    async with engine.connect() as connection:
        for conversation_id in sorted(conversation_ids):
            query = sa.select(events.c.data).where(events.c.conversation_id == conversation_id)
            rows = await connection.scalars(query.where(events.c.type_name != ERASED).order_by(events.c.position))
            found += [{"conversation_id": conversation_id, **json.loads(data)} for data in rows]
    return found


async def erase(engine: AsyncEngine, conversation_ids: Iterable[str]) -> int:
    """Forget conversations for good, also those that Rasa has yet to hear of; how many events went."""
    return sum([await _erase_one(engine, conversation_id) for conversation_id in sorted(conversation_ids)])


async def _erase_one(engine: AsyncEngine, conversation_id: str) -> int:
    for last_try in (*[False] * (_TRIES - 1), True):
        try:
            async with engine.begin() as connection:
                return await erase_in(connection, conversation_id)
        except IntegrityError:
            # A turn was saved in this very moment: now it is seen, and goes with the rest.
            if last_try:
                raise
    return 0


async def erase_in(connection: AsyncConnection, conversation_id: str) -> int:
    """Forget one, in a transaction that is open. Raises IntegrityError when a turn was saved in the same moment."""
    theirs = events.c.conversation_id == conversation_id
    last = (await connection.execute(sa.select(sa.func.max(events.c.position)).where(theirs))).scalar_one() or 0
    gone = await connection.execute(sa.delete(events).where(theirs, events.c.type_name != ERASED))
    kept = await connection.execute(sa.select(events.c.position).where(theirs))
    if kept.first() is None:
        mark = {"conversation_id": conversation_id, "position": last + 1, "type_name": ERASED, "timestamp": 0.0}
        await connection.execute(sa.insert(events).values(**mark, data="{}"))
    return int(gone.rowcount)


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
