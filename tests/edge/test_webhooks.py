"""Twilio's webhooks: believed only when signed, kept once and exactly, answered at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import aiohttp
import pytest
from aiohttp.test_utils import TestServer, unused_port
from twilio.request_validator import RequestValidator

from bot.channels.simulator import Lookalike
from bot.channels.twilio import parse_inbound, parse_status, verify
from bot.core.delivery import problem
from bot.core.pace import Pace
from bot.core.vocabulary import Author, Direction, Medium, MessageKind
from bot.edge.app import create_app
from bot.edge.twilio_port import TwilioPort
from bot.services.entities import Conversation, Delivery, Message, Task
from bot.services.senders import declare, pause
from bot.services.workshop import Workshop
from bot.settings import Settings
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
async def test_another_channel_than_sms_is_refused_with_an_explanation(edge: Edge, shop: Workshop) -> None:
    """A WhatsApp sender that somebody added to the service."""
    form = sms(sender="whatsapp:+15005550001")

    problem = await edge.call("POST", SMS, 400, data=form, headers=signed(SMS, form))

    assert "only SMS and MMS" in problem["detail"]
    assert await kept(shop) == []


@on_sqlite
async def test_fields_that_appear_without_notice_change_nothing(edge: Edge, shop: Workshop) -> None:
    """They are part of what is signed and of nothing else."""
    await edge.twilio(SMS, sms() | {"BuyerMood": "sunny", "NumMedia": "many"})

    (message,) = await kept(shop)
    assert (message.text, message.media) == ("fine i guess", [])


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
    """The account may be shared; the meter says that it happens."""
    await edge.twilio(STATUS, {"MessageSid": "SMother", "MessageStatus": "failed", "ErrorCode": "30003"})
    await edge.twilio(f"{STATUS}?message=gone", {"MessageSid": "SMother", "MessageStatus": "sent"})

    assert await kept(shop) == []
    assert 'afterword_delivery_statuses_total{status="not_ours"} 2.0' in await edge.get("/metrics")


@on_sqlite
async def test_a_sender_that_is_held_back_is_seen_by_whoever_looks_after_it(edge: Edge, shop: Workshop) -> None:
    """/readyz says why and until when and stays ready; /metrics has it by code; neither names a number."""
    await declare(shop.store, Medium.SMS, "+15005550006", Pace(1), now=shop.clock())
    assert "notices" not in await edge.get("/readyz")
    async with shop.store() as tx:
        await pause(tx, Medium.SMS, problem("63038"), now=shop.clock())
        await tx.commit()

    ready, metrics = await edge.get("/readyz"), await edge.get("/metrics")

    assert ready["ready"]
    assert ready["notices"]["sms"].startswith("our account's daily limit is reached (63038): every text waits, until")
    assert 'afterword_sender_paused_seconds{code="63038",hold="everything",medium="sms"} 86400.0' in metrics
    assert "15005550006" not in metrics + str(ready)


KEY = ("webhooks_sharedkey_1", "a-shared-key-only-for-tests")


@on_sqlite
@pytest.mark.parametrize(
    ("configured", "signs_with", "taken"),
    [
        (None, None, True),
        (None, KEY, False),
        (KEY, KEY, True),
        (KEY, None, False),
        (KEY, (KEY[0], "another secret"), False),
        (KEY, ("webhooks_sharedkey_2", KEY[1]), False),
    ],
    ids=["sha-1", "sha-256 without its key", "sha-256", "sha-1 again", "a wrong secret", "another key"],
)
async def test_the_look_alike_signs_either_way_and_only_the_configured_one_counts(
    shop: Workshop, tmp_path: Path, configured: tuple[str, str] | None, signs_with: tuple[str, str] | None, taken: bool
) -> None:
    """End to end over sockets, for messages and statuses alike: an account on SHA-256 takes nothing weaker."""
    port = unused_port()
    keys = f"{configured[0]}={configured[1]}" if configured else ""
    settings = Settings(port=port, twilio_auth_token=TWILIO_TOKEN, twilio_shared_keys=keys, worker=False)
    check = partial(verify, auth_token=TWILIO_TOKEN, shared_keys=settings.shared_keys())
    app = create_app(shop, settings, twilio=TwilioPort(check, parse_inbound, parse_status))
    url = settings.base_url()
    async with TestServer(app, port=port), aiohttp.ClientSession() as session:
        twilio = Lookalike(
            tmp_path / "book.sqlite",
            "AC" + "0" * 32,
            TWILIO_TOKEN,
            "+15005550006",
            url + SMS,
            url + STATUS,
            session,
            pace=0.001,
            retry_pause=0.001,
            shared_key=signs_with,
        )
        sid = await twilio.receive("+15005550001", "hello")
        await twilio.accept("+15005550001", "ours", media=0, service=None, callback=None)
        await twilio.settle()
        async with session.get(f"{url}/metrics") as answer:
            statuses = "afterword_delivery_statuses_total{" in await answer.text()
        await twilio.close()

    assert (sid not in twilio.untaken) == taken
    assert len(await kept(shop)) == taken
    assert statuses == taken
