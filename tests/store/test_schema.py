"""The migrations make what the code expects, on both databases."""

import asyncio
from datetime import UTC, datetime

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import JSON, bindparam, text

from bot.services.entities import CheckIn, Decision
from bot.services.trace import traces_of
from bot.store.migrate import at_head, config, migrate
from bot.store.tables import metadata
from bot.store.unit_of_work import SqlStore, create_engine


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


TRACE = [
    {"at": "2026-03-04T22:00:00+00:00", "rule": "address", "outcome": "pass", "reason": "there is an address on sms"},
    {"at": "2026-03-04T22:00:00+00:00", "rule": "quiet_hours", "outcome": "postpone", "reason": "it is 22:00"},
    {"at": "2026-03-05T09:00:00+00:00", "rule": "quiet_hours", "outcome": "pass", "reason": "it is 09:00"},
]


async def test_the_traces_of_older_check_ins_are_kept_in_the_one_place(empty_database_url: str) -> None:
    """Every word of every rule, at its time and in its order."""
    engine = create_engine(empty_database_url)
    async with engine.begin() as connection:
        await connection.run_sync(lambda sync: command.upgrade(config(sync), "0002"))
    async with engine.begin() as connection:
        at = {"at": _instant(engine.dialect.name)}
        for older in OLDER:
            await connection.execute(text(older), at if ":at" in older else {})
        statement = text(
            "INSERT INTO check_ins (id, service_event_id, conversation_id, state, due_at, trace) "
            "VALUES ('i', 'e', 'v', 'sent', :at, :trace)"
        ).bindparams(bindparam("trace", type_=JSON))
        await connection.execute(statement, {**at, "trace": TRACE})

    await migrate(engine)

    async with SqlStore(engine)(read_only=True) as tx:
        check_in = await tx.get(CheckIn, "i")
        assert (await traces_of(tx, [check_in]))["i"] == TRACE
        assert [d.outcome for d in await tx.all(Decision, order_by="id")] == ["postponed", "allowed"]
    await engine.dispose()


OLDER = (
    "INSERT INTO sites (id, name, zone, currency, weekly, holidays) VALUES ('s', 'S', 'UTC', 'EUR', '{}', '[]')",
    "INSERT INTO customers (id, name, preferences, created_at) VALUES ('c', 'Robin', '[]', :at)",
    "INSERT INTO contact_points (id, customer_id, medium, address) VALUES ('p', 'c', 'sms', '+447700900001')",
    "INSERT INTO conversations (id, customer_id, contact_point_id, medium, owner, version, awaited, last_position, "
    "created_at) VALUES ('v', 'c', 'p', 'sms', 'bot', 1, 'none', 0, :at)",
    "INSERT INTO service_events (id, external_id, fingerprint, kind, site_id, service, finished_at, customer_id, "
    "medium, facts, verdict, created_at) "
    "VALUES ('e', 'x', 'f', 'k', 's', 'lunch', :at, 'c', 'sms', '{}', 'pending', :at)",
)


def _instant(dialect: str) -> datetime | str:
    at = datetime(2026, 3, 4, 21, tzinfo=UTC)
    return at if dialect == "postgresql" else f"{at:%Y-%m-%d %H:%M:%S.%f}"


async def test_several_processes_may_migrate_at_once(empty_database_url: str) -> None:
    """Each start of N processes may begin with it: one does the work, the others find it done."""
    engines = [create_engine(empty_database_url) for _ in range(4)]

    await asyncio.gather(*(migrate(engine) for engine in engines))

    assert all([await at_head(engine) for engine in engines])
    for engine in engines:
        await engine.dispose()
