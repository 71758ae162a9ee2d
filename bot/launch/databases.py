"""The two databases of an installation, the store's and Rasa's, as the commands that look after both reach them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bot.core.errors import Unusable
from bot.rasa_compat import event_table
from bot.settings import Settings
from bot.store import people, sqlite
from bot.store.unit_of_work import async_url, create_engine


@dataclass(frozen=True, slots=True)
class Databases:
    """Where the store and Rasa's conversations are; both may be in one database."""

    store: str
    trackers: str

    @classmethod
    def of(cls, settings: Settings) -> Databases:
        """Those the settings name."""
        return cls(async_url(settings.sql_url()), async_url(settings.rasa_sql_url()))

    @classmethod
    def within(cls, folder: Path) -> Databases:
        """SQLite files in a folder."""
        return cls(async_url(f"sqlite:///{folder / 'store.sqlite'}"), async_url(f"sqlite:///{folder / 'rasa.sqlite'}"))

    @property
    def urls(self) -> tuple[str, ...]:
        """Each once."""
        return tuple(dict.fromkeys((self.store, self.trackers)))

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[tuple[AsyncConnection, AsyncConnection | None]]:
        """Both as they are at one moment, however long the reading takes; None where Rasa has none yet.

        Rasa's moment is the later one by a little: what the store counts as answered, Rasa remembers.
        Raises Unusable when there is no store.
        """
        if (missing := _missing(self.store)) is not None:
            raise Unusable(f"there is no database at {missing}; check AFTERWORD_DATABASE_URL and AFTERWORD_DATA_DIR")
        async with AsyncExitStack() as stack:
            store = await stack.enter_async_context(_snapshot(self.store))
            if self.trackers == self.store:
                yield store, store
            else:
                absent = _missing(self.trackers) is not None
                yield store, None if absent else await stack.enter_async_context(_snapshot(self.trackers))

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[tuple[AsyncConnection, AsyncConnection]]:
        """Both in a transaction each (one, if they are one database), committed together at the end or not at all."""
        async with AsyncExitStack() as stack:
            engines = [await stack.enter_async_context(_engine(url)) for url in self.urls]
            connections = [await stack.enter_async_context(engine.connect()) for engine in engines]
            for connection in connections:
                await connection.begin()
            yield connections[0], connections[-1]
            for connection in reversed(connections):
                await connection.commit()

    @asynccontextmanager
    async def tracker_engine(self) -> AsyncIterator[AsyncEngine]:
        """Rasa's database, with its table."""
        engine = await event_table.open_engine(event_table.async_url(self.trackers))
        try:
            yield engine
        finally:
            await engine.dispose()

    async def scour(self) -> list[str]:
        """Leave nothing of what was deleted in the files; what could not be cleaned, and why."""
        return [problem for url in self.urls if (problem := await _scour(url))]


async def _scour(url: str) -> str:
    path = _sqlite_file(url)
    if path is None:
        async with _engine(url) as engine, engine.execution_options(isolation_level="AUTOCOMMIT").connect() as plain:
            names = {table.name for table in (*people.OF_PEOPLE, *people.LOOSE)}
            for table in await plain.run_sync(lambda sync: sync.dialect.get_table_names(sync)):
                if table in names or table == event_table.events.name:
                    await plain.execute(text(f'VACUUM "{table}"'))
        return ""
    if path.exists() and not await asyncio.to_thread(sqlite.scour, path):
        return f"the log {path}-wal could not be emptied, somebody was reading all the while; erase again to retry"
    return ""


@asynccontextmanager
async def _engine(url: str) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(url)
    try:
        yield engine
    finally:
        await engine.dispose()


@asynccontextmanager
async def _snapshot(url: str) -> AsyncIterator[AsyncConnection]:
    async with _engine(url) as engine:
        options = {"afterword": "read"} if _sqlite_file(url) else {"isolation_level": "REPEATABLE READ"}
        async with engine.execution_options(**options).connect() as connection:
            # The moment is that of the first question.
            await connection.run_sync(lambda sync: sync.dialect.get_table_names(sync))
            yield connection


def _sqlite_file(url: str) -> Path | None:
    parsed = make_url(url)
    return Path(parsed.database) if parsed.get_backend_name() == "sqlite" and parsed.database else None


def _missing(url: str) -> Path | None:
    """The SQLite file that would have to be there and is not: opening it would make an empty one."""
    path = _sqlite_file(url)
    return path if path is not None and not path.exists() else None
