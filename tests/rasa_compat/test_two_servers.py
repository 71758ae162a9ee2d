"""Two Rasa servers over one PostgreSQL: a conversation moves between them, and one that hung comes too late."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import aiohttp
import asyncpg
import pytest
from aiohttp import web

from bot.core.dialogue import DialogueUnavailable
from bot.dialogue.client import RasaDialogue
from tests.rasa_compat.conftest import TOKEN, TinyBot, free_port, wait_for

WORDS = ["the food was cold", "great service thank you", "the room was dirty", "thank you", "I want a human"]


@dataclass
class Pair:
    """Two servers, and the port at which they look for an action server (they know of another that is away)."""

    addresses: list[str]
    processes: list[subprocess.Popen[str]]
    actions_port: int

    @contextmanager
    def hung(self, address: str) -> Iterator[None]:
        """That server stands still, as under a debugger or on a machine out of memory, and then goes on."""
        process = self.processes[self.addresses.index(address)]
        process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            process.send_signal(signal.SIGCONT)


@pytest.fixture(scope="module")
def pair(tiny_bot: TinyBot, postgres: str | None) -> Iterator[Pair]:
    """Started once; gone with their database."""
    if postgres is None:
        pytest.skip("no PostgreSQL answers; set AFTERWORD_TEST_POSTGRES to test on one")
    name = f"afterword_test_{uuid4().hex[:12]}"
    asyncio.run(_execute(postgres, f'CREATE DATABASE "{name}"'))
    ports, actions_port = [free_port(), free_port()], free_port()
    environment = {
        **tiny_bot.environment,
        "AFTERWORD_RASA_DATABASE_URL": f"{postgres.rsplit('/', 1)[0]}/{name}",
        "AFTERWORD_ACTIONS_URL": f"http://127.0.0.1:{free_port()}/webhook,http://127.0.0.1:{actions_port}/webhook",
    }
    bot = TinyBot(tiny_bot.folder, environment)
    servers = [bot.start(sys.executable, "-m", "bot.rasa_compat", "run", "--port", str(port)) for port in ports]
    addresses = [f"http://127.0.0.1:{port}" for port in ports]
    try:
        for address, server in zip(addresses, servers, strict=True):
            wait_for(f"{address}/webhooks/afterword/readyz", server)
        yield Pair(addresses, servers, actions_port)
    finally:
        for server in servers:
            server.terminate()
        for server in servers:
            server.communicate(timeout=60)
            assert server.returncode == 0
        asyncio.run(_execute(postgres, f'DROP DATABASE "{name}" WITH (FORCE)'))


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(statement)
    await connection.close()


@dataclass
class Actions:
    """An action server that sets a slot, and takes its time for the first call when it is told to."""

    calls: int = 0
    waits: bool = False
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: web.Request) -> web.Response:
        """One action."""
        self.calls += 1
        if self.waits:
            self.waits = False
            self.begun.set()
            await self.go_on.wait()
        heard = (await request.json())["tracker"]["latest_message"]["text"]
        slot = {"event": "slot", "timestamp": None, "name": "customer_name", "value": f"who said: {heard}"}
        return web.json_response({"events": [slot], "responses": [{"text": f"Sorry about: {heard}"}]})


@pytest.fixture
async def actions(pair: Pair) -> AsyncIterator[Actions]:
    """Listening where both servers look."""
    actions, app = Actions(), web.Application()
    app.router.add_post("/webhook", actions.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", pair.actions_port).start()
    yield actions
    await runner.cleanup()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """A session that knows the secret."""
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKEN}"}) as session:
        yield session


async def tracker(http: aiohttp.ClientSession, address: str, conversation: str) -> dict[str, Any]:
    """What a server has in a conversation."""
    query = {"token": TOKEN}
    async with http.get(f"{address}/conversations/{conversation}/tracker", params=query) as answer:
        found: dict[str, Any] = await answer.json()
        return found


def story(found: dict[str, Any]) -> list[tuple[Any, ...]]:
    """A conversation's events without what differs between any two: times and identifiers."""
    shown = ("event", "name", "text", "value", "policy", "confidence")
    return [tuple(event.get(field) for field in shown) for event in found["events"]]


def said(found: dict[str, Any]) -> list[str]:
    """What the customer said, in order."""
    return [event["text"] for event in found["events"] if event["event"] == "user"]


async def test_a_conversation_that_alternates_is_the_one_a_single_server_would_have_had(
    pair: Pair, actions: Actions, http: aiohttp.ClientSession
) -> None:
    """Each server sees what the other wrote, slots and policies' decisions included, and both keep it in memory."""
    moving, staying = f"moving-{uuid4().hex}", f"staying-{uuid4().hex}"
    servers = [RasaDialogue(http, [address], TOKEN, timeout=60) for address in pair.addresses]
    slots = {"language": "tr", "customer_name": "Ann"}

    for conversation, step in ((moving, 1), (staying, 0)):
        await servers[0].trigger(conversation, "check-in", "EXTERNAL_check_in", slots, "sms")
        for number, words in enumerate(WORDS * 2):
            await servers[number * step % 2].turn(conversation, f"{conversation}-{number}", words, {"channel": "sms"})

    views = [await tracker(http, address, moving) for address in pair.addresses]
    single = await tracker(http, pair.addresses[0], staying)
    assert story(views[0]) == story(views[1]) == story(single)
    assert views[0]["slots"] == views[1]["slots"] == single["slots"]
    assert views[0]["slots"]["customer_name"].startswith("who said")
    assert views[0]["slots"]["language"] == "tr"


async def test_a_turn_whose_server_hung_comes_too_late(
    pair: Pair, actions: Actions, http: aiohttp.ClientSession
) -> None:
    """Meanwhile its message was answered elsewhere and the conversation went on: nothing of the late turn is kept."""
    conversation, body = f"hung-{uuid4().hex}", {"text": "the food was cold", "message_id": "m1"}
    slow, other = pair.addresses
    elsewhere = RasaDialogue(http, [other], TOKEN, timeout=60)
    actions.waits = True
    late = asyncio.create_task(
        http.post(f"{slow}/webhooks/afterword/turn", json={**body, "conversation_id": conversation})
    )
    await asyncio.wait_for(actions.begun.wait(), 60)

    with pair.hung(slow):
        actions.go_on.set()
        again = await elsewhere.turn(conversation, "m1", "the food was cold")
        await elsewhere.turn(conversation, "m2", "the room was dirty")
    answer = await asyncio.wait_for(late, 60)

    assert again.utterances
    assert answer.status == 503
    for address in pair.addresses:
        assert said(await tracker(http, address, conversation)) == ["the food was cold", "the room was dirty"]
    await RasaDialogue(http, [slow], TOKEN, timeout=60).turn(conversation, "m3", "thank you")
    assert said(await tracker(http, other, conversation))[2:] == ["thank you"]


async def test_the_late_turn_may_also_be_the_one_that_counts(
    pair: Pair, actions: Actions, http: aiohttp.ClientSession
) -> None:
    """When it saves first, the message sent again is answered with its words, and no action runs twice."""
    conversation = f"slow-{uuid4().hex}"
    first, other = (RasaDialogue(http, [address], TOKEN, timeout=60) for address in pair.addresses)

    answer = await first.turn(conversation, "m1", "the food was cold")
    calls = actions.calls

    assert await other.turn(conversation, "m1", "the food was cold") == answer
    assert actions.calls == calls


async def test_a_hung_server_costs_a_customer_one_wait(
    pair: Pair, actions: Actions, http: aiohttp.ClientSession
) -> None:
    """The turn is given back, the next try goes elsewhere, and what the hung server does later changes nothing."""
    conversation = f"waiting-{uuid4().hex}"
    dialogue = RasaDialogue(http, pair.addresses, TOKEN, timeout=5)
    preferred = dialogue._servers.in_order(conversation)[0]

    with pair.hung(preferred):
        with pytest.raises(DialogueUnavailable, match="TimeoutError"):
            await dialogue.turn(conversation, "m1", "the food was cold")
        answer = await _patiently(dialogue, conversation)

    assert answer.utterances
    for address in pair.addresses:
        assert said(await tracker(http, address, conversation)) == ["the food was cold"]


async def _patiently(dialogue: RasaDialogue, conversation: str) -> Any:
    """The turn again and again, as the worker does, for a busy machine may take longer than the short limit."""
    for _ in range(20):
        try:
            return await dialogue.turn(conversation, "m1", "the food was cold")
        except DialogueUnavailable:
            continue
    raise AssertionError("no server answered")


async def test_an_action_server_that_is_away_is_passed_over(
    pair: Pair, actions: Actions, http: aiohttp.ClientSession
) -> None:
    """Of the two addresses that the servers know nobody listens at one; not a single turn notices."""
    dialogue = RasaDialogue(http, pair.addresses, TOKEN, timeout=60)

    for number in range(6):
        turn = await dialogue.turn(f"passing-{number}-{uuid4().hex}", "m1", "the food was cold")
        assert [said.text for said in turn.utterances] == ["Sorry about: the food was cold"]

    assert actions.calls == 6
