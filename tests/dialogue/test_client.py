"""The client of the dialogue, against a server that answers as Rasa's channel does or fails to."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.core.dialogue import DialogueRejected, DialogueUnavailable, Intent, Utterance
from bot.dialogue.client import BATCH, RasaDialogue

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
Connect = Callable[..., Awaitable[RasaDialogue]]
ANSWER = {"utterances": [], "intent": None, "language": None}


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """A dialogue whose servers answer every request with the given functions; None is a server that is away."""
    servers: list[TestServer] = []
    async with aiohttp.ClientSession() as session:

        async def to(*answers: Answer | None) -> RasaDialogue:
            addresses = []
            for answer in answers:
                app = web.Application()
                app.router.add_post("/webhooks/afterword/{path}", answer or nobody)
                server = TestServer(app)
                servers.append(server)
                await server.start_server()
                addresses.append(str(server.make_url("/")))
                if answer is None:
                    await server.close()
            return RasaDialogue(session, addresses, "secret", timeout=0.5)

        yield to
    for server in servers:
        await server.close()


async def nobody(_: web.Request) -> web.Response:
    """Never asked."""
    raise AssertionError


async def test_a_turn_carries_the_message_and_brings_the_words(connect: Connect) -> None:
    """What is sent and read is the contract of the channel."""
    received: dict[str, Any] = {}

    async def answer(request: web.Request) -> web.Response:
        received.update(path=request.path, secret=request.headers["Authorization"], body=await request.json())
        said = [{"text": "Üzgünüm.", "name": "utter_sorry"}, {"text": "What happened?", "name": None}]
        return web.json_response(
            {"utterances": said, "intent": {"name": "complaint", "confidence": 0.9}, "language": "tr"}
        )

    turn = await (await connect(answer)).turn("c", "m", "soğuktu", {"channel": "sms"})

    assert received == {
        "path": "/webhooks/afterword/turn",
        "secret": "Bearer secret",
        "body": {"conversation_id": "c", "message_id": "m", "text": "soğuktu", "metadata": {"channel": "sms"}},
    }
    assert turn.utterances == (Utterance("Üzgünüm.", "utter_sorry"), Utterance("What happened?", None))
    assert (turn.intent, turn.language) == (Intent("complaint", 0.9), "tr")


async def test_many_texts_are_parsed_in_batches(connect: Connect) -> None:
    """Every text comes back in its place, however many there are."""
    sizes = []

    async def answer(request: web.Request) -> web.Response:
        items = (await request.json())["items"]
        sizes.append(len(items))
        return web.json_response(
            {"items": [{"intent": {"name": item["text"], "confidence": 1}, "language": None} for item in items]}
        )

    parsed = await (await connect(answer)).parse([{"text": str(number)} for number in range(BATCH + 3)])

    assert [item.intent.name for item in parsed] == [str(number) for number in range(BATCH + 3)]
    assert sizes == [BATCH, 3]


@pytest.mark.parametrize("status", [429, 500, 502, 503])
async def test_a_failure_may_be_tried_again(connect: Connect, status: int) -> None:
    """The server's own failures are not the message's fault."""

    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"detail": "later"}, status=status)

    with pytest.raises(DialogueUnavailable, match=str(status)):
        await (await connect(answer)).turn("c", "m", "hi")


@pytest.mark.parametrize("status", [401, 404, 422])
async def test_a_refusal_is_final(connect: Connect, status: int) -> None:
    """What the server will never take is not sent again, and it says why."""

    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"detail": "the reason"}, status=status, content_type="application/problem+json")

    with pytest.raises(DialogueRejected, match="the reason"):
        await (await connect(answer)).turn("c", "m", "hi")


async def test_silence_is_a_failure(connect: Connect) -> None:
    """A server that takes too long counts as not there."""

    async def answer(_: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    dialogue = await connect(answer)

    with pytest.raises(DialogueUnavailable, match="TimeoutError"):
        await dialogue.turn("c", "m", "hi")
    assert not await RasaDialogue(dialogue._session, dialogue._servers.addresses, "secret", timeout=0.1).ready()


async def test_nonsense_is_a_failure(connect: Connect) -> None:
    """An answer that is not JSON comes from something that is not Rasa, or not yet."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text="<html>", content_type="text/html")

    with pytest.raises(DialogueUnavailable):
        await (await connect(answer)).turn("c", "m", "hi")


async def test_nobody_there_is_a_failure(unused_tcp_port: int) -> None:
    """A refused connection may be tried again, and nobody there is not ready."""
    async with aiohttp.ClientSession() as session:
        dialogue = RasaDialogue(session, [f"http://127.0.0.1:{unused_tcp_port}"], "secret")

        with pytest.raises(DialogueUnavailable):
            await dialogue.trigger("c", "o1", "EXTERNAL_check_in", {})
        assert not await dialogue.ready()


async def test_a_server_that_is_away_costs_nobody_a_turn(connect: Connect) -> None:
    """Nothing was sent to it, so the next one is asked at once; it is ready as long as one of them is."""
    asked = []

    async def answer(request: web.Request) -> web.Response:
        asked.append((await request.json()).get("conversation_id"))
        return web.json_response({**ANSWER, "items": []})

    dialogue = await connect(None, answer)

    for number in range(8):
        await dialogue.turn(f"c{number}", "m", "hi")
    assert asked == [f"c{number}" for number in range(8)]
    assert await dialogue.ready()


async def test_a_turn_that_may_have_been_taken_is_not_sent_to_another_server(connect: Connect) -> None:
    """Whoever called decides to try again; then the silent server is asked last."""
    asked: list[str] = []

    def server(name: str) -> Answer:
        async def answer(_: web.Request) -> web.Response:
            asked.append(name)
            if len(asked) == 1:
                await asyncio.Event().wait()
            return web.json_response(ANSWER)

        return answer

    dialogue = await connect(server("one"), server("two"))

    with pytest.raises(DialogueUnavailable, match="TimeoutError"):
        await dialogue.turn("c", "m", "hi")
    assert len(asked) == 1
    await dialogue.turn("c", "m", "hi")
    assert sorted(asked) == ["one", "two"]


async def test_a_failure_that_was_answered_is_not_the_servers(connect: Connect) -> None:
    """An action failed, a conversation moved: the same server is asked again, for it knows the conversation."""
    asked: list[str] = []

    def server(name: str) -> Answer:
        async def answer(_: web.Request) -> web.Response:
            asked.append(name)
            return web.json_response(ANSWER, status=503 if len(asked) == 1 else 200)

        return answer

    dialogue = await connect(server("one"), server("two"))

    with pytest.raises(DialogueUnavailable, match="503"):
        await dialogue.turn("c", "m", "hi")
    await dialogue.turn("c", "m", "hi")

    assert asked[0] == asked[1]
