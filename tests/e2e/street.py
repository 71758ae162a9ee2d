"""Two of everything in real processes over one PostgreSQL, phones that write to them, and a balancer in between."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.app import SIMULATED_ACCOUNT, SIMULATED_NUMBER
from bot.channels.simulator import create_lookalike, create_simulator
from bot.launch.demo import prepare_demo, read_demo
from bot.settings import load
from bot.store.unit_of_work import SqlStore, async_url, create_engine
from tests.e2e.house import Process, bare_environment, free_port

COPIES = 2
TWILIO_TOKEN = "only for this street"
_NOT_FORWARDED = frozenset({"host", "content-length", "transfer-encoding", "connection"})


@dataclass
class Balancer:
    """Gives each request to the edges in turn, and to the next one when an edge cannot be connected to.

    As a careful proxy it sends nothing twice that may have begun: then it answers 502, and whoever asked tries again.
    """

    edges: Sequence[str]
    session: aiohttp.ClientSession
    refused: Counter[str] = field(default_factory=Counter)
    cut_off: list[str] = field(default_factory=list)
    answers: Counter[int] = field(default_factory=Counter)
    _turn: int = 0

    async def forward(self, request: web.Request) -> web.StreamResponse:
        """One request to one edge."""
        body = await request.read()
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _NOT_FORWARDED}
        self._turn += 1
        for number in range(len(self.edges)):
            edge = self.edges[(self._turn + number) % len(self.edges)]
            try:
                async with self.session.request(
                    request.method, edge + request.path_qs, data=body, headers=headers, allow_redirects=False
                ) as answer:
                    content = await answer.read()
                    self.answers[answer.status] += 1
                    return web.Response(status=answer.status, body=content, content_type=answer.content_type)
            except aiohttp.ClientConnectorError:
                self.refused[edge] += 1
            except aiohttp.ClientError as error:
                self.cut_off.append(f"{request.method} {request.path}: {type(error).__name__}")
                return web.Response(status=502)
        return web.Response(status=503)


@dataclass
class Street:
    """Everything at once. `processes` in the order in which they were started."""

    url: str
    balancer: Balancer
    processes: Sequence[Process]
    store: SqlStore
    session: aiohttp.ClientSession
    demo: dict[str, Any]

    async def api(self, method: str, path: str, body: Any = None, *, key: str = "") -> Any:
        """One call of the JSON API through the balancer, sent again while it was cut off; `key` makes that safe."""
        headers = {"Authorization": f"Bearer {self.demo['api_key']}", **({"Idempotency-Key": key} if key else {})}
        for _ in range(5):
            async with self.session.request(method, f"{self.url}/api/v1{path}", json=body, headers=headers) as answer:
                if answer.status not in (502, 503):
                    content = await answer.json()
                    assert answer.status < 300, content
                    return content
            await asyncio.sleep(0.2)
        raise AssertionError(f"{method} {path} was cut off again and again")

    async def text(self, phone: str, body: str) -> None:
        """Write one SMS as the customer with that phone."""
        message = {"from": phone, "body": body}
        async with self.session.post(f"{self.url}/simulator/messages", json=message) as answer:
            assert answer.status == 201, await answer.text()

    async def phone(self, phone: str) -> list[dict[str, Any]]:
        """What is on that phone, oldest first."""
        async with self.session.get(f"{self.url}/simulator/messages", params={"phone": phone}) as answer:
            return list((await answer.json())["items"])


@asynccontextmanager
async def two_of_everything(database_url: str, folder: Path, **settings: str) -> AsyncIterator[Street]:
    """Started at once and ready; gone afterwards. `database_url` is an empty PostgreSQL database of its own."""
    ports = {kind: [free_port() for _ in range(COPIES)] for kind in ("edge", "worker", "rasa", "actions")}
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        # A connection a request: what an edge that leaves refuses is then refused before anything was sent.
        each_anew = aiohttp.TCPConnector(force_close=True)
        to_edges = await stack.enter_async_context(aiohttp.ClientSession(connector=each_anew, auto_decompress=False))
        balancer = Balancer([f"http://127.0.0.1:{port}" for port in ports["edge"]], to_edges)
        gate = TestServer(web.Application())
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        gate.app.add_subapp("/simulator", create_simulator(_lookalike(folder, url, session)))
        gate.app.router.add_route("*", "/{path:.*}", balancer.forward)
        gate.port = port
        await stack.enter_async_context(gate)
        environment = {**bare_environment(), **_environment(database_url, folder, url, ports), **settings}
        told = load(environment, Path("no such file"))
        await prepare_demo(told)
        processes = [
            Process(
                f"{kind}-{number}",
                (kind, "--port", str(port)),
                f"http://127.0.0.1:{port}{'/webhooks/afterword' if kind == 'rasa' else ''}/readyz",
                environment,
                folder / f"{kind}-{number}.log",
            )
            for kind in ("rasa", "actions", "worker", "edge")
            for number, port in enumerate(ports[kind], 1)
        ]
        for process in processes:
            stack.callback(process.kill)
            process.start()
        for process in processes:
            await asyncio.to_thread(process.wait_until_ready)
        engine = create_engine(async_url(database_url), connections=4)
        stack.push_async_callback(engine.dispose)
        yield Street(url, balancer, processes, SqlStore(engine), session, read_demo(told))


def _lookalike(folder: Path, url: str, session: aiohttp.ClientSession) -> web.Application:
    return create_lookalike(
        folder / "phones.sqlite",
        SIMULATED_ACCOUNT,
        TWILIO_TOKEN,
        SIMULATED_NUMBER,
        f"{url}/webhooks/twilio/sms#rc=3&rp=all",
        f"{url}/webhooks/twilio/status#rc=3&rp=all",
        session,
        pace=0.2,
    )


def _environment(database_url: str, folder: Path, url: str, ports: dict[str, list[int]]) -> dict[str, str]:
    return {
        "DATABASE_URL": database_url,
        "AFTERWORD_DATA_DIR": str(folder),
        "AFTERWORD_WORKER": "false",
        "AFTERWORD_PUBLIC_URL": url,
        "AFTERWORD_SIMULATOR_URL": url,
        "AFTERWORD_TWILIO_AUTH_TOKEN": TWILIO_TOKEN,
        "AFTERWORD_RASA_TOKEN": "known to all of this street",
        "AFTERWORD_RASA_URL": ",".join(f"http://127.0.0.1:{port}" for port in ports["rasa"]),
        "AFTERWORD_ACTIONS_URL": ",".join(f"http://127.0.0.1:{port}/webhook" for port in ports["actions"]),
        "AFTERWORD_DATABASE_CONNECTIONS": "6",
        "AFTERWORD_CONTACT_FROM": "00:00",
        "AFTERWORD_CONTACT_UNTIL": "23:59:59.999999",
        "AFTERWORD_CONTACT_CAP": "1000",
        "AFTERWORD_CHECK_IN_DELAY_MINUTES": "0",
    }
