"""Empty databases in no time: one of each kind is made once and emptied, or copied, for every test."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import create_engine as create_sync_engine

from bot.core.sealing import Sealer
from bot.store.tables import metadata
from bot.store.unit_of_work import SqlStore, create_engine

SEALER = Sealer("the key of the tests")
_MEMORY = Path("/dev/shm")


@pytest.fixture(scope="session")
def prepared_sqlite() -> Iterator[Path]:
    """A SQLite file with every table and no row, in memory where the machine lets us."""
    with tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as folder:
        path = Path(folder) / "empty.sqlite"
        engine = create_sync_engine(f"sqlite:///{path}")
        metadata.create_all(engine)
        engine.dispose()
        yield path


@pytest.fixture(scope="session")
def prepared_postgres(postgres: str | None) -> Iterator[str | None]:
    """The URL of a PostgreSQL database with every table, or None when no server answers. It need not outlive us."""
    if postgres is None:
        yield None
        return
    name = f"afterword_test_{uuid.uuid4().hex[:12]}"
    url = f"{postgres.replace('postgresql://', 'postgresql+asyncpg://').rsplit('/', 1)[0]}/{name}"
    asyncio.run(_execute(postgres, f'CREATE DATABASE "{name}"'))
    asyncio.run(_execute(postgres, f'ALTER DATABASE "{name}" SET synchronous_commit = off'))
    try:
        asyncio.run(_create_tables(url))
        yield url
    finally:
        asyncio.run(_execute(postgres, f'DROP DATABASE "{name}" WITH (FORCE)'))


@pytest.fixture(params=["sqlite", "postgresql"])
async def database_url(
    request: pytest.FixtureRequest, prepared_sqlite: Path, prepared_postgres: str | None
) -> AsyncIterator[str]:
    """The async URL of a database of each kind, with every table and no row."""
    if request.param == "sqlite":
        path = prepared_sqlite.with_name(f"{uuid.uuid4().hex}.sqlite")
        shutil.copy(prepared_sqlite, path)
        yield f"sqlite+aiosqlite:///{path}"
        return
    if prepared_postgres is None:
        pytest.skip("no PostgreSQL answers; set AFTERWORD_TEST_POSTGRES to test on one")
    emptied = "; ".join(f'DELETE FROM "{table.name}"' for table in reversed(metadata.sorted_tables))
    await _execute(prepared_postgres.replace("+asyncpg", ""), emptied)
    yield prepared_postgres


@asynccontextmanager
async def empty_database(kind: str, folder: Path, postgres: str | None) -> AsyncIterator[str]:
    """The async URL of a database of that kind without a single table, gone afterwards."""
    if kind == "sqlite":
        yield f"sqlite+aiosqlite:///{folder / 'afterword.sqlite'}"
        return
    if postgres is None:
        pytest.skip("no PostgreSQL answers; set AFTERWORD_TEST_POSTGRES to test on one")
    name = f"afterword_test_{uuid.uuid4().hex[:12]}"
    await _execute(postgres, f'CREATE DATABASE "{name}"')
    try:
        yield f"{postgres.replace('postgresql://', 'postgresql+asyncpg://').rsplit('/', 1)[0]}/{name}"
    finally:
        await _execute(postgres, f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(params=["sqlite", "postgresql"])
async def empty_database_url(
    request: pytest.FixtureRequest, tmp_path: Path, postgres: str | None
) -> AsyncIterator[str]:
    """The async URL of a database of each kind without a single table, gone after the test."""
    async with empty_database(request.param, tmp_path, postgres) as url:
        yield url


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[SqlStore]:
    """An empty store."""
    engine = create_engine(database_url)
    yield SqlStore(engine, SEALER)
    await engine.dispose()


async def _execute(url: str, statements: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statements)
    finally:
        await connection.close()


async def _create_tables(url: str) -> None:
    engine = create_engine(url)
    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    await engine.dispose()
