"""The migrations make what the code expects, on both databases."""

import asyncio

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from bot.store.migrate import at_head, migrate
from bot.store.tables import metadata
from bot.store.unit_of_work import create_engine


async def test_migrations_lead_to_exactly_the_tables_in_the_code(empty_database_url: str) -> None:
    """Nobody has to remember to write a migration: this fails until it is there."""
    engine = create_engine(empty_database_url)
    assert not await at_head(engine)

    await migrate(engine)
    await migrate(engine)

    assert await at_head(engine)
    async with engine.connect() as connection:
        differences = await connection.run_sync(
            lambda sync: compare_metadata(MigrationContext.configure(sync), metadata)
        )
    assert differences == []
    await engine.dispose()


async def test_several_processes_may_migrate_at_once(empty_database_url: str) -> None:
    """Each start of N processes may begin with it: one does the work, the others find it done."""
    engines = [create_engine(empty_database_url) for _ in range(4)]

    await asyncio.gather(*(migrate(engine) for engine in engines))

    assert all([await at_head(engine) for engine in engines])
    for engine in engines:
        await engine.dispose()
