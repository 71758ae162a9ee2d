"""Twilio's webhooks: believed only when signed, kept once and exactly, answered at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from twilio.request_validator import RequestValidator

from bot.core.vocabulary import Author, Direction, MessageKind
from bot.services.entities import Conversation, Delivery, Message, Task
from bot.services.workshop import Workshop
from tests.edge.conftest import PUBLIC, TWILIO_TOKEN, Edge, on_sqlite

SMS = "/webhooks/twilio/sms"
STATUS = "/webhooks/twilio/status"


def sms(body: str = "fine i guess", sid: str = "SM1", sender: str = "+15005550001") -> dict[str, str]:
    """An inbound form with the fields that matter and some that do not."""
    return {"MessageSid": sid, "From": sender, "To": "+15005550006", "Body": body, "NumMedia": "0", "FromCity": ""}


async def kept(shop: Workshop) -> list[Message]:
    """Every message, as numbered."""
    async with shop.store(read_only=True) as tx:
        return await tx.all(Message, order_by="position")


@on_sqlite
async def test_a_signed_message_is_kept_queued_and_answered_with_nothing_to_say(edge: Edge, shop: Workshop) -> None:
    """The reply leaves through the outbox, so the webhook itself says nothing."""
    answer = await edge.twilio(SMS, sms())

    assert answer == "<Response/>"
    (message,) = await kept(shop)
    assert (message.text, message.provider_id, message.direction) == ("fine i guess", "SM1", Direction.IN)
    async with shop.store(read_only=True) as tx:
        assert [task.kind for task in await tx.all(Task)] == ["handle_message"]


@on_sqlite
@pytest.mark.parametrize("path", [SMS, STATUS])
async def test_an_unsigned_or_wrongly_signed_webhook_is_refused(edge: Edge, shop: Workshop, path: str) -> None:
    """A check that only runs when there is a signature would be open."""
    form = {**sms(), "MessageStatus": "sent"}

    problem = await edge.call("POST", path, 403, data=form)
    await edge.call("POST", path, 403, data=form, headers={"X-Twilio-Signature": "bm90IGEgc2lnbmF0dXJl"})
    await edge.twilio(path, form, 403, token="somebody else's token")

    assert problem["status"] == 403
    assert await kept(shop) == []


@on_sqlite
async def test_a_signature_for_another_address_is_refused(edge: Edge) -> None:
    """What was signed is the address as well as the form."""
    form = sms()

    await edge.call("POST", SMS, 403, data=form, headers=signed(STATUS, form))


async def test_the_same_message_twice_is_kept_once(edge: Edge, shop: Workshop) -> None:
    """Even when both copies arrive at the same time, from somebody we have never heard of."""
    await asyncio.gather(*(edge.twilio(SMS, sms()) for _ in range(5)))

    assert len(await kept(shop)) == 1


async def test_several_messages_of_a_stranger_at_once_are_all_kept(edge: Edge, shop: Workshop) -> None:
    """They meet in the rows of the new customer; Twilio would not come back for any of them."""
    await asyncio.gather(*(edge.twilio(SMS, sms(str(n), f"SM{n}")) for n in range(4)))

    messages = await kept(shop)
    assert sorted(message.text for message in messages) == ["0", "1", "2", "3"]
    assert [message.position for message in messages] == [1, 2, 3, 4]
    assert len({message.conversation_id for message in messages}) == 1


@on_sqlite
@pytest.mark.parametrize(
    "body",
    [
        "<script>alert(1)</script><img src=x onerror=alert(1)>",
        "'; DROP TABLE messages; --",
        "👩🏽‍🍳🔥 so-so 🤷",
        "غذا خوب بود ولی نزدیک یک ساعت منتظر ماندیم \u200f",
        "",
        "   \n leading and trailing \t\r\n ",
        "a+b=c&d=%20%2B",
        "x" * 5000,
        "\u2028line\u2029separator",
    ],
    ids=["script", "sql", "emoji", "persian", "empty", "spaces", "form characters", "5,000", "separators"],
)
async def test_words_are_kept_exactly_as_they_were_sent(edge: Edge, shop: Workshop, body: str) -> None:
    """Nothing is trimmed, cut or decoded twice."""
    await edge.twilio(SMS, sms(body))

    (message,) = await kept(shop)
    assert message.text == body


@on_sqlite
async def test_a_picture_without_words_is_kept(edge: Edge, shop: Workshop) -> None:
    """Twilio leaves out the Body of some of them."""
    form = sms() | {"NumMedia": "1", "MediaUrl0": "https://api.example/m/1", "MediaContentType0": "image/jpeg"}
    del form["Body"]

    await edge.twilio(SMS, form)

    (message,) = await kept(shop)
    assert message.text == ""
    assert message.media == [{"url": "https://api.example/m/1", "content_type": "image/jpeg"}]


@on_sqlite
async def test_a_sender_that_is_no_number_is_kept_as_it_is(edge: Edge, shop: Workshop) -> None:
    """Short codes and names write too."""
    await edge.twilio(SMS, sms(sender="HARBOUR"))
    await edge.twilio(SMS, sms(sid="SM2", sender="HARBOUR"))

    first, second = await kept(shop)
    assert first.conversation_id == second.conversation_id


@on_sqlite
async def test_a_form_without_what_twilio_always_sends_is_refused(edge: Edge) -> None:
    """A retry would not help, and the answer names what is missing."""
    form = sms()
    del form["MessageSid"]

    problem = await edge.client.post(SMS, data=form, headers=signed(SMS, form))

    assert problem.status == 400
    assert "MessageSid" in (await problem.json(content_type=None))["detail"]


def signed(path: str, form: dict[str, str]) -> dict[str, str]:
    """The header Twilio would send."""
    return {"X-Twilio-Signature": RequestValidator(TWILIO_TOKEN).compute_signature(PUBLIC + path, form)}


@on_sqlite
async def test_a_request_that_is_too_large_is_refused(edge: Edge) -> None:
    """Before it is read when it says how large it is, else as soon as it has become too large."""

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b"x" * 65536

    problem = await edge.call("POST", SMS, 413, data=b"Body=" + b"x" * (1024 * 1024 + 1))
    await edge.call("POST", SMS, 413, data=endless())

    assert "1048576 bytes" in problem["detail"]


@on_sqlite
async def test_a_delivery_status_finds_our_message_and_only_moves_forward(edge: Edge, shop: Workshop) -> None:
    """By our own id in the callback's address, before we even know the provider's; twice and out of order."""
    await edge.twilio(SMS, sms())
    async with shop.store() as tx:
        conversation = await tx.one(Conversation)
        assert conversation is not None
        tx.add(
            Message(
                id="ours",
                conversation_id=conversation.id,
                position=await tx.conversations.next_position(conversation.id),
                direction=Direction.OUT,
                author=Author.BOT,
                kind=MessageKind.DIALOGUE,
                text="Thank you",
                at=shop.clock(),
                delivery="sending",
            )
        )
        await tx.commit()
    path = f"{STATUS}?message=ours"

    for status in ("delivered", "sent", "delivered"):
        await edge.twilio(path, {"MessageSid": "SM9", "MessageStatus": status})

    async with shop.store(read_only=True) as tx:
        message = await tx.get(Message, "ours")
        reported = await tx.all(Delivery, message_id="ours")
    assert (message.delivery, message.provider_id) == ("delivered", "SM9")
    assert sorted(one.status for one in reported) == ["delivered", "sent"]


@on_sqlite
async def test_a_status_of_a_message_we_never_sent_is_taken_and_forgotten(edge: Edge, shop: Workshop) -> None:
    """The account may be shared."""
    await edge.twilio(STATUS, {"MessageSid": "SMother", "MessageStatus": "failed", "ErrorCode": "30003"})

    assert await kept(shop) == []
