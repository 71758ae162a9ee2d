"""Bring a database to the newest schema, and say whether it is there."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

_ONE_AT_A_TIME = 0x0AF7E  # the number of the advisory lock; any, as long as it stays the same
_HERE = Path(__file__).parent / "migrations"


def config(connection: Connection | None = None) -> Config:
    """Alembic's configuration for this project, on an open connection where one is given."""
    settings = Config()
    settings.set_main_option("script_location", str(_HERE))
    settings.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    settings.attributes["connection"] = connection
    return settings


async def migrate(engine: AsyncEngine) -> None:
    """Apply every migration that is missing. Safe to call at every start, and by several processes at once.

    They take turns: PostgreSQL's by an advisory lock that ends with the transaction, SQLite's by its write lock.
    """
    async with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            # Neither a long migration nor waiting for somebody else's is a statement that hangs.
            await connection.execute(text("SET LOCAL statement_timeout = 0"))
            await connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _ONE_AT_A_TIME})
        await connection.run_sync(lambda sync: command.upgrade(config(sync), "head"))


async def revision_of(connection: AsyncConnection) -> str | None:
    """The schema's revision in a database; None when it has none of our tables."""
    return await connection.run_sync(lambda sync: MigrationContext.configure(sync).get_current_revision())


def head() -> str | None:
    """The newest revision."""
    return ScriptDirectory.from_config(config()).get_current_head()


def is_known(revision: str) -> bool:
    """Whether this Afterword has the migration that leads to a revision; a newer one may have more."""
    return revision in {script.revision for script in ScriptDirectory.from_config(config()).walk_revisions()}


async def upgrade(connection: AsyncConnection, revision: str = "head") -> None:
    """Bring a database to a revision, inside the transaction that is open."""
    await connection.run_sync(lambda sync: command.upgrade(config(sync), revision))


async def at_head(engine: AsyncEngine) -> bool:
    """Whether the database has the newest schema."""
    async with engine.connect() as connection:
        return await revision_of(connection) == head()
