"""A customer's message is stored once, numbered, queued, and never lost."""

from __future__ import annotations

import asyncio

from bot.core.errors import Conflict
from bot.core.vocabulary import Medium
from bot.services.delivering import record_status
from bot.services.entities import Change, Conversation, Message, Task
from bot.services.inbound import Received, receive_sms, receive_webchat
from bot.services.intake import receive_service_event
from tests.services.house import PHONE, House, lunch


async def test_the_same_sms_at_once_is_one_message(house: House) -> None:
    """Twilio may call twice in the same instant."""
    await house.arrives("hello")
    kept = await asyncio.gather(
        *(receive_sms(house.shop, PHONE, Received("again", provider_id="SM9")) for _ in range(4))
    )

    assert len({message.id for message in kept}) == 1
    assert len(await house.all(Message)) == 2


async def test_a_burst_is_numbered_without_gaps_and_queued_once_each(house: House) -> None:
    """Eight at once: eight positions, eight tasks, one lock."""
    await house.arrives("hello")
    await asyncio.gather(*(house.arrives(f"remark {number}") for number in range(8)))

    messages = await house.all(Message, order_by="position")
    tasks = await house.all(Task, kind="handle_message", order_by="id")
    assert [message.position for message in messages] == list(range(1, 10))
    assert [task.payload["message_id"] for task in tasks] == [message.id for message in messages]
    assert len({task.lock for task in tasks}) == 1


async def test_the_first_words_of_a_stranger_may_come_in_two_texts_at_once(house: House) -> None:
    """Whoever loses the race to begin the thread is told to come again, and nothing is doubled."""

    async def insist(number: int) -> Message:
        while True:
            try:
                return await receive_sms(house.shop, PHONE, Received(f"part {number}", provider_id=f"SM{number}"))
            except Conflict:
                continue

    await asyncio.gather(*(insist(number) for number in range(4)))

    assert len(await house.all(Conversation)) == 1
    assert len(await house.all(Message)) == 4


async def test_messages_without_an_identifier_are_all_kept(house: House) -> None:
    """Two equal texts may be meant twice; our own words in the thread are no copy of theirs either."""
    event, _ = await receive_service_event(house.shop, lunch(medium=Medium.WEBCHAT))
    await house.worker.drain()
    conversation = await house.one(Conversation, medium=Medium.WEBCHAT)

    for _ in range(2):
        await receive_webchat(house.shop, conversation.id, Received("ok"))
        await receive_sms(house.shop, PHONE, Received("ok"))

    assert len(await house.all(Message, text="ok")) == 4
    assert event.verdict == "pending"


async def test_the_same_web_message_is_kept_once_in_its_conversation(house: House) -> None:
    """The widget sends again after a reconnect; another visitor may use the same number."""
    await receive_service_event(house.shop, lunch(medium=Medium.WEBCHAT))
    web = await house.one(Conversation, medium=Medium.WEBCHAT)
    await house.arrives("hello")
    sms = await house.one(Conversation, medium=Medium.SMS)

    kept = [await receive_webchat(house.shop, web.id, Received("hi", client_id="7")) for _ in range(3)]
    other = await receive_webchat(house.shop, sms.id, Received("hi", client_id="7"))

    assert len({message.id for message in kept}) == 1
    assert other.id != kept[0].id


async def test_open_pages_are_told(house: House) -> None:
    """The thread and the desk look again."""
    message = await house.arrives("hello")

    assert {change.topic for change in await house.all(Change)} == {f"conversation:{message.conversation_id}", "desk"}


async def test_a_status_of_a_message_that_is_not_ours_is_ignored(house: House) -> None:
    """The provider may report on what others sent; the customer's own text has no delivery."""
    message = await house.arrives("hello", provider_id="SM1")

    await record_status(house.shop, message_id=None, provider_id="SM404", status="sent", error_code=None)
    await record_status(house.shop, message_id=None, provider_id="SM1", status="failed", error_code="21610")

    assert (await house.one(Message)).delivery == message.delivery == "received"
