"""Live pages: whatever process made a change, whoever listens looks again."""

from __future__ import annotations

import asyncio

from bot.edge.live import REFRESH, Live, Seen, ServerEvent
from bot.services.ports import Hint
from bot.services.workshop import Workshop
from bot.store import tables
from bot.store.unit_of_work import SqlStore
from tests.edge.conftest import on_sqlite


def change(number: int, topic: str = "desk") -> Hint:
    """A change with a number."""
    return Hint(number, topic)


def test_a_change_that_is_committed_late_is_still_told() -> None:
    """Its number is smaller than one told before."""
    seen = Seen(keep=60)
    told = [one.id for one in seen.fresh([change(1), change(3)], now=0)]

    late = [one.id for one in seen.fresh([change(1), change(2), change(3)], now=1)]

    assert (told, late) == ([1, 3], [2])


def test_a_change_is_told_once_and_forgotten_after_a_while() -> None:
    """So that the watcher neither repeats itself nor remembers for ever."""
    seen = Seen(keep=60)
    seen.fresh([change(1), change(2), change(4)], now=0)
    assert seen.missing == (3,)

    again = seen.fresh([change(1), change(2), change(5)], now=61)

    assert [one.id for one in again] == [5]
    assert seen.missing == ()


async def test_a_change_in_another_process_wakes_who_listens_to_its_topic(shop: Workshop) -> None:
    """And nobody else."""
    live = Live(shop.store, poll=0.01, refresh=3600)
    live.start()
    with live.listen("conversation:1") as mine, live.listen("conversation:2") as other:
        await mine.wait(5)
        await other.wait(5)

        async with shop.store() as tx:
            tx.changed("conversation:1")
            await tx.commit()

        assert await mine.wait(5) == {"conversation:1"}
        assert await other.wait(0.05) == frozenset()
    await live.close()


async def test_a_rolled_back_change_wakes_nobody(shop: Workshop) -> None:
    """Rollback is the default."""
    live = Live(shop.store, poll=0.01, refresh=3600)
    live.start()
    with live.listen("desk") as line:
        await line.wait(5)

        async with shop.store() as tx:
            tx.changed("desk")

        assert await line.wait(0.05) == frozenset()
    await live.close()


@on_sqlite
async def test_the_watcher_survives_an_emptied_table(store: SqlStore) -> None:
    """When old hints are thrown away, SQLite begins to number anew."""
    live = Live(store, poll=0.01, refresh=3600)
    async with store() as tx:
        tx.changed("desk", *(f"conversation:{number}" for number in range(50)))
        await tx.commit()
    live.start()
    with live.listen("desk") as line:
        while await line.wait(0.1):
            pass
        async with store.engine.begin() as connection:
            await connection.execute(tables.changes.delete())
        async with store() as tx:
            tx.changed("desk")
            await tx.commit()

        assert "desk" in await line.wait(5)
    await live.close()


async def test_when_the_server_stops_every_stream_ends(shop: Workshop) -> None:
    """A server cannot stop while a stream is open."""
    live = Live(shop.store, poll=0.01, refresh=3600)
    live.start()
    with live.listen("desk") as line:
        waiting = asyncio.create_task(line.wait(60))

        live.hang_up()

        assert await waiting == {REFRESH}
        assert live.closed
    await live.close()


def test_an_event_ends_its_lines_where_a_stream_does_and_nowhere_else() -> None:
    """A separator inside a JSON text is no end of a line."""
    event = ServerEvent("message", '{"text":"a\u2028b"}\nsecond', "7")

    assert event.encode().decode() == 'id: 7\nevent: message\ndata: {"text":"a\u2028b"}\ndata: second\n\n'
    assert ServerEvent("", "x").encode() == b"data: x\n\n"
