"""SQLite under asyncio at the cost of SQLite: statements in place, commits made durable in groups.

Two things keep a small transaction small. A statement of a writer runs on the event loop itself, because it takes
microseconds and a thread's round trip takes hundreds; what may take long (reading pages and lists) runs on the
connection's thread, a whole statement at a time. And the write lock is never held while the disk syncs: connections
commit with `synchronous=NORMAL`, and whoever committed waits for a sync of the write-ahead log that covers its commit
and all others made meanwhile (`GroupSync`). See docs/adr/0007-sqlite-in-place-and-in-groups.md.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import aiosqlite
from sqlalchemy.dialects.sqlite.aiosqlite import (
    AsyncAdapt_aiosqlite_connection,
    AsyncAdapt_aiosqlite_cursor,
    AsyncAdapt_aiosqlite_dbapi,
)
from sqlalchemy.exc import OperationalError
from sqlalchemy.util import await_only

BUSY_SECONDS = 30
_PAUSES = (0.0005, 0.001, 0.001, 0.002, 0.002, 0.005)
"""Seconds between tries for the write lock; another process holds it for a few milliseconds at a time."""
_COMMITS_BETWEEN_CHECKPOINTS = 250
_CHECKPOINT_TRIES = 100


class _Cursor(AsyncAdapt_aiosqlite_cursor):
    """Executes and fetches in one step, in place or on the connection's thread."""

    __slots__ = ()

    def execute(self, operation: Any, parameters: Any = None) -> Any:
        """Run one statement and keep its rows."""
        self._step(lambda cursor: cursor.execute(operation, parameters or ()))

    def executemany(self, operation: Any, seq_of_parameters: Any) -> Any:
        """Run one statement for each set of parameters."""
        self._step(lambda cursor: cursor.executemany(operation, seq_of_parameters))

    def _step(self, run: Callable[[sqlite3.Cursor], sqlite3.Cursor]) -> None:
        connection: _Connection = self._adapt_connection  # type: ignore[assignment]
        try:
            raw = self._connection._conn

            def step() -> tuple[sqlite3.Cursor, list[Any]]:
                cursor = run(raw.cursor())
                return cursor, cursor.fetchall() if cursor.description else []

            done = step() if connection.in_place else self.await_(self._connection._execute(step))
        except Exception as error:
            connection._handle_exception(error)
        cursor, rows = done
        self.description = cursor.description
        self._rows.extend(rows)
        self.lastrowid, self.rowcount = (-1, -1) if cursor.description else (cursor.lastrowid or 0, cursor.rowcount)
        cursor.close()


class _Connection(AsyncAdapt_aiosqlite_connection):
    """`in_place` is true while a writer holds the lock: between its BEGIN and its end, nothing has to wait.

    `beginning` is true while the thread begins a transaction, and stays so when whoever wanted it was cancelled.
    """

    __slots__ = ("beginning", "in_place")

    def __init__(self, dbapi: Any, connection: Any) -> None:
        super().__init__(dbapi, connection)
        self.in_place = self.beginning = False

    @property
    def _raw(self) -> sqlite3.Connection:
        raw: sqlite3.Connection = self._connection._conn
        return raw

    def cursor(self, server_side: bool = False) -> AsyncAdapt_aiosqlite_cursor:
        return super().cursor(server_side=True) if server_side else _Cursor(self)

    def begin(self, how: str) -> None:
        """Open a transaction on the connection's thread."""
        raw = self._raw

        def step() -> None:
            raw.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000}")
            raw.execute(how)

        self.beginning = True
        self.await_(self._connection._execute(step))
        self.beginning = False

    def begin_in_place(self) -> None:
        """Take the write lock. While another process has it the event loop goes on; raises after BUSY_SECONDS."""
        raw = self._raw
        raw.execute("PRAGMA busy_timeout=0")
        patience = float(BUSY_SECONDS)
        for pause in itertools.chain(_PAUSES, itertools.repeat(_PAUSES[-1])):
            try:
                raw.execute("BEGIN IMMEDIATE")
                break
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or patience <= 0:
                    raise OperationalError("BEGIN IMMEDIATE", None, error) from error
            patience -= pause
            self.await_(asyncio.sleep(pause))
        self.in_place = True

    def commit(self) -> None:
        self._end(self._raw.commit)

    def rollback(self) -> None:
        self._end(self._raw.rollback)

    def _end(self, how: Callable[[], None]) -> None:
        if self.beginning:
            # The thread may only now come to the BEGIN: what it opened is closed behind it.
            self.await_(self._connection._execute(self._raw.rollback))
            self.beginning = self.in_place = False
        elif not self._raw.in_transaction:
            self.in_place = False
        elif self.in_place:
            self.in_place = False
            how()
        else:
            self.await_(self._connection._execute(how))


class Driver(AsyncAdapt_aiosqlite_dbapi):
    """SQLAlchemy's adapter of aiosqlite with the connections of this module: `create_async_engine(url, module=…)`."""

    def __init__(self) -> None:
        super().__init__(aiosqlite, sqlite3)

    def connect(self, *arguments: Any, **options: Any) -> AsyncAdapt_aiosqlite_connection:
        """Open a connection that the event loop and the connection's own thread use in turn, never at once."""
        connection = aiosqlite.connect(*arguments, **options | {"check_same_thread": False})
        connection._thread.daemon = True
        return _Connection(self, await_only(connection))


def prepare(connection: Any, _record: Any) -> None:
    """For each new connection: write-ahead log, foreign keys; `GroupSync` syncs and checkpoints for all of them."""
    # The driver must not open transactions by itself: `begin` says which kind is wanted.
    connection.isolation_level = None
    cursor = connection.cursor()
    wanted = ("busy_timeout=30000", "journal_mode=WAL", "synchronous=NORMAL", "wal_autocheckpoint=0", "foreign_keys=ON")
    for pragma in wanted:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def begin(connection: Any) -> None:
    """Open a transaction of the kind that the engine's option `afterword` asks for: "read", "write" (in place).

    Without the option it is a writer's, on the thread: SQLAlchemy lets only sessions execute in place. A writer takes
    its lock at once, for upgrading a read lock later fails when another writer is waiting.
    """
    opened: _Connection = connection.connection.dbapi_connection
    kind = connection.get_execution_options().get("afterword")
    if kind == "write":
        opened.begin_in_place()
    else:
        opened.begin("BEGIN" if kind == "read" else "BEGIN IMMEDIATE")


class GroupSync:
    """Puts commits on the disk, as many at once as there are waiting, and moves the log into the database now and then.

    SQLite's log is one file, and syncing it makes durable whatever was committed before the sync began; what a
    checkpoint has already moved to the database file was synced by the checkpoint.
    """

    def __init__(self, database: Path) -> None:
        self._database = database
        self._log = database.with_name(database.name + "-wal")
        self._under_way: asyncio.Future[None] | None = None
        self._next: asyncio.Future[None] | None = None
        self._checkpointing: asyncio.Future[None] | None = None
        self._commits = 0

    async def reached(self) -> None:
        """Return once everything committed before this call is on the disk. Raises OSError when it cannot be."""
        self._commits += 1
        if self._next is None:
            # The sync under way may have begun before our commit: ours is the next one, with all who wait by then.
            self._next = asyncio.ensure_future(self._sync_after(self._under_way))
        await asyncio.shield(self._next)

    async def _sync_after(self, previous: asyncio.Future[None] | None) -> None:
        if previous is not None:
            await asyncio.wait([previous])
        self._under_way, self._next = self._next, None
        await asyncio.to_thread(self._sync)
        if self._commits >= _COMMITS_BETWEEN_CHECKPOINTS and (
            self._checkpointing is None or self._checkpointing.done()
        ):
            # Beside the syncs: it takes longer than one, and nobody has to wait for it.
            self._commits, self._checkpointing = 0, asyncio.ensure_future(asyncio.to_thread(self._checkpoint))

    def _sync(self) -> None:
        try:
            log = os.open(self._log, os.O_RDWR)
        except FileNotFoundError:
            return  # the last connection is closed: SQLite has moved everything to the database file and synced it
        try:
            os.fsync(log)
        finally:
            os.close(log)

    def _checkpoint(self) -> None:
        with closing(sqlite3.connect(self._database)) as connection:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")


def scour(database: Path) -> bool:
    """Write the database anew, so that nothing deleted is left in its free pages or its log; waits for who is at it.

    Whether the log could be emptied too: somebody may have been reading an older moment all the while.
    """
    with closing(sqlite3.connect(database, timeout=BUSY_SECONDS, isolation_level=None)) as connection:
        connection.execute("VACUUM")
        for _ in range(_CHECKPOINT_TRIES):
            [busy, *_rest] = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if not busy:
                return True
            time.sleep(0.1)
    return False
