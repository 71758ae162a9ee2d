"""Every process is served the same way: a port of its own, an orderly leave, and a plain word when it cannot start."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from bot.core.errors import Unusable
from bot.launch.rasa import serve_rasa
from bot.serving import readiness, serve
from bot.settings import Settings


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port at which somebody listens."""
    with socket.socket() as somebody:
        somebody.bind(("127.0.0.1", 0))
        somebody.listen()
        yield int(somebody.getsockname()[1])


async def nothing() -> web.Application:
    """Never made."""
    raise AssertionError


async def test_told_to_stop_it_is_not_ready_finishes_and_then_closes(unused_tcp_port: int) -> None:
    """While it leaves it still answers; a request that has begun is answered after the port is closed."""
    begun, leaving, gone, finish = (asyncio.Event() for _ in range(4))
    url = f"http://127.0.0.1:{unused_tcp_port}"
    events: list[str] = []

    async def ready(request: web.Request) -> web.Response:
        return await readiness(request, {})

    async def slow(_: web.Request) -> web.Response:
        begun.set()
        await finish.wait()
        return web.Response(text="done")

    async def closes(_: web.Application) -> None:
        events.append("closed")

    async def make_app() -> web.Application:
        app = web.Application()
        app.add_routes([web.get("/readyz", ready), web.get("/slow", slow)])
        app.on_cleanup.append(closes)
        return app

    async def leave() -> None:
        leaving.set()
        await gone.wait()
        events.append("left")

    serving = asyncio.create_task(
        serve(make_app, host="127.0.0.1", port=unused_tcp_port, what="it", choose="--port", leave=leave)
    )
    async with aiohttp.ClientSession() as session:
        assert await until_it_answers(session, f"{url}/readyz") == 200
        under_way = asyncio.create_task(session.get(f"{url}/slow"))
        await begun.wait()

        os.kill(os.getpid(), signal.SIGTERM)
        await leaving.wait()
        async with session.get(f"{url}/readyz") as answer:
            assert (answer.status, (await answer.json())["checks"]) == (503, {"stays": "failing"})
        gone.set()
        await until_nobody_listens(unused_tcp_port)
        finish.set()
        assert await (await under_way).text() == "done"
    await serving

    assert events == ["left", "closed"]


async def until_it_answers(session: aiohttp.ClientSession, url: str) -> int:
    """The status, once there is one."""
    async with asyncio.timeout(20):
        while True:
            try:
                async with session.get(url) as answer:
                    return answer.status
            except aiohttp.ClientConnectorError:
                await asyncio.sleep(0.01)


async def until_nobody_listens(port: int) -> None:
    """Return once connections are refused."""
    async with asyncio.timeout(20):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                return
            except ConnectionResetError:
                continue  # met in the instant of closing
            writer.close()
            await asyncio.sleep(0.01)


async def test_a_port_that_is_taken_is_named_with_the_way_out(taken_port: int) -> None:
    """Before anything is opened."""
    with pytest.raises(Unusable, match=rf"port {taken_port}, which the worker needs, .*--port"):
        await serve(nothing, host="127.0.0.1", port=taken_port, what="the worker", choose="--port")


async def test_an_address_of_another_machine_is_named() -> None:
    """A host name that leads nowhere is a setting to mend."""
    with pytest.raises(Unusable, match=r"192\.0\.2\.1"):
        await serve(nothing, host="192.0.2.1", port=8080, what="the edge", choose="--port")


def test_rasa_says_what_it_needs(tmp_path: Path, taken_port: int) -> None:
    """The secret, a model, a port: each in one line."""
    model = tmp_path / "model.tar.gz"

    with pytest.raises(Unusable, match="AFTERWORD_RASA_TOKEN is not set"):
        serve_rasa(Settings(), "127.0.0.1", taken_port, model)
    with pytest.raises(Unusable, match="afterword train"):
        serve_rasa(Settings(rasa_token="secret"), "127.0.0.1", taken_port, model)
    model.touch()
    with pytest.raises(Unusable, match=f"port {taken_port}, which Rasa needs"):
        serve_rasa(Settings(rasa_token="secret"), "127.0.0.1", taken_port, model)


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        ({"database_url": "postgresql://db/afterword"}, "postgresql://db/afterword"),
        ({"database_url": "postgresql://db/a", "rasa_database_url": "postgresql://db/rasa"}, "postgresql://db/rasa"),
        ({"data_dir": "/srv/var"}, "sqlite:////srv/var/rasa.sqlite"),
        ({"data_dir": "/srv/var", "database_url": "sqlite:////srv/a.sqlite"}, "sqlite:////srv/var/rasa.sqlite"),
    ],
)
def test_rasa_keeps_its_conversations_beside_everything_else_on_postgresql(settings: dict[str, str], url: str) -> None:
    """And in a file of its own on SQLite; unless it is told where."""
    assert Settings(**settings).rasa_sql_url() == url  # type: ignore[arg-type]
