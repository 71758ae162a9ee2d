"""The web chat: one thread that neither loses nor doubles anything, for whoever may open it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from aiohttp import ClientResponse

from bot.channels.webchat import WebChatChannel
from bot.core.vocabulary import Author, Medium, MessageKind, Owner
from bot.services.conversing import move_owner, say
from bot.services.entities import Agent, Conversation, Message, Task
from bot.services.outbox import send_message
from bot.services.workshop import Workshop
from bot.store.unit_of_work import SqlStore
from tests.conftest import Clock
from tests.edge.conftest import IDENTITY_SECRET, Edge, on_sqlite
from tests.edge.samples import LUNCH

SESSIONS, MESSAGES, EVENTS = "/webchat/sessions", "/webchat/messages", "/webchat/events"
ALLOWED = {"Origin": "https://harbour.example"}
pytestmark = on_sqlite


@pytest.fixture
async def visitor(edge: Edge) -> Visitor:
    """Somebody nobody knows, with a conversation."""
    return await visit(edge)


class Visitor:
    """One visitor with their token."""

    def __init__(self, edge: Edge, conversation_id: str) -> None:
        self.edge, self.conversation_id = edge, conversation_id

    async def write(self, text: str, client_id: str) -> str:
        """Send a text; its id."""
        return str((await self.edge.post(MESSAGES, {"client_id": client_id, "text": text}, 202))["id"])

    async def thread(self, **query: str) -> list[dict[str, Any]]:
        """What they see."""
        return list((await self.edge.get(MESSAGES, params=query))["items"])


async def visit(edge: Edge, **body: str) -> Visitor:
    """Open a session."""
    session = await edge.post(SESSIONS, body, 201, headers=ALLOWED)
    assert set(session) >= {"token", "conversation_id"}
    return Visitor(edge.with_key(session["token"]), session["conversation_id"])


async def answer(shop: Workshop, visitor: Visitor, text: str, delivery: str = "delivered") -> str:
    """The bot says something, which has got so far."""
    async with shop.store() as tx:
        conversation = await tx.get(Conversation, visitor.conversation_id)
        message = await say(tx, conversation, text, kind=MessageKind.DIALOGUE, now=shop.clock())
        message.delivery = delivery
        await tx.commit()
        return message.id


async def deliver(shop: Workshop, message_id: str, delivery: str = "delivered") -> None:
    """A message gets somewhere."""
    async with shop.store() as tx:
        message = await tx.get(Message, message_id)
        message.delivery = delivery
        tx.changed(f"conversation:{message.conversation_id}")
        await tx.commit()


def identity(secret: str = IDENTITY_SECRET, **claims: Any) -> str:
    """What the business's own site signs."""
    return jwt.encode({"sub": "c-77", **claims}, secret, algorithm="HS256")


async def events(response: ClientResponse) -> AsyncIterator[dict[str, str]]:
    """The events of a stream as they come; comments come as {"": …}."""
    event: dict[str, str] = {}
    async for raw in response.content:
        line = raw.decode().rstrip("\n")
        if line:
            name, _, value = line.partition(": ")
            event[name] = value
        elif event:
            yield event
            event = {}


async def next_of(stream: AsyncIterator[dict[str, str]], kind: str) -> dict[str, Any]:
    """The data of the next event of a kind."""
    async with asyncio.timeout(10):
        async for event in stream:
            if event.get("event") == kind:
                return {"id": event.get("id"), **json.loads(event["data"])}
    raise AssertionError(f"the stream ended without {kind}")


async def test_what_a_visitor_writes_is_stored_once(visitor: Visitor) -> None:
    """The same client id answers the same message, however often and however fast it comes."""
    ids = await asyncio.gather(*(visitor.write("bit of a wait", "a") for _ in range(4)))

    assert len(set(ids)) == 1
    (message,) = await visitor.thread()
    assert message["id"] == ids[0]
    assert set(message) >= {"id", "author", "name", "text", "at"}
    assert (message["author"], message["text"]) == ("customer", "bit of a wait")


async def test_the_thread_after_a_message_is_what_came_later(visitor: Visitor, shop: Workshop) -> None:
    """And without a cursor, all of it."""
    first = await visitor.write("hello", "a")
    second = await answer(shop, visitor, "Hi, how was everything?")
    third = await visitor.write("fine", "b")

    assert [message["id"] for message in await visitor.thread()] == [first, second, third]
    assert [message["id"] for message in await visitor.thread(after=first)] == [second, third]
    assert await visitor.thread(after=third) == []
    await visitor.edge.get(MESSAGES, 422, params={"after": "nothing"})


@pytest.mark.parametrize("delivery", ["withheld", "failed", "canceled"])
async def test_words_that_were_held_back_are_never_shown(visitor: Visitor, shop: Workshop, delivery: str) -> None:
    """The bot must not be overheard talking over an agent."""
    await visitor.write("hello", "a")
    await answer(shop, visitor, "never said", delivery)
    last = await visitor.write("still there?", "b")

    assert [message["text"] for message in await visitor.thread()] == ["hello", "still there?"]
    assert (await visitor.thread())[-1]["id"] == last


async def test_a_cursor_never_skips_words_that_were_still_on_their_way(visitor: Visitor, shop: Workshop) -> None:
    """What comes after them waits, so that "after this one" is complete."""
    first = await visitor.write("hello", "a")
    slow = await answer(shop, visitor, "one moment", "queued")
    later = await visitor.write("anybody?", "b")
    before = await visitor.thread()

    await deliver(shop, slow)

    assert [message["id"] for message in before] == [first]
    assert [message["id"] for message in await visitor.thread(after=before[-1]["id"])] == [slow, later]


async def test_words_that_wait_for_the_morning_hide_nothing_and_come_after_what_was_said(
    visitor: Visitor, shop: Workshop
) -> None:
    """A deferred question stands at the end when it is asked, where a cursor finds it."""
    await visitor.write("hello", "a")
    deferred = await answer(shop, visitor, "How was lunch?", "scheduled")
    last = await visitor.write("anybody?", "b")
    assert [message["text"] for message in await visitor.thread()] == ["hello", "anybody?"]

    async with shop.store() as tx:
        task = await tx.one(Task, key=f"send:{deferred}")
        assert task is not None
        task.state, task.attempts = "doing", 1
        await tx.commit()
    channels = {Medium.WEBCHAT: WebChatChannel(lambda conversation_id: None)}
    await send_message(replace(shop, channels=channels), task)

    assert [message["id"] for message in await visitor.thread(after=last)] == [deferred]


async def test_words_that_a_worker_is_about_to_let_go_are_not_read_before_it_has(
    visitor: Visitor, shop: Workshop
) -> None:
    """Only the gate makes them visible: if a person is faster they were never said."""

    class Beginning:
        """A worker that is handed the task, and is slow."""

        lease = timedelta(minutes=1)

        def room(self) -> int:
            return 10

        def take(self, tasks: Sequence[Task], *, more: bool) -> None:
            """Not yet."""

    assert isinstance(shop.store, SqlStore)
    shop.store.worker = Beginning()
    async with shop.store() as tx:
        conversation = await tx.get(Conversation, visitor.conversation_id)
        await say(tx, conversation, "Never mind that", kind=MessageKind.DIALOGUE, now=shop.clock())
        await tx.commit()
    shop.store.worker = None
    assert await visitor.thread() == []

    async with shop.store() as tx:
        await move_owner(tx, await tx.get(Conversation, visitor.conversation_id), Owner.AGENT)
        await tx.commit()
        task = await tx.one(Task, kind="send_message")
    assert task is not None
    await send_message(shop, task)

    async with shop.store(read_only=True) as tx:
        message = await tx.one(Message, conversation_id=visitor.conversation_id)
    assert message is not None
    assert (message.delivery, message.delivery_error) == ("withheld", "a person owns the conversation")
    assert await visitor.thread() == []


async def test_one_visitor_never_sees_anothers_thread(edge: Edge, visitor: Visitor) -> None:
    """A token opens its own conversation."""
    await visitor.write("secret", "a")
    other = await visit(edge)

    assert await other.thread() == []
    assert other.conversation_id != visitor.conversation_id


@pytest.mark.parametrize("path", [MESSAGES, EVENTS])
async def test_without_a_token_there_is_no_thread(edge: Edge, path: str) -> None:
    """Nor with a wrong one."""
    await edge.get(path, 401)
    await edge.with_key("nothing").get(path, 401)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"client_id": "a", "text": "x" * 5001}, "text"),
        ({"client_id": "a", "text": "  "}, "text"),
        ({"client_id": "", "text": "hi"}, "client_id"),
        ({"text": "hi"}, "client_id"),
        ({"client_id": "a", "text": "nul \x00"}, "text"),
    ],
)
async def test_a_text_that_cannot_be_kept_is_refused(visitor: Visitor, body: dict[str, str], field: str) -> None:
    """By the name of its field."""
    problem = await visitor.edge.post(MESSAGES, body, 422)

    assert problem["errors"][0]["field"] == field


async def test_5000_characters_and_markup_are_kept_as_written(visitor: Visitor) -> None:
    """They are words and nothing else."""
    text = "<b onclick=alert(1)>ş</b>" + "é" * 4970

    await visitor.write(text, "a")

    assert (await visitor.thread())[0]["text"] == text


async def test_a_signed_customer_gets_their_own_thread_everywhere(api: Edge, edge: Edge) -> None:
    """On another device, too: it is the same conversation."""
    await api.post("/api/v1/service-events", LUNCH, 201)

    phone, laptop = await visit(edge, identity=identity()), await visit(edge, identity=identity())

    assert phone.conversation_id == laptop.conversation_id
    await phone.write("hello", "a")
    assert len(await laptop.thread()) == 1


@pytest.mark.parametrize(
    "token",
    [
        identity("somebody else's secret, long enough to be one"),
        identity(sub="stranger"),
        identity(exp=datetime.now(UTC) - timedelta(hours=1)),
        jwt.encode({"sub": "c-77"}, "", algorithm="none"),
        jwt.encode({"name": "c-77"}, IDENTITY_SECRET, algorithm="HS256"),
        "not a token",
    ],
    ids=["other secret", "unknown customer", "expired", "unsigned", "no subject", "no token"],
)
async def test_an_identity_we_cannot_believe_opens_nothing(api: Edge, token: str) -> None:
    """By the name of the field."""
    await api.post("/api/v1/service-events", LUNCH, 201)

    problem = await api.post(SESSIONS, {"identity": token}, 422)

    assert problem["errors"][0]["field"] == "identity"


async def test_only_the_pages_we_allow_may_open_a_chat(edge: Edge) -> None:
    """Another site's page is refused before anything is made; its preflight as well."""
    stranger = {"Origin": "https://elsewhere.example", "Access-Control-Request-Method": "POST"}

    await edge.post(SESSIONS, {}, 403, headers=stranger)
    await edge.call("OPTIONS", SESSIONS, 403, headers=stranger)
    await edge.post(SESSIONS, {}, 403, headers={"Origin": "null"})
    response = await edge.client.options(MESSAGES, headers={**ALLOWED, "Access-Control-Request-Method": "POST"})

    assert response.status == 204
    assert response.headers["Access-Control-Allow-Origin"] == "https://harbour.example"
    assert "Authorization" in response.headers["Access-Control-Allow-Headers"]
    assert "Access-Control-Allow-Credentials" not in response.headers


async def test_an_error_can_be_read_by_the_page_that_caused_it(edge: Edge) -> None:
    """Without the CORS headers the widget could not tell an expired session from a broken line."""
    response = await edge.open(MESSAGES, **ALLOWED)

    assert response.status == 401
    assert response.headers["Access-Control-Allow-Origin"] == "https://harbour.example"


async def test_what_is_said_comes_on_the_stream_at_once(visitor: Visitor, shop: Workshop) -> None:
    """The stream begins with who speaks for the business, and tells every message with its id."""
    await visitor.write("hello", "a")
    async with await visitor.edge.open(EVENTS) as response:
        assert response.content_type == "text/event-stream"
        stream = events(response)
        assert (await next_of(stream, "owner"))["owner"] == "bot"

        said = await answer(shop, visitor, "Hi, how was\neverything\u2028today?")
        message = await next_of(stream, "message")

    assert (message["id"], message["author"], message["text"]) == (said, "bot", "Hi, how was\neverything\u2028today?")


async def test_a_stream_taken_up_again_tells_what_was_missed(visitor: Visitor, shop: Workshop) -> None:
    """From the last id on: nothing twice, nothing left out."""
    first = await visitor.write("hello", "a")
    missed = [await answer(shop, visitor, "one"), await answer(shop, visitor, "two")]

    async with await visitor.edge.open(EVENTS, **{"Last-Event-ID": first}) as response:
        stream = events(response)
        got = [(await next_of(stream, "message"))["id"] for _ in missed]

    assert got == missed


async def test_an_event_source_made_anew_says_in_its_address_where_it_was(
    visitor: Visitor, edge: Edge, shop: Workshop
) -> None:
    """It cannot send the header that it would send when coming back by itself."""
    first = await visitor.write("hello", "a")
    missed = await answer(shop, visitor, "one")
    ticket = (await visitor.edge.post("/webchat/tickets", status=201))["ticket"]

    async with await edge.open(f"{EVENTS}?ticket={ticket}&after={first}") as response:
        assert (await next_of(events(response), "message"))["id"] == missed


async def test_two_streams_of_one_session_tell_the_same_in_the_same_order(visitor: Visitor, shop: Workshop) -> None:
    """Two tabs agree, and with the list."""
    async with await visitor.edge.open(EVENTS) as one, await visitor.edge.open(EVENTS) as other:
        streams = [events(one), events(other)]
        for stream in streams:
            await next_of(stream, "owner")
        for number in range(3):
            await visitor.write(f"text {number}", f"c{number}")
            await answer(shop, visitor, f"answer {number}")
        told = [[(await next_of(stream, "message"))["id"] for _ in range(6)] for stream in streams]

    assert told[0] == told[1] == [message["id"] for message in await visitor.thread()]


async def test_an_unknown_last_id_tells_the_whole_thread(visitor: Visitor, shop: Workshop) -> None:
    """Better again than a gap; the widget knows each message by its id."""
    first = await visitor.write("hello", "a")

    async with await visitor.edge.open(EVENTS, **{"Last-Event-ID": "from another time"}) as response:
        message = await next_of(events(response), "message")

    assert message["id"] == first


async def test_the_stream_tells_when_a_person_takes_over_and_types(
    visitor: Visitor, shop: Workshop, sam: Agent
) -> None:
    """`owner` with their name, `typing` while they write."""
    async with await visitor.edge.open(EVENTS) as response:
        stream = events(response)
        await next_of(stream, "owner")

        async with shop.store() as tx:
            await move_owner(tx, await tx.get(Conversation, visitor.conversation_id), Owner.AGENT, sam.id)
            await tx.commit()
        owner = await next_of(stream, "owner")
        async with shop.store() as tx:
            tx.changed(f"typing:{visitor.conversation_id}")
            await tx.commit()
        typing = await next_of(stream, "typing")

    assert (owner["owner"], owner["name"]) == ("agent", "Sam")
    assert (typing["typing"], typing["name"]) == (True, "Sam")


async def test_the_bot_is_seen_typing_as_soon_as_the_customer_has_written(visitor: Visitor) -> None:
    """Its answer takes a moment; the customer need not wonder."""
    async with await visitor.edge.open(EVENTS) as response:
        stream = events(response)
        await next_of(stream, "owner")

        await visitor.write("hello", "a")
        typing = await next_of(stream, "typing")

    assert (typing["typing"], typing["name"]) == (True, "Harbour Kitchen")


async def test_a_ticket_opens_the_stream_once_and_not_for_long(visitor: Visitor, edge: Edge, clock: Clock) -> None:
    """EventSource cannot send a header; what stands in an address must not be worth keeping."""
    one = (await visitor.edge.post("/webchat/tickets", status=201))["ticket"]
    late = (await visitor.edge.post("/webchat/tickets", status=201))["ticket"]

    async with await edge.open(f"{EVENTS}?ticket={one}") as response:
        assert (await next_of(events(response), "owner"))["owner"] == "bot"
    await edge.get(EVENTS, 401, params={"ticket": one})
    clock.forward(seconds=61)
    await edge.get(EVENTS, 401, params={"ticket": late})
    await edge.with_key(late).get(MESSAGES, 401)


async def test_an_agent_is_shown_by_name_and_the_bot_by_the_business(
    visitor: Visitor, shop: Workshop, sam: Agent
) -> None:
    """The customer always knows who speaks."""
    await answer(shop, visitor, "Hi")
    async with shop.store() as tx:
        conversation = await tx.get(Conversation, visitor.conversation_id)
        message = await say(
            tx,
            conversation,
            "Sam here",
            kind=MessageKind.AGENT,
            author=Author.AGENT,
            author_name=sam.name,
            now=shop.clock(),
        )
        message.delivery = "delivered"
        await tx.commit()

    assert [(m["author"], m["name"]) for m in await visitor.thread()] == [("bot", "Harbour Kitchen"), ("agent", "Sam")]
