"""Two edges over one store: it does not matter which of them anybody meets."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from html import unescape
from typing import Any

import pytest
from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient, TestServer

from bot.core.vocabulary import HandoffReason, MessageKind
from bot.edge.app import create_app
from bot.edge.twilio_port import TwilioPort
from bot.services.conversing import say
from bot.services.entities import Agent, Conversation
from bot.services.handoff import hand_off
from bot.services.workshop import Workshop
from bot.settings import Settings
from bot.store.unit_of_work import SqlStore, create_engine
from tests.edge.conftest import Edge

PASSWORD = "long enough to keep"


@pytest.fixture
async def edges(
    shop: Workshop, settings: Settings, twilio: TwilioPort, database_url: str
) -> AsyncIterator[tuple[Edge, Edge]]:
    """Each with an engine of its own, as two processes have."""
    async with AsyncExitStack() as stack:
        doors = []
        for _ in range(2):
            engine = create_engine(database_url)
            stack.push_async_callback(engine.dispose)
            app = create_app(replace(shop, store=SqlStore(engine)), settings, twilio=twilio)
            doors.append(Edge(await stack.enter_async_context(TestClient(TestServer(app)))))
        yield doors[0], doors[1]


async def event(stream: ClientResponse, wanted: Callable[[str, str], bool]) -> dict[str, str]:
    """The next event of a stream whose name and data are wanted."""
    fields: dict[str, str] = {}
    async with asyncio.timeout(10):
        while True:
            line = (await stream.content.readline()).decode()
            assert line, "the stream has ended"
            name, _, value = line.rstrip("\n").partition(": ")
            if name:
                fields[name] = fields.get(name, "") + value
            elif wanted(fields.get("event", ""), fields.get("data", "")):
                return fields
            else:
                fields = {}


def says(text: str) -> Callable[[str, str], bool]:
    """An event that carries a text."""
    return lambda name, data: text in data


async def speaks(shop: Workshop, conversation_id: str, text: str) -> None:
    """The bot says something that has arrived."""
    async with shop.store() as tx:
        conversation = await tx.get(Conversation, conversation_id)
        message = await say(tx, conversation, text, kind=MessageKind.DIALOGUE, now=shop.clock())
        message.delivery = "delivered"
        await tx.commit()


async def opened(edges: tuple[Edge, Edge]) -> tuple[Edge, Edge, str]:
    """A visitor's chat, opened at the first edge, as both edges see them, and its conversation."""
    here, there = edges
    session = await here.post("/webchat/sessions", {}, 201)
    token, conversation_id = session["token"], session["conversation_id"]
    return here.with_key(token), there.with_key(token), conversation_id


async def test_a_stream_goes_on_at_the_other_edge_without_a_gap_or_a_repetition(
    shop: Workshop, edges: tuple[Edge, Edge]
) -> None:
    """The cursor is a message's own identifier, so any edge understands it."""
    here, there, conversation_id = await opened(edges)
    async with await here.open("/webchat/events") as stream:
        await speaks(shop, conversation_id, "one")
        last = (await event(stream, says("one")))["id"]
    await speaks(shop, conversation_id, "two")

    async with await there.open("/webchat/events", **{"Last-Event-ID": last}) as stream:
        first = await event(stream, lambda name, data: name == "message")
        await speaks(shop, conversation_id, "three")
        second = await event(stream, lambda name, data: name == "message")

    assert [json.loads(one["data"])["text"] for one in (first, second)] == ["two", "three"]


async def test_what_is_written_at_one_edge_is_seen_at_the_other(edges: tuple[Edge, Edge]) -> None:
    """That somebody begins to answer, too."""
    here, there, _ = await opened(edges)

    async with await there.open("/webchat/events") as stream:
        await event(stream, lambda name, data: name == "owner")
        await here.post("/webchat/messages", {"client_id": "c-1", "text": "hello"}, 202)
        told = [await event(stream, lambda name, data: True) for _ in range(2)]

    seen = {one["event"]: json.loads(one["data"]) for one in told}
    assert seen["typing"]["typing"] is True
    assert seen["message"]["text"] == "hello"


async def test_the_same_message_sent_to_both_edges_is_kept_once(edges: tuple[Edge, Edge]) -> None:
    """As Twilio does when an answer came too late, and a browser when its connection broke."""
    here, there, _ = await opened(edges)
    sms = {"MessageSid": "SM" + "1" * 32, "From": "+447700900123", "To": "+15005550006", "Body": "hello"}

    await asyncio.gather(*(edge.twilio("/webhooks/twilio/sms", sms) for edge in edges))
    chat = {"client_id": "c-1", "text": "hello"}
    ids = await asyncio.gather(*(edge.post("/webchat/messages", chat, 202) for edge in (here, there)))

    assert ids[0] == ids[1]
    assert len((await there.get("/webchat/messages"))["items"]) == 1


async def test_an_agent_signs_in_at_one_edge_and_works_at_the_other(
    shop: Workshop, edges: tuple[Edge, Edge], sam: Agent
) -> None:
    """Session and form token are in the store; the page at one edge shows what was done at the other."""
    here, there, conversation_id = await opened(edges)
    message = await here.post("/webchat/messages", {"client_id": "c-1", "text": "cold soup"}, 202)
    handed = await hand_off(shop, conversation_id, message["id"], HandoffReason.DISSATISFIED)
    form = {"email": sam.email, "password": PASSWORD}
    signed = await here.client.post("/desk/login", data=form, allow_redirects=False)
    cookies: Any = {name: cookie.value for name, cookie in signed.cookies.items()}
    page = await (await here.client.get(f"/desk/cases/{handed.case_id}", cookies=cookies)).text()
    csrf = re.search(r'name="csrf" value="([^"]+)"', page)
    assert csrf is not None

    async with here.client.get(f"/desk/cases/{handed.case_id}/events", cookies=cookies) as stream:
        await event(stream, says("cold soup"))
        reply = {"csrf": unescape(csrf[1]), "text": "Sam here, at the other edge."}
        address = f"/desk/cases/{handed.case_id}/replies"
        answer = await there.client.post(address, data=reply, cookies=cookies, allow_redirects=False)
        assert answer.status == 303, await answer.text()
        assert await event(stream, says("Sam here, at the other edge."))
