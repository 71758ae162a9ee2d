"""An installation with its two databases, of each kind, and another one to move to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import select

from bot.app import open_store
from bot.core.vocabulary import Medium
from bot.launch.databases import Databases
from bot.rasa_compat import event_table
from bot.services.entities import Site
from bot.services.workshop import Rules, Workshop
from bot.settings import Settings
from bot.store.migrate import migrate
from bot.store.tables import metadata
from bot.store.unit_of_work import SqlStore
from bot.work.loop import Worker
from tests.conftest import Clock, FakeChannel, FakeDialogue, FakeWords
from tests.databases import empty_database
from tests.services.house import House

KEY = "the key of this installation"
KINDS = ("sqlite", "postgresql")


@dataclass
class Home:
    """An installation: its settings, and a house on its store."""

    settings: Settings
    house: House
    store: SqlStore

    async def rows(self, table: str) -> list[tuple[Any, ...]]:
        """A table's rows, in the order of their keys."""
        found = metadata.tables[table]
        async with self.store.engine.connect() as connection:
            return [tuple(row) for row in await connection.execute(select(found).order_by(*found.primary_key.columns))]

    async def remembers(self, conversation: str, *words: str) -> None:
        """Rasa keeps these words of a conversation."""
        async with Databases.of(self.settings).tracker_engine() as engine, engine.begin() as connection:
            for position, text in enumerate(words, 1):
                data = f'{{"event": "user", "text": "{text}", "timestamp": 1700000000.5}}'
                row = {"conversation_id": conversation, "position": position, "type_name": "user", "timestamp": 1.5}
                await connection.execute(event_table.events.insert(), {**row, "data": data})

    async def remembered(self, *conversations: str) -> list[str]:
        """What Rasa keeps of conversations."""
        async with Databases.of(self.settings).tracker_engine() as engine:
            return [event["text"] for event in await event_table.events_of(engine, conversations)]


class Builder:
    """Makes installations, and takes them down."""

    def __init__(self, stack: AsyncExitStack, folder: Path, postgres: str | None, clock: Clock) -> None:
        self._stack = stack
        self._folder = folder
        self._postgres = postgres
        self._clock = clock
        self.sms = FakeChannel()

    async def settings(self, kind: str, *, key: str = KEY) -> Settings:
        """Settings of an installation whose databases have no tables."""
        folder = self._folder / f"home-{len(list(self._folder.iterdir()))}"
        folder.mkdir()
        url = await self._stack.enter_async_context(empty_database(kind, folder, self._postgres))
        url = url.replace("+asyncpg", "").replace("+aiosqlite", "")
        return Settings(
            data_dir=folder,
            database_url=url,
            rasa_database_url=url if kind == "postgresql" else "",
            suppression_key=SecretStr(key),
            port=1,
        )

    async def at(self, settings: Settings) -> Home:
        """The house on what the settings name."""
        store = open_store(settings)
        self._stack.push_async_callback(store.engine.dispose)
        dialogue = FakeDialogue()
        shop = Workshop(
            store=store,
            clock=self._clock,
            dialogue=dialogue,
            words=FakeWords(),
            channels={Medium.SMS: self.sms, Medium.WEBCHAT: FakeChannel()},
            rules=Rules(languages=frozenset({"en", "tr"}), check_in_delay=timedelta(0)),
        )
        return Home(settings, House(shop, Worker(shop), self._clock, dialogue, self.sms), store)

    async def home(self, kind: str, **changed: Any) -> Home:
        """An installation with the newest schema and one site."""
        home = await self.at(await self.settings(kind, **changed))
        await migrate(home.store.engine)
        weekly = {day: [["09:00", "21:00"]] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}
        async with home.store() as tx:
            tx.add(Site(id="harbour", name="Harbour", zone="Europe/London", weekly=weekly))
            await tx.commit()
        return home


@asynccontextmanager
async def _builder(folder: Path, postgres: str | None, clock: Clock) -> AsyncIterator[Builder]:
    async with AsyncExitStack() as stack:
        yield Builder(stack, folder, postgres, clock)


@pytest.fixture
async def builder(tmp_path: Path, postgres: str | None, clock: Clock) -> AsyncIterator[Builder]:
    """Makes installations."""
    folder = tmp_path / "homes"
    folder.mkdir()
    async with _builder(folder, postgres, clock) as builder:
        yield builder


@pytest.fixture(params=KINDS)
async def home(request: pytest.FixtureRequest, builder: Builder) -> Home:
    """An installation on a database of each kind."""
    return await builder.home(request.param)
