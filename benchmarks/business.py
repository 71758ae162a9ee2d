"""A business of any size, written past the use cases: a million check-ins are planned in a minute.

Identifiers are random, as those of the product are, so that no index is walked in order, and what is due lies among
what is not. Randomness is seeded; instants are relative to one moment, an argument.
"""

from __future__ import annotations

import asyncio
import json
import random
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
from sqlalchemy import make_url

SITE = "harbour"
_WEEK = 7 * 24 * 3600
_TASK = "kind payload key state due_at attempts last_error created_at"


@dataclass(frozen=True, slots=True)
class Served:
    """One customer, with the one thread that there is with them."""

    customer: str
    conversation: str
    phone: str


class Business:
    """Writes rows into the database behind an async URL; nothing else may write to it meanwhile."""

    def __init__(self, url: str, now: datetime, *, seed: int = 1) -> None:
        self._url = make_url(url)
        self._now = now
        self._random = random.Random(seed)
        self.served: list[Served] = []

    async def open(self, customers: int) -> None:
        """One site in UTC, and so many customers with a phone, a consent and a conversation."""
        now, first = self._now, len(self.served)
        new = [Served(self._id(), self._id(), f"+447{number:09d}") for number in range(first, first + customers)]
        points = [(self._id(), one) for one in new]
        if not first:
            site = (SITE, "Harbour", "UTC", "EUR", "{}", "[]")
            await self._write("sites", "id name zone currency weekly holidays", [site])
        await self._write(
            "customers",
            "id name language time_zone preferences created_at",
            ((one.customer, "Robin", "en", "UTC", "[]", now) for one in new),
        )
        await self._write(
            "contact_points",
            "id customer_id medium address",
            ((point, one.customer, "sms", one.phone) for point, one in points),
        )
        await self._write(
            "consents",
            "id customer_id medium granted source at",
            ((self._id(), one.customer, "sms", True, "service event", now) for one in new),
        )
        await self._write(
            "conversations",
            "id customer_id contact_point_id medium owner version awaited last_position created_at",
            ((one.conversation, one.customer, point, "sms", "bot", 1, "first_words", 0, now) for point, one in points),
        )
        self.served += new

    async def plan_check_ins(self, *, pending: int, due: int) -> None:
        """So many check-ins for the coming week and so many due now, these of as many customers."""
        assert due <= len(self.served), "of each customer, one check-in at most is due"
        dues = [self._now - timedelta(minutes=1)] * due
        dues += [self._now + timedelta(seconds=3600 + self._random.randrange(_WEEK)) for _ in range(pending)]
        planned = [(self._id(), self._id(), self.served[n % len(self.served)], at) for n, at in enumerate(dues)]
        self._random.shuffle(planned)
        await self._services((event, one, self._now - timedelta(hours=1)) for event, _, one, _ in planned)
        await self._write(
            "check_ins",
            "id service_event_id conversation_id state due_at",
            ((check_in, event, one.conversation, "planned", at) for event, check_in, one, at in planned),
        )
        await self._write("tasks", _TASK, (self._task(check_in, at) for _, check_in, _, at in planned))

    async def plan_tasks(self, many: int, *, kind: str) -> None:
        """So many due tasks of a kind."""
        at = self._now - timedelta(seconds=30)
        await self._write("tasks", _TASK, ((kind, "{}", None, "todo", at, 0, "", at) for _ in range(many)))

    async def hear(self, words: str) -> list[tuple[str, str]]:
        """Every customer was asked and has answered; nobody has looked. The conversations and these messages."""
        asked = self._now - timedelta(minutes=2)
        heard = [(self._id(), self._id(), self._id(), one) for one in self.served]
        await self._services((event, one, asked) for event, _, _, one in heard)
        await self._write(
            "check_ins",
            "id service_event_id conversation_id state due_at sent_at",
            ((check_in, event, one.conversation, "sent", asked, asked) for event, check_in, _, one in heard),
        )
        await self._write(
            "messages",
            "id conversation_id position direction author author_name kind text media at delivery",
            (
                (message, one.conversation, 1, "in", "customer", "", "dialogue", words, "[]", self._now, "received")
                for _, _, message, one in heard
            ),
        )
        await self._execute(
            "UPDATE conversations SET awaited = 'check_in', last_position = 1, check_in_id = "
            "(SELECT id FROM check_ins WHERE check_ins.conversation_id = conversations.id)"
        )
        return [(one.conversation, message) for _, _, message, one in heard]

    async def settle(self) -> None:
        """Let PostgreSQL look at what it holds, as its own housekeeping would by now; SQLite has none."""
        if self._url.get_backend_name() != "sqlite":
            await self._execute("ANALYZE")

    async def _services(self, services: Iterable[tuple[str, Served, datetime]]) -> None:
        await self._write(
            "service_events",
            "id external_id fingerprint kind site_id service finished_at customer_id medium facts verdict created_at",
            (
                (event, event, "", "restaurant_visit", SITE, "lunch", at, one.customer, "sms", "{}", "pending", at)
                for event, one, at in services
            ),
        )

    def _task(self, check_in: str, at: datetime) -> tuple[Any, ...]:
        payload = json.dumps({"check_in_id": check_in})
        return ("send_check_in", payload, f"check_in:{check_in}", "todo", at, 0, "", self._now)

    def _id(self) -> str:
        return f"{self._random.getrandbits(128):032x}"

    async def _write(self, table: str, columns: str, rows: Iterable[tuple[Any, ...]]) -> None:
        if self._url.get_backend_name() == "sqlite":
            await asyncio.to_thread(self._insert, table, columns.split(), rows)
            return
        connection = await asyncpg.connect(self._plain_url())
        try:
            await connection.copy_records_to_table(table, records=rows, columns=columns.split())
        finally:
            await connection.close()

    def _insert(self, table: str, columns: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> None:
        places = ", ".join("?" * len(columns))
        with closing(sqlite3.connect(self._url.database or "")) as database, database:
            database.execute("PRAGMA synchronous=OFF")
            database.execute("PRAGMA cache_size=-500000")
            kept = (tuple(map(_for_sqlite, row)) for row in rows)
            database.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})", kept)

    async def _execute(self, statement: str) -> None:
        if self._url.get_backend_name() == "sqlite":
            with closing(sqlite3.connect(self._url.database or "")) as database, database:
                database.execute(statement)
            return
        connection = await asyncpg.connect(self._plain_url())
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    def _plain_url(self) -> str:
        return self._url.set(drivername="postgresql").render_as_string(hide_password=False)


async def count(url: str, query: str) -> int:
    """The number that a query on the database behind an async URL answers."""
    where = make_url(url)
    if where.get_backend_name() == "sqlite":
        with closing(sqlite3.connect(where.database or "")) as database:
            return int(database.execute(query).fetchone()[0])
    connection = await asyncpg.connect(where.set(drivername="postgresql").render_as_string(hide_password=False))
    try:
        return int(await connection.fetchval(query))
    finally:
        await connection.close()


def _for_sqlite(value: Any) -> Any:
    """As `bot.store.tables.Instant` keeps it."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    return value
