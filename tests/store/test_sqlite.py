"""SQLite under asyncio: durable in groups, nobody blocked by another process, the log kept short."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from bot.services.entities import Customer
from bot.store import sqlite
from bot.store.unit_of_work import SqlStore, create_engine
from tests.conftest import NOON


@pytest.fixture
def database(database_url: str) -> Path:
    """The file of the database under test; PostgreSQL has none."""
    if not database_url.startswith("sqlite"):
        pytest.skip("about SQLite")
    return Path(database_url.partition(":///")[2])


async def introduce(store: SqlStore, name: str) -> None:
    """One small transaction."""
    async with store() as tx:
        tx.add(Customer(name=name, created_at=NOON))
        await tx.commit()


async def names(store: SqlStore) -> list[str]:
    """Everybody introduced so far."""
    async with store(read_only=True) as tx:
        return [customer.name for customer in await tx.all(Customer, order_by="name")]


async def test_a_commit_returns_when_a_sync_that_began_after_it_has_ended(
    store: SqlStore, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each sync covers what was in the log when it began; many commits share one."""
    seen_by_sync: list[set[str]] = []
    sync = os.fsync

    def watched(file: int) -> None:
        with sqlite3.connect(database) as reader:
            seen_by_sync.append({name for (name,) in reader.execute("SELECT name FROM customers")})
        sync(file)

    monkeypatch.setattr(os, "fsync", watched)

    async def introduce_and_look(name: str) -> None:
        await introduce(store, name)
        assert any(name in seen for seen in seen_by_sync), f"{name} was told to be safe before it was"

    await asyncio.gather(*(introduce_and_look(f"customer {n}") for n in range(40)))

    assert len(seen_by_sync) < 40


async def test_a_sync_that_fails_is_not_hidden(
    store: SqlStore, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who committed learns that it may not be on the disk."""

    def broken(file: int) -> None:
        raise OSError("the disk is gone")

    monkeypatch.setattr(os, "fsync", broken)

    with pytest.raises(OSError, match="the disk is gone"):
        await introduce(store, "Robin")


async def test_a_reader_that_was_cancelled_while_it_began_leaves_nothing_open(store: SqlStore, database: Path) -> None:
    """The connection goes back to the pool closed behind it, and serves whoever comes next."""
    async with store.engine.connect() as connection:
        opened = (await connection.get_raw_connection()).driver_connection
    assert opened is not None
    held, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        held.set()
        assert let_go.wait(30)

    holding = asyncio.create_task(opened._execute(hold))
    assert await asyncio.to_thread(held.wait, 30)
    reading = asyncio.create_task(names(store))
    while opened._tx.empty():  # noqa: ASYNC110 - until its BEGIN stands in the queue of the thread
        await asyncio.sleep(0.001)

    reading.cancel()
    let_go.set()
    await asyncio.gather(holding, reading, return_exceptions=True)

    assert reading.cancelled()
    assert await names(store) == []
    await introduce(store, "Robin")
    assert await names(store) == ["Robin"]


_HOLD = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.readline()
connection.execute("ROLLBACK")
print("let go", flush=True)
sys.stdin.readline()
"""


async def test_while_another_process_writes_the_loop_goes_on(store: SqlStore, database: Path) -> None:
    """The writer waits for its turn; everybody else does not."""
    await introduce(store, "so that there is a connection")
    pipe = asyncio.subprocess.PIPE
    other = await asyncio.create_subprocess_exec(sys.executable, "-c", _HOLD, database, stdin=pipe, stdout=pipe)
    assert other.stdin and other.stdout
    assert await other.stdout.readline() == b"held\n"

    waiting = asyncio.create_task(introduce(store, "Robin"))
    for _ in range(20):
        await asyncio.sleep(0.001)
    assert not waiting.done()
    other.stdin.write(b"\n")
    async with asyncio.timeout(30):
        await waiting

    await other.communicate(b"\n")
    async with store(read_only=True) as tx:
        assert await tx.one(Customer, name="Robin") is not None


async def test_a_lock_that_is_never_let_go_is_an_error_in_the_end(
    store: SqlStore, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the next transaction on the same connection works again."""
    await introduce(store, "so that there is a connection")
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.02)
    with sqlite3.connect(database, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(OperationalError, match="locked"):
            await introduce(store, "Robin")
        other.execute("ROLLBACK")

    await introduce(store, "Kim")


async def test_a_reader_sees_one_moment_while_others_write(store: SqlStore, database: Path) -> None:
    """Its snapshot is taken with its first question."""
    await introduce(store, "Robin")
    async with store(read_only=True) as tx:
        before = len(await tx.all(Customer))
        await introduce(store, "Kim")
        after = len(await tx.all(Customer))

    assert (before, after) == (1, 1)


async def test_the_log_does_not_grow_for_ever(database: Path) -> None:
    """It is moved into the database every few hundred commits, beside the work."""
    engine = create_engine(f"sqlite+aiosqlite:///{database}")
    store = SqlStore(engine)
    largest = 0
    for n in range(2400):
        await introduce(store, f"customer {n}")
        largest = max(largest, database.with_name(database.name + "-wal").stat().st_size)
    await engine.dispose()

    assert largest < 16 * 1024 * 1024


async def test_what_was_rolled_back_leaves_the_connection_as_it_was(store: SqlStore, database: Path) -> None:
    """An error in the middle of a transaction costs that transaction only."""
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            async with store() as tx:
                tx.add(Customer(name="lost", created_at=NOON))
                await tx.flush()
                raise ZeroDivisionError
    await introduce(store, "Robin")

    async with store(read_only=True) as tx:
        assert [customer.name for customer in await tx.all(Customer)] == ["Robin"]


def test_what_was_deleted_is_in_the_file_until_it_is_scoured(tmp_path: Path) -> None:
    """Also while somebody has the database open, as every running process does."""
    path = tmp_path / "store.sqlite"
    with closing(sqlite3.connect(path)) as others:
        others.executescript("PRAGMA journal_mode=WAL; CREATE TABLE words (word TEXT); CREATE INDEX w ON words (word)")
        others.executemany("INSERT INTO words VALUES (?)", [(f"flibbertigibbet {n}",) for n in range(1000)])
        others.execute("INSERT INTO words VALUES ('gallimaufry')")
        others.commit()
        others.execute("DELETE FROM words WHERE word LIKE 'flib%'")
        others.commit()

        def files() -> bytes:
            return b"".join(file.read_bytes() for file in tmp_path.iterdir())

        assert b"flibbertigibbet" in files()
        assert sqlite.scour(path)
        assert b"flibbertigibbet" not in files()
        assert b"gallimaufry" in files()
