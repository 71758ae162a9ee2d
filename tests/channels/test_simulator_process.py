"""The look-alike as a process of its own: it outlives the edge it calls, and its own end."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestServer, unused_port

from bot.app import SIMULATED_ACCOUNT, SIMULATED_NUMBER, SIMULATED_TWILIO
from bot.channels.simulator import create_relay, relayed_news
from bot.channels.twilio import TwilioChannel
from tests.channels.town import PHONE, TOKEN, Town, note_taking_edge, outbound

ROOT = Path(__file__).resolve().parents[2]


class Beside:
    """A look-alike beside an edge that takes notes."""

    def __init__(self, session: aiohttp.ClientSession, data_dir: Path) -> None:
        self.session, self._data_dir = session, data_dir
        self.port, self.edge_port = unused_port(), unused_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.notes = Town(f"http://127.0.0.1:{self.edge_port}", session, None)  # type: ignore[arg-type]
        self._process: asyncio.subprocess.Process | None = None
        self.channel = TwilioChannel(
            session,
            SIMULATED_ACCOUNT,
            TOKEN,
            SIMULATED_NUMBER,
            f"{self.notes.url}/webhooks/twilio/status#rc=3&rp=all",
            base_url=self.url + SIMULATED_TWILIO,
        )

    async def start(self) -> None:
        """Start the process and wait until it answers."""
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AFTERWORD_")},
            "AFTERWORD_DATA_DIR": str(self._data_dir),
            "AFTERWORD_TWILIO_AUTH_TOKEN": TOKEN,
            "AFTERWORD_SIMULATOR_URL": self.url,
            "AFTERWORD_PORT": str(self.edge_port),
        }
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bot", "simulator", "--pace", "0.01", cwd=ROOT, env=environment
        )
        async with asyncio.timeout(30):
            while not await self._answers():  # noqa: ASYNC110 - another process becomes ready
                await asyncio.sleep(0.05)

    async def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.returncode is None, "the simulator ended at once"
        try:
            async with self.session.get(f"{self.url}/livez") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    async def kill(self) -> None:
        """End the process without a warning."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGKILL)
            await self._process.wait()

    @asynccontextmanager
    async def edge(self) -> AsyncIterator[None]:
        """The edge is there for as long as the block lasts."""
        async with TestServer(note_taking_edge(self.notes), port=self.edge_port):
            yield

    async def get(self, path: str, **query: str) -> Any:
        """One of the simulator's own answers."""
        async with self.session.get(f"{self.url}/simulator/{path}", params=query) as answer:
            assert answer.status == 200
            return await answer.json()

    async def writes(self, body: str) -> Any:
        """A phone writes."""
        async with self.session.post(f"{self.url}/simulator/messages", json={"from": PHONE, "body": body}) as answer:
            assert answer.status == 201
            return await answer.json()

    async def listed(self) -> list[str]:
        """The words of every message in `GET Messages.json`, newest first."""
        login = {"Authorization": aiohttp.encode_basic_auth(SIMULATED_ACCOUNT, TOKEN)}
        address = f"{self.url}{SIMULATED_TWILIO}/2010-04-01/Accounts/{SIMULATED_ACCOUNT}/Messages.json"
        async with self.session.get(address, headers=login, params={"PageSize": "1000"}) as answer:
            return [message["body"] for message in (await answer.json())["messages"]]


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(20):
        while not await holds():  # noqa: ASYNC110 - another process does it
            await asyncio.sleep(0.02)


@pytest.fixture
async def beside(tmp_path: Path) -> AsyncIterator[Beside]:
    """A look-alike in a process of its own, gone afterwards."""
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        one = Beside(session, tmp_path)
        stack.push_async_callback(one.kill)
        await one.start()
        yield one


async def test_it_outlives_the_edge(beside: Beside) -> None:
    """What was accepted stays listed while no edge is there; a message meanwhile is lost after its retries, and the
    next edge is called again."""
    async with beside.edge():
        await beside.channel.send(outbound("before", message_id="m-1"))
        await until(lambda: _has(beside, "delivered"))
        assert (await beside.writes("hello"))["taken"] is True
    assert beside.notes.refused == []

    await beside.channel.send(outbound("while nobody hears of it", message_id="m-2"))
    assert await beside.listed() == ["while nobody hears of it", "hello", "before"]
    waiting = asyncio.create_task(beside.writes("is anybody there?"))
    await until(lambda: _lists(beside, "is anybody there?"))
    async with beside.edge():
        taken = (await waiting)["taken"]
        assert taken is True, "it is tried three more times, a second and then longer apart"
        assert beside.notes.inbound[-1].text == "is anybody there?"


async def _lists(beside: Beside, text: str) -> bool:
    return text in await beside.listed()


async def _has(beside: Beside, status: str) -> bool:
    return status in [one.status for one in beside.notes.statuses]


async def test_it_survives_its_own_end(beside: Beside) -> None:
    """Killed in the middle and started again, it knows everything it took and delivers what it had not."""
    async with beside.edge():
        for n in range(20):
            await beside.channel.send(outbound(f"number {n}", message_id=f"m-{n}"))
        await beside.kill()
        await beside.start()

        async def all_delivered() -> bool:
            items = (await beside.get("sent"))["items"]
            return len(items) == 20 and all(item["status"] == "delivered" for item in items)

        await until(all_delivered)
    assert len(await beside.listed()) == 20


async def test_the_page_at_the_edge_works_through_a_relay(beside: Beside) -> None:
    """Writing, reading, breaking and the live line are handed on; an absent look-alike is explained."""
    news = relayed_news(beside.session, beside.url)
    cursor, _ = await news("")
    async with beside.edge(), TestServer(create_relay(beside.session, beside.url)) as server:
        at = str(server.make_url("")).rstrip("/")
        async with beside.session.post(f"{at}/messages", json={"from": PHONE, "body": "çok güzel"}) as answer:
            assert (answer.status, (await answer.json())["taken"]) == (201, True)
        async with beside.session.get(f"{at}/messages", params={"phone": PHONE}) as answer:
            assert [item["body"] for item in (await answer.json())["items"]] == ["çok güzel"]
        async with beside.session.post(f"{at}/faults", json={"mode": "earthquake"}) as answer:
            assert (answer.status, answer.content_type) == (422, "application/problem+json")
        _, items = await news(cursor)
        assert [item["body"] for item in items] == ["çok güzel"]

        await beside.kill()
        async with beside.session.get(f"{at}/phones") as answer:
            assert "afterword simulator" in (await answer.json(content_type=None))["detail"]
        assert await news("somewhere") == ("somewhere", [])
