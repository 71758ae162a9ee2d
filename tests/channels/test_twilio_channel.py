"""Sending through Twilio: the real client, one attempt, and an honest word about what happened."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port

from bot.channels.twilio import TwilioChannel
from bot.core.errors import ChannelError
from bot.services.ports import SentMessage
from tests.channels.town import ACCOUNT, NUMBER, PHONE, TOKEN, Open, Town, outbound


async def test_a_text_is_handed_over(town: Town) -> None:
    """A sent text is accepted under Twilio's id and arrives on the phone, letter for letter."""
    text = "Ayşe, çorbanız nasıldı? 🙂 100% & more+more"

    accepted = await town.channel().send(outbound(text))

    assert accepted.provider_id.startswith("SM")
    assert accepted.status == "queued"
    assert [(item["sid"], item["body"]) for item in await town.phone()] == [(accepted.provider_id, text)]


async def test_what_is_asked_of_twilio(town: Town) -> None:
    """Our message id in the callback address, a short validity, and a fresh connection that cannot have gone stale."""
    await town.channel().send(outbound(message_id="m/1 ü"))

    [post] = town.posts
    form = parse_qs(post.body.decode())
    assert form["From"] == [NUMBER]
    assert form["To"] == [PHONE]
    assert form["StatusCallback"] == [f"{town.url}/webhooks/twilio/status?message=m%2F1+%C3%BC"]
    assert 5 < int(form["ValidityPeriod"][0]) <= 3600
    assert post.headers["Connection"] == "close"


async def test_statuses_come_back_with_our_own_id(town: Town) -> None:
    """Signed callbacks report sent, then delivered, and name the message in our words."""
    accepted = await town.channel().send(outbound(message_id="m-7"))

    await town.lookalike.settle()

    assert [(s.status, s.provider_id, s.message_id, s.error_code) for s in town.statuses] == [
        ("sent", accepted.provider_id, "m-7", None),
        ("delivered", accepted.provider_id, "m-7", None),
    ]
    assert town.refused == []


async def test_a_messaging_service_can_be_the_sender(town: Town) -> None:
    """With MG… as the sender, Twilio picks the number."""
    service = "MG" + "0" * 32

    accepted = await town.channel(sender=service).send(outbound())

    assert accepted.status == "accepted"
    assert parse_qs(town.posts[0].body.decode())["MessagingServiceSid"] == [service]
    assert [item["from"] for item in await town.phone()] == [NUMBER]


async def test_the_callbacks_retry_wish_stays_a_fragment(town: Town) -> None:
    """`#rc=3&rp=all` asks Twilio for retries; our id goes into the query before it, not after it."""
    channel = TwilioChannel(
        town.session,
        ACCOUNT,
        TOKEN,
        NUMBER,
        f"{town.url}/webhooks/twilio/status?tenant=1#rc=3&rp=all",
        base_url=f"{town.url}/simulator/twilio",
    )

    await channel.send(outbound())
    await town.lookalike.settle()

    expected = f"{town.url}/webhooks/twilio/status?tenant=1&message=m-1#rc=3&rp=all"
    assert parse_qs(town.posts[0].body.decode())["StatusCallback"] == [expected]
    assert [status.message_id for status in town.statuses] == ["m-1", "m-1"]


async def failure(channel: TwilioChannel, **what: str) -> ChannelError:
    """The error that a send ends in."""
    with pytest.raises(ChannelError) as caught:
        await channel.send(outbound(**what))
    assert PHONE not in str(caught.value)
    return caught.value


async def test_a_refusal_is_final(town: Town) -> None:
    """A 4xx of Twilio is permanent and keeps its code."""
    error = await failure(town.channel(), to="+1")

    assert (error.permanent, error.ambiguous, error.code) == (True, False, "21211")


async def test_wrong_credentials_are_final(town: Town) -> None:
    """A refused login is Twilio's 20003."""
    error = await failure(town.channel(auth_token="wrong"))

    assert (error.permanent, error.ambiguous, error.code) == (True, False, "20003")


async def test_an_opted_out_number_is_refused(town: Town) -> None:
    """21610 in the answer."""
    await town.break_with("21610")

    error = await failure(town.channel())

    assert (error.permanent, error.ambiguous, error.code) == (True, False, "21610")
    assert await town.phone() == []


async def test_too_many_requests_can_be_tried_again(town: Town) -> None:
    """429 took nothing: safe to try again, after the time Twilio names."""
    await town.break_with("429")

    error = await failure(town.channel())

    assert (error.permanent, error.ambiguous, error.code, error.retry_after) == (False, False, "20429", 1.0)
    assert len(town.posts) == 1


async def test_a_server_error_is_ambiguous_and_not_posted_again(town: Town) -> None:
    """After a 500 nobody knows; there is exactly one POST."""
    await town.break_with("500")

    error = await failure(town.channel())

    assert (error.permanent, error.ambiguous) == (False, True)
    assert len(town.posts) == 1


async def test_silence_is_ambiguous_and_the_message_may_have_left(town: Town) -> None:
    """A timeout is ambiguous: here the message did leave, exactly once, and its callbacks still name it."""
    await town.break_with("timeout")

    error = await failure(town.channel(timeout=0.2))

    assert (error.permanent, error.ambiguous) == (False, True)
    assert [item["body"] for item in await town.phone()] == ["How was everything?"]
    assert [(status.status, status.message_id) for status in town.statuses] == [("sent", "m-1"), ("delivered", "m-1")]


async def test_nobody_there_can_be_tried_again(town: Town) -> None:
    """When no connection came about, nothing was sent."""
    channel = TwilioChannel(
        town.session, ACCOUNT, TOKEN, NUMBER, town.url, base_url=f"http://127.0.0.1:{unused_port()}"
    )

    error = await failure(channel)

    assert (error.permanent, error.ambiguous) == (False, False)


@asynccontextmanager
async def a_server_that_answers(
    status: int, body: str, **headers: str
) -> AsyncIterator[tuple[TwilioChannel, list[str]]]:
    """A channel whose Twilio always answers the same, and the requests it got."""
    seen: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request.method)
        return web.Response(status=status, text=body, content_type="application/json", headers=headers)

    app = web.Application()
    app.router.add_route("*", "/{anything:.*}", answer)
    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        yield TwilioChannel(session, ACCOUNT, TOKEN, NUMBER, "http://edge/", base_url=str(server.make_url(""))), seen


@pytest.mark.parametrize(
    ("status", "body", "permanent", "ambiguous", "code"),
    [
        (503, "busy", False, True, "503"),
        (502, "<html>", False, True, "502"),
        (307, "", False, True, "307"),
        (201, "not json", False, True, None),
        (201, "{}", False, True, None),
        (400, '{"type": "t", "title": "t", "status": 400, "code": 21614}', True, False, "21614"),
        (404, "", True, False, "404"),
        (429, "", False, False, "429"),
    ],
)
async def test_every_answer_has_one_meaning(
    status: int, body: str, permanent: bool, ambiguous: bool, code: str | None
) -> None:
    """Whatever comes back, it is posted once and read as final, ambiguous or worth another try."""
    async with a_server_that_answers(status, body) as (channel, seen):
        error = await failure(channel)

    assert (error.permanent, error.ambiguous, error.code) == (permanent, ambiguous, code)
    assert seen == ["POST"]


ANSWERED = "Wed, 21 Oct 2026 07:28:00 GMT"


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("wish", "seconds"),
    [
        ("17", 17.0),
        ("0", 0.0),
        ("2.5", 2.5),
        (" 30 ", 30.0),
        ("Wed, 21 Oct 2026 07:29:30 GMT", 90.0),
        ("Wed, 21 Oct 2026 07:29:30 -0000", 90.0),
        ("Wed, 21 Oct 2026 07:20:00 GMT", 0.0),
        ("-5", None),
        ("soon", None),
        ("٣", None),
        ("", None),
    ],
)
async def test_the_time_to_wait_is_read_in_both_forms(status: int, wish: str, seconds: float | None) -> None:
    """Seconds, or a date, which counts from the date of the answer itself: our clock may be wrong."""
    async with a_server_that_answers(status, "", **{"Retry-After": wish, "Date": ANSWERED}) as (channel, _):
        error = await failure(channel)

    assert error.retry_after == seconds
    assert error.ambiguous == (status == 503)


@pytest.mark.parametrize(
    ("left", "asked"), [(None, 900), (timedelta(hours=9), 900), (timedelta(minutes=5), 300), (timedelta(0), 1)]
)
async def test_a_question_expires_before_the_customers_night(town: Town, left: timedelta | None, asked: int) -> None:
    """Twilio may queue it for a quarter of an hour, and no longer than the customer's day lasts."""
    await town.channel().send(replace(outbound(), valid_for=left))

    assert parse_qs(town.posts[0].body.decode())["ValidityPeriod"] == [str(asked)]


async def test_a_connection_cut_in_the_middle_is_ambiguous(town: Town) -> None:
    """The request was written and the line went dead: it may have been sent."""

    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.close()

    server = await asyncio.start_server(cut, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        channel = TwilioChannel(town.session, ACCOUNT, TOKEN, NUMBER, town.url, base_url=f"http://127.0.0.1:{port}")

        error = await failure(channel)

    assert (error.permanent, error.ambiguous) == (False, True)


async def test_reconciling_finds_what_left(town: Town) -> None:
    """After silence, Twilio is asked what it took: newest first, outbound, to that number, since then."""
    since = datetime.now(UTC)
    await town.break_with("timeout")
    await failure(town.channel(timeout=0.2), text="the one in doubt")
    await town.channel().send(outbound("later", message_id="m-2"))
    await town.channel().send(outbound("elsewhere", to="+15005550009"))
    await town.write("a reply")
    await town.lookalike.settle()

    found = await town.channel().reconcile(PHONE, since)

    assert [(message.text, message.status, message.to) for message in found] == [
        ("later", "delivered", PHONE),
        ("the one in doubt", "delivered", PHONE),
    ]
    assert all(isinstance(message, SentMessage) and message.created_at.tzinfo for message in found)
    assert await town.channel().reconcile(PHONE, since + timedelta(hours=1)) == []


async def test_reconciling_finds_what_is_still_queued(open_town: Open) -> None:
    """A message that has not left Twilio's queue has no date of sending, and is found all the same."""
    town = await open_town(pace=60)
    since = datetime.now(UTC)
    await town.channel().send(outbound("still waiting"))

    found = await town.channel().reconcile(PHONE, since)

    assert [(message.text, message.status, message.error_code) for message in found] == [
        ("still waiting", "queued", None)
    ]


async def test_reconciling_reads_every_page(town: Town) -> None:
    """More messages than fit on one page are all found."""
    since = datetime.now(UTC)
    for n in range(55):
        await town.lookalike.accept(PHONE, f"number {n}", media=0, service=None, callback=None)

    found = await town.channel().reconcile(PHONE, since)

    assert [message.text for message in found] == [f"number {n}" for n in reversed(range(55))]


async def test_reconciling_can_fail_without_consequence(town: Town) -> None:
    """Asking can be tried again whatever went wrong, because asking sends nothing."""
    with pytest.raises(ChannelError) as caught:
        await town.channel(auth_token="wrong").reconcile(PHONE, datetime.now(UTC))

    assert (caught.value.permanent, caught.value.ambiguous) == (False, False)


async def test_no_number_and_no_word_in_the_log(town: Town, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever the level of logging, neither a phone number nor a text is written down."""
    caplog.set_level(0)
    await town.channel().send(outbound("a private matter"))
    await town.channel().reconcile(PHONE, datetime.now(UTC))
    await town.write("another private matter")
    await town.break_with("500")
    await failure(town.channel())
    await town.lookalike.settle()

    ours = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith(("bot", "twilio")))
    assert PHONE[1:] not in ours
    assert "private" not in ours


async def test_the_list_has_what_both_sides_wrote_oldest_first(town: Town) -> None:
    """What a webhook would have told, for when none came."""
    since = datetime.now(UTC) - timedelta(minutes=1)
    await town.channel().send(outbound("How was everything?"))
    await town.lookalike.settle()
    await town.lookalike.receive(PHONE, "fine", media=[("https://example.org/1", "image/png")])

    ours, theirs = await town.channel().listed_since(since)

    assert (ours.inbound, ours.address, ours.text, ours.status) == (False, PHONE, "How was everything?", "delivered")
    assert (theirs.inbound, theirs.address, theirs.text, len(theirs.media)) == (True, PHONE, "fine", 1)


async def test_the_list_leaves_out_other_senders_of_the_account(town: Town) -> None:
    """Another number of the same account is somebody else's business."""
    await town.lookalike.receive(PHONE, "hello")
    other = town.channel(sender="+15005550007")

    assert await other.listed_since(datetime.now(UTC) - timedelta(minutes=1)) == []
