"""PostgreSQL restarts, or throws out whoever is too slow: everything goes on by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from bot.edge.keys import LIVE
from bot.services.entities import Task
from bot.services.workshop import Workshop
from bot.store.unit_of_work import SqlStore, create_engine
from bot.work.loop import Worker
from tests.conftest import NOON
from tests.edge.conftest import Edge

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True, ids=[""])


@pytest.fixture
async def server(store: SqlStore) -> AsyncIterator[asyncpg.Connection]:
    """Somebody who may throw out all others from the database of this test."""
    url = store.engine.url.set(drivername="postgresql", database="postgres")
    connection = await asyncpg.connect(url.render_as_string(hide_password=False))
    yield connection
    await connection.close()


async def throw_out(server: asyncpg.Connection, store: SqlStore) -> int:
    """End every connection to the database of this test, as a restart does; how many there were."""
    everybody = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1"
    return len(await server.fetch(everybody, store.engine.url.database))


async def test_the_loop_the_edge_and_the_live_pages_go_on(
    shop: Workshop, edge: Edge, store: SqlStore, server: asyncpg.Connection
) -> None:
    """What is due is done, what is asked is answered, and who listens is woken, over new connections."""
    done: asyncio.Queue[int] = asyncio.Queue()

    async def note(shop: Workshop, task: Task) -> None:
        async with shop.store() as tx:
            await tx.tasks.finish(task)
            await tx.commit()
        await done.put(task.payload["n"])

    async def plan(number: int) -> None:
        async with shop.store() as tx:
            tx.add(Task(kind="note", payload={"n": number}, due_at=shop.clock(), created_at=shop.clock()))
            tx.changed("desk")
            await tx.commit()

    worker = Worker(shop, handlers={"note": note}, idle_seconds=0.01)
    running = asyncio.create_task(worker.run())
    with edge.client.app[LIVE].listen("desk") as line:  # type: ignore[union-attr]
        for number in range(3):
            await plan(number)
            assert await asyncio.wait_for(done.get(), 20) == number
            assert await line.wait(20)
            await edge.get("/readyz")

            assert await throw_out(server, store) > 0

        await plan(3)
        assert await asyncio.wait_for(done.get(), 20) == 3
        assert await line.wait(20)
    await edge.get("/readyz")
    await worker.stop(within=5)
    await running


async def test_a_statement_that_hangs_is_given_up(database_url: str) -> None:
    """By the server, after the time in the settings; the connection is good for the next."""
    engine = create_engine(database_url, connections=1, statement_seconds=0.05)
    async with engine.connect() as connection:
        with pytest.raises(DBAPIError, match="statement timeout"):
            await connection.execute(text("SELECT pg_sleep(30)"))
        await connection.rollback()
        assert (await connection.execute(text("SELECT 1"))).scalar_one() == 1
    await engine.dispose()


async def test_a_process_holds_no_more_connections_than_it_may(
    database_url: str, store: SqlStore, server: asyncpg.Connection
) -> None:
    """However many ask at once: the others wait for their turn."""
    await throw_out(server, store)
    engine = create_engine(database_url, connections=3)
    few = SqlStore(engine)
    seen: list[int] = []
    turn = asyncio.Lock()

    async def one_of_many() -> None:
        async with few(read_only=True) as tx:
            await tx.tasks.due(NOON)
            async with turn:  # asyncpg answers one question at a time
                count = "SELECT count(*) FROM pg_stat_activity WHERE datname = $1"
                seen.append(int(await server.fetchval(count, engine.url.database)))

    await asyncio.gather(*(one_of_many() for _ in range(20)))

    assert len(seen) == 20
    assert max(seen) == 3
    await engine.dispose()
