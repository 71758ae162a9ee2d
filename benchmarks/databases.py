"""A database of each kind for one measurement: every table, no row, on a disk, gone afterwards."""

from __future__ import annotations

import os
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import asyncpg

from bot.store.migrate import migrate
from bot.store.unit_of_work import async_url, create_engine

POSTGRES = os.environ.get("AFTERWORD_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")
KINDS = ("sqlite", "postgresql")


@asynccontextmanager
async def database(kind: str) -> AsyncIterator[str]:
    """The URL of a fresh database of that kind, as `AFTERWORD_DATABASE_URL` takes it."""
    if kind == "sqlite":
        with _folder() as folder:
            url = f"sqlite:///{folder}/afterword.sqlite"
            await _make_tables(url)
            yield url
        return
    name = f"afterword_bench_{uuid.uuid4().hex[:12]}"
    await _on_server(f'CREATE DATABASE "{name}"')
    try:
        url = f"{POSTGRES.rsplit('/', 1)[0]}/{name}"
        await _make_tables(url)
        yield url
    finally:
        await _on_server(f'DROP DATABASE "{name}" WITH (FORCE)')


async def answers(kind: str) -> bool:
    """Whether there is a server of that kind to measure on."""
    if kind == "sqlite":
        return True
    try:
        connection = await asyncpg.connect(POSTGRES, timeout=3)
    except (OSError, asyncpg.PostgresError, TimeoutError):
        return False
    await connection.close()
    return True


@contextmanager
def _folder() -> Iterator[Path]:
    """Beside the project rather than in /tmp, which may be memory: syncs are part of what is measured."""
    beside = Path("var")
    beside.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=beside.resolve()) as folder:
        yield Path(folder)


async def _make_tables(url: str) -> None:
    engine = create_engine(async_url(url))
    await migrate(engine)
    await engine.dispose()


async def _on_server(statement: str) -> None:
    connection = await asyncpg.connect(POSTGRES)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
