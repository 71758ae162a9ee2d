"""The look-alike's memory: every message it carried, in one small SQLite file, so that threads survive a restart."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from bot.core.delivery import FINAL_RANK, RANK, advance

T = TypeVar("T")

INBOUND = "inbound"
OUTBOUND = "outbound-api"
AUTOMATIC = "outbound-reply"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS messages (
    position INTEGER PRIMARY KEY AUTOINCREMENT, sid TEXT UNIQUE NOT NULL, direction TEXT NOT NULL,
    from_ TEXT NOT NULL, "to" TEXT NOT NULL, body TEXT NOT NULL, media INTEGER NOT NULL, service TEXT,
    status TEXT NOT NULL, error_code INTEGER, callback TEXT,
    created_at TEXT NOT NULL, updated_at TEXT NOT NULL, sent_at TEXT);
CREATE INDEX IF NOT EXISTS messages_from ON messages (from_);
CREATE INDEX IF NOT EXISTS messages_to ON messages ("to");
CREATE TABLE IF NOT EXISTS opted_out (number TEXT PRIMARY KEY);
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """One message as Twilio would remember it. Times are RFC 3339 in UTC."""

    sid: str
    direction: str
    from_: str
    to: str
    body: str
    status: str
    created_at: str
    updated_at: str
    media: int = 0
    service: str | None = None
    error_code: int | None = None
    callback: str | None = None
    sent_at: str | None = None


# The columns are the fields of Entry, in their order. Values are always bound.
_COLUMNS = ", ".join(f'"{field.name}"' for field in fields(Entry))
_SELECT = f"SELECT {_COLUMNS} FROM messages"  # noqa: S608
_TAKEN = (
    _SELECT.replace("SELECT", "SELECT position,") + " WHERE direction = ? AND position > ? ORDER BY position LIMIT ?"
)
_INSERT = f"INSERT INTO messages ({_COLUMNS}) VALUES ({', '.join(f':{f.name}' for f in fields(Entry))})"  # noqa: S608


def now() -> str:
    """This moment, as the book writes it: RFC 3339 in UTC, so that text sorts as time does."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


class Book:
    """The entries. All work happens on one thread of its own, in order, and never on the event loop."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="simulator-book")
        self._connection: sqlite3.Connection | None = None

    async def write(self, entry: Entry) -> None:
        """Remember a message."""
        await self._run(lambda db: db.execute(_INSERT, asdict(entry)))

    async def find(self, sid: str) -> Entry | None:
        """One message."""
        rows = await self._select("WHERE sid = ?", sid)
        return rows[0] if rows else None

    async def page(self, where: Sequence[tuple[str, str]], *, limit: int, offset: int) -> list[Entry]:
        """Messages, newest first, that fulfil every condition: pairs of an SQL comparison of ours and its value."""
        conditions = " AND ".join(comparison for comparison, _ in where) or "1"
        values = [value for _, value in where]
        return await self._select(
            f"WHERE {conditions} ORDER BY position DESC LIMIT ? OFFSET ?", *values, str(limit), str(offset)
        )

    async def thread(self, phone: str) -> list[Entry]:
        """What one phone sent and received, oldest first; what never reached it is not there."""
        return await self._select(
            "WHERE (direction = ? AND from_ = ?)"
            " OR (direction != ? AND \"to\" = ? AND status IN ('delivered', 'read')) ORDER BY position",
            *(INBOUND, phone, INBOUND, phone),
        )

    async def since(self, moment: str) -> list[Entry]:
        """What was written or moved forward after a moment (`updated_at`), the earliest first."""
        return await self._select("WHERE updated_at > ? ORDER BY updated_at, position", moment)

    async def taken(self, *, after: int, limit: int) -> list[tuple[int, Entry]]:
        """What the API took, with its place in the book, from behind a place on."""
        rows = await self._run(lambda db: db.execute(_TAKEN, (OUTBOUND, after, limit)).fetchall())
        return [(row[0], Entry(*row[1:])) for row in rows]

    async def phones(self) -> list[str]:
        """Every phone with a thread, the most recently active first."""
        sql = (
            'SELECT CASE direction WHEN ? THEN from_ ELSE "to" END AS phone FROM messages'
            " GROUP BY phone ORDER BY MAX(position) DESC"
        )
        rows = await self._run(lambda db: db.execute(sql, [INBOUND]).fetchall())
        return [str(row[0]) for row in rows]

    async def unfinished(self) -> list[Entry]:
        """Outbound messages whose end has not been reported, oldest first: work left over by a restart."""
        ends = [status for status, rank in RANK.items() if rank >= FINAL_RANK]
        marks = ", ".join("?" * len(ends))
        return await self._select(f"WHERE direction != ? AND status NOT IN ({marks}) ORDER BY position", INBOUND, *ends)

    async def move(self, sid: str, status: str, error_code: int | None = None) -> Entry | None:
        """Move a message forward, never back; what it is afterwards."""
        entry = await self.find(sid)
        if entry is None or advance(entry.status, status) == entry.status:
            return entry
        moved = replace(entry, status=status, error_code=error_code, updated_at=now(), sent_at=entry.sent_at or now())
        sql = "UPDATE messages SET status = ?, error_code = ?, updated_at = ?, sent_at = ? WHERE sid = ?"
        values = (moved.status, moved.error_code, moved.updated_at, moved.sent_at, sid)
        await self._run(lambda db: db.execute(sql, values))
        return moved

    async def suppress(self, number: str) -> None:
        """Put a number on the provider's own opt-out list."""
        await self._run(lambda db: db.execute("INSERT OR IGNORE INTO opted_out VALUES (?)", [number]))

    async def release(self, number: str) -> None:
        """Take a number off the provider's own opt-out list."""
        await self._run(lambda db: db.execute("DELETE FROM opted_out WHERE number = ?", [number]))

    async def is_suppressed(self, number: str) -> bool:
        """Whether a number is on the provider's own opt-out list."""
        sql = "SELECT 1 FROM opted_out WHERE number = ?"
        return bool(await self._run(lambda db: db.execute(sql, [number]).fetchone()))

    async def close(self) -> None:
        """Finish what is being written and let the file go."""
        if self._connection is not None:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._connection.close)
            self._connection = None
        self._thread.shutdown(wait=False)

    async def _select(self, tail: str, *values: str) -> list[Entry]:
        rows = await self._run(lambda db: db.execute(f"{_SELECT} {tail}", values).fetchall())
        return [Entry(*row) for row in rows]

    async def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        def on_the_thread() -> T:
            with self._open() as db:
                return work(db)

        return await asyncio.get_running_loop().run_in_executor(self._thread, on_the_thread)

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(self._path)
            self._connection.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;" + _SCHEMA)
        return self._connection


def forget(path: Path, phones: Iterable[str]) -> int:
    """Erase what these phones sent and received from a book that may be in use; how many messages that was."""
    if not path.exists():
        return 0
    erased = 0
    with closing(sqlite3.connect(path, timeout=30)) as db, db:
        for phone in phones:
            erased += db.execute('DELETE FROM messages WHERE from_ = ? OR "to" = ?', (phone, phone)).rowcount
            db.execute("DELETE FROM opted_out WHERE number = ?", (phone,))
    return erased
