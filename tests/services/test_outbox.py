"""The last gate before a message leaves, and what becomes of it after: never twice, never at night, never unasked."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from bot.core.errors import ChannelError
from bot.core.vocabulary import Medium, Owner, Verdict
from bot.services.conversing import load_turn
from bot.services.delivering import record_status
from bot.services.entities import CheckIn, ContactPoint, Conversation, Decision, Delivery, Message, ServiceEvent, Task
from bot.services.ports import Accepted, Outbound, SentMessage
from bot.store.unit_of_work import SqlStore
from tests.services.house import CONTENT, House

LOST = ChannelError("the answer was lost", ambiguous=True)


async def reports(house: House, status: str, code: str | None = None, *, of: int = 0) -> None:
    """The provider calls back about one of our messages."""
    message = (await house.all(Message, direction="out", order_by="position"))[of]
    await record_status(
        house.shop, message_id=message.id, provider_id=message.provider_id or "SM77", status=status, error_code=code
    )


async def delivery(house: House) -> tuple[str, str | None]:
    """Where the only message of ours stands, and why."""
    message = await house.one(Message, direction="out")
    return message.delivery, message.delivery_error


def listed(house: House, text: str, status: str = "delivered", provider_id: str = "SM77") -> SentMessage:
    """What the provider says of a message it took."""
    return SentMessage(provider_id, "+447700900001", text, status, None, house.shop.clock())


async def test_what_may_have_been_sent_is_never_sent_again_blindly(house: House) -> None:
    """A timeout leaves it open, until the provider has been asked."""
    house.sms.fails_with = [LOST]
    await house.writes("hello")
    house.later(seconds=10)
    await house.worker.drain()

    assert house.sms.sent == []
    assert await delivery(house) == ("unconfirmed", "the answer was lost")


async def test_what_the_provider_lists_was_sent(house: House) -> None:
    """Its id and its status become the message's; it is not sent again, however much later."""
    house.sms.fails_with = [LOST]
    await house.writes("hello")
    house.sms.lists = [listed(house, (await house.one(Message, direction="out")).text)]
    house.later(days=1)
    await house.worker.drain()

    assert house.sms.sent == []
    assert await delivery(house) == ("delivered", None)
    assert (await house.one(Message, direction="out")).provider_id == "SM77"


async def test_the_same_words_sent_before_are_another_message(house: House) -> None:
    """Whose id we know already."""
    await house.writes("hello")
    first = await house.one(Message, direction="out")
    house.sms.fails_with = [LOST]
    await house.writes("hello")
    house.sms.lists = [listed(house, first.text, provider_id=str(first.provider_id))]
    house.later(seconds=30)
    await house.worker.drain()

    second = (await house.all(Message, direction="out", order_by="position"))[1]
    assert (second.text, second.delivery) == (first.text, "unconfirmed")


async def test_what_the_provider_never_took_is_sent_once(house: House) -> None:
    """It is asked again for two minutes before its silence is believed."""
    house.sms.fails_with = [LOST]
    await house.writes("hello")
    for _ in range(3):
        house.later(seconds=30)
        await house.worker.drain()
        assert house.sms.sent == []
    for _ in range(6):
        house.later(seconds=30)
        await house.worker.drain()

    assert len(house.sms.sent) == 1
    assert (await delivery(house))[0] == "queued"


async def test_what_was_written_after_it_waits_for_it(house: House) -> None:
    """The customer reads the thread in the order it was written, whatever became of the first answer."""
    house.sms.fails_with = [LOST]
    await house.writes("hello")
    await house.writes("are you there?")
    assert house.sms.sent == []
    for _ in range(9):
        house.later(seconds=30)
        await house.worker.drain()

    written = [message.id for message in await house.all(Message, direction="out", order_by="position")]
    assert [outbound.message_id for outbound in house.sms.sent] == written
    assert len(written) == 2


async def test_a_provider_that_cannot_be_asked_is_asked_later(house: House) -> None:
    """Nothing is decided without its answer."""
    house.sms.fails_with = [LOST]
    await house.writes("hello")

    async def away(to: str, since: datetime) -> list[SentMessage]:
        raise ChannelError("Twilio could not be asked")

    house.sms.reconcile = away  # type: ignore[method-assign]
    house.later(minutes=10)
    await house.worker.drain()

    assert house.sms.sent == []
    assert (await delivery(house))[0] == "unconfirmed"


async def test_a_message_cut_off_before_it_was_handed_over_arrives_all_the_same(house: House) -> None:
    """The transaction that wrote it had begun its sending, and the process died there."""

    class Beginning:
        """A worker that takes tasks and dies."""

        lease = timedelta(minutes=1)

        def room(self) -> int:
            return 10

        def take(self, tasks: Sequence[Task], *, more: bool) -> None:
            """Nothing comes of it."""

    store = house.shop.store
    assert isinstance(store, SqlStore)
    store.worker = Beginning()
    await house.writes("hello")
    house.later(minutes=2, seconds=12)
    await house.worker.drain()
    store.worker = None
    for _ in range(12):
        house.later(seconds=61)
        await house.worker.drain()

    assert len(house.sms.sent) == 1
    assert (await delivery(house))[0] == "queued"


async def test_a_status_settles_what_was_left_open(house: House) -> None:
    """Our own id came back with the callback: it had been sent after all."""
    house.sms.fails_with = [LOST]
    await house.writes("hello")

    await reports(house, "delivered")

    assert (await house.one(Message, direction="out")).delivery == "delivered"
    assert (await house.one(Message, direction="out")).provider_id == "SM77"


@pytest.mark.parametrize("status", ["queued", "sending"])
async def test_a_status_that_sounds_like_our_own_sends_nothing_again(house: House, status: str) -> None:
    """The provider says that it has the message in its queue: it was taken."""
    house.sms.fails_with = [LOST]
    await house.writes("hello")
    await reports(house, status)
    for _ in range(8):
        house.later(seconds=30)
        await house.worker.drain()

    assert house.sms.sent == []
    assert (await delivery(house))[0] == status


async def test_a_worker_that_dies_while_sending_leaves_it_unconfirmed(house: House) -> None:
    """Marked `sending` and then nothing: the next worker finds it so and does not try again."""

    class Died(Exception):
        """In place of a power cut."""

    house.sms.fails_with = [Died()]  # type: ignore[list-item]
    await house.writes("hello")
    assert await delivery(house) == ("sending", None)
    house.later(minutes=2, seconds=12)
    await house.worker.drain()

    assert house.sms.sent == []
    assert await delivery(house) == ("unconfirmed", "handed over, but the answer was lost")


async def test_a_callback_that_is_faster_than_the_answer_is_not_undone_by_it(house: House) -> None:
    """`delivered` arrives while our request is still waiting for its `queued`."""

    async def overtaken(outbound: Outbound) -> Accepted:
        await reports(house, "delivered")
        return Accepted("SM77", "queued")

    house.sms.send = overtaken  # type: ignore[method-assign]
    await house.writes("hello")

    assert (await delivery(house))[0] == "delivered"


async def test_a_delivery_only_moves_forward_and_every_report_is_kept(house: House) -> None:
    """A late `sent` never overwrites `failed`; the record has both, once each."""
    await house.writes("hello")
    for status, code in (("sent", None), ("failed", "99999"), ("sent", None), ("queued", None), ("nonsense", None)):
        await reports(house, status, code)

    assert await delivery(house) == ("failed", "99999")
    assert sorted(d.status for d in await house.all(Delivery)) == ["failed", "nonsense", "queued", "sent"]


async def test_a_busy_channel_is_tried_again_when_it_says_so(house: House) -> None:
    """`Retry-After` is never undercut; without it each pause is twice the last; each is up to a tenth longer."""
    busy = ChannelError("busy", retry_after=17)
    house.sms.fails_with = [busy, ChannelError("away"), ChannelError("away")]
    await house.writes("hello")

    pauses = []
    while not house.sms.sent:
        before = house.clock.now
        while not (await house.worker.drain()):
            house.later(seconds=1)
        pauses.append((house.clock.now - before).total_seconds())

    assert [17 <= pauses[0] <= 19, 4 <= pauses[1] <= 5, 8 <= pauses[2] <= 9] == [True] * 3
    assert house.sms.texts == ["How was everything?"]


async def test_a_channel_that_never_recovers_is_given_up(house: House) -> None:
    """After a dozen tries the message has failed, and what waits behind it goes on."""
    house.sms.fails_with = [ChannelError("away")] * 12
    await house.writes("hello")
    for _ in range(12):
        house.later(minutes=6)
        await house.worker.drain()
    await house.writes("anyone?")

    assert [state for _, state in await house.outbox()] == ["failed", "queued"]


async def test_what_waits_behind_a_busy_channel_keeps_its_order(house: House) -> None:
    """The second message does not overtake the first while that is being retried."""
    house.sms.fails_with = [ChannelError("busy", retry_after=30)]
    house.dialogue.says = ["first", "second"]
    await house.writes("hello")
    assert house.sms.texts == []

    house.later(seconds=33)
    await house.worker.drain()

    assert house.sms.texts == ["first", "second"]


@pytest.mark.parametrize(
    ("code", "told"),
    [("21610", "opted_out_at"), ("21211", "invalid_since"), ("30006", "invalid_since"), ("99999", None)],
)
async def test_a_final_refusal_fails_and_teaches_us_about_the_number(house: House, code: str, told: str | None) -> None:
    """21610 suppresses, an invalid number is remembered as one, an unknown code is kept and teaches nothing."""
    house.sms.fails_with = [ChannelError("refused", permanent=True, code=code)]
    await house.serve()

    assert await delivery(house) == ("failed", code)
    point = await house.one(ContactPoint)
    learnt = {name for name in ("opted_out_at", "invalid_since") if getattr(point, name)}
    assert learnt == ({told} if told else set())
    house.later(hours=25)
    await house.worker.drain()
    expected = Verdict.OPTED_OUT if code == "21610" else Verdict.UNREACHABLE
    assert (await house.one(ServiceEvent)).verdict is expected


async def test_nothing_but_an_answer_leaves_for_an_address_that_is_somebody_elses(house: House) -> None:
    """The question waited in the outbox while its number turned out to be wrong."""
    house.sms.fails_with = [ChannelError("busy", retry_after=30)]
    await house.serve()
    async with house.shop.store() as tx:
        point = await tx.one(ContactPoint)
        assert point is not None
        point.invalid_since = house.clock.now
        await tx.commit()
    house.later(seconds=33)
    await house.writes("who is this?")

    assert house.sms.texts == ["How was everything?"]
    assert await house.outbox() == [("How was everything?", "withheld"), ("How was everything?", "queued")]


async def test_a_question_held_up_until_night_waits_for_the_morning(house: House) -> None:
    """Quiet hours are asked again at the door: the channel was down from before eight until after."""
    house.at(19, 59)
    house.sms.fails_with = [ChannelError("down", retry_after=120)]
    await house.serve(finished_at=house.clock.now - timedelta(hours=1))
    house.later(minutes=2, seconds=12)
    await house.worker.drain()
    assert house.sms.texts == []

    house.at(8, 59, days=1)
    await house.worker.drain()
    assert house.sms.texts == []
    house.at(9)
    await house.worker.drain()
    assert house.sms.texts == ["How was everything?"]


async def test_who_writes_at_night_is_answered_at_night_and_not_asked_again_in_the_morning(house: House) -> None:
    """The question that waits holds back no answer, and loses its point."""
    house.at(19, 59)
    house.sms.fails_with = [ChannelError("down", retry_after=120)]
    await house.serve(finished_at=house.clock.now - timedelta(hours=1))
    house.later(minutes=2, seconds=12)
    await house.worker.drain()

    house.reading, house.dialogue.says = CONTENT, ["Lovely, thank you."]
    await house.writes("by the way, dinner was lovely")
    assert house.sms.texts == ["Lovely, thank you."]
    house.at(9, days=1)
    await house.worker.drain()

    assert house.sms.texts == ["Lovely, thank you."]
    question = (await house.all(Message, direction="out", order_by="position"))[0]
    assert (question.delivery, question.delivery_error) == ("withheld", "the customer wrote first")


async def test_an_agent_writes_when_they_choose(house: House) -> None:
    """Hours, versions and owners hold back the bot and not a person; only an opt-out does."""
    sam = await house.hires()
    case = await house.complains()
    house.at(23)
    await house.desk.reply(case.id, sam.id, "Still here for you.")
    await house.worker.drain()

    assert house.sms.texts[-1] == "Still here for you."


async def test_an_agents_words_do_not_leave_after_an_opt_out(house: House) -> None:
    """Not even if they were written before it."""
    sam = await house.hires()
    case = await house.complains()
    house.sms.fails_with = [ChannelError("busy", retry_after=30)]
    await house.desk.reply(case.id, sam.id, "Robin, Sam here.")
    await house.worker.drain()
    await house.writes("STOP")
    house.later(seconds=33)
    await house.worker.drain()

    assert (await house.outbox())[-2:] == [("Robin, Sam here.", "withheld"), ("utter_opt_out[en]", "queued")]


async def test_words_that_wait_are_settled_by_a_takeover_and_keep_nobody_waiting(house: House) -> None:
    """The bot's text waits five minutes for a busy provider; the agent's answer leaves at once."""
    sam = await house.hires()
    house.sms.fails_with = [ChannelError("busy", retry_after=300)]
    case = await house.complains()
    await house.desk.reply(case.id, sam.id, "Robin, Sam here.")
    await house.worker.drain()

    assert house.sms.texts == ["Robin, Sam here."]
    bots, _ = await house.all(Message, direction="out", order_by="position")
    assert (bots.delivery, bots.delivery_error) == ("withheld", "a person took over the conversation")
    house.later(minutes=10)
    await house.worker.drain()
    assert house.sms.texts == ["Robin, Sam here."]


async def test_words_of_the_bot_that_never_left_do_not_leave_after_a_takeover(house: House) -> None:
    """The provider never took them, and meanwhile a person has spoken."""
    sam = await house.hires()
    house.sms.fails_with = [LOST]
    case = await house.complains()
    await house.desk.reply(case.id, sam.id, "Robin, Sam here.")
    bots, _ = await house.all(Message, direction="out", order_by="position")
    assert bots.delivery == "unconfirmed", "it may have left, so it is not called withheld"
    for _ in range(8):
        await house.worker.drain()
        house.later(seconds=30)

    assert house.sms.texts == ["Robin, Sam here."]
    bots, _ = await house.all(Message, direction="out", order_by="position")
    assert (bots.delivery, bots.delivery_error) == ("withheld", "the conversation moved on before this could leave")


async def test_nothing_is_asked_while_a_person_talks_with_the_customer_somewhere_else(house: House) -> None:
    """A question by SMS was on its way when an agent took up the same customer's chat on the website (P32)."""
    house.sms.fails_with = [ChannelError("busy", retry_after=30)]
    await house.serve()
    phone = await house.conversation()
    async with house.shop.store() as tx:
        point = ContactPoint(customer_id=phone.customer_id, medium=Medium.WEBCHAT, address="c-1")
        tx.add(point)
        await tx.flush()
        web = Conversation(
            customer_id=phone.customer_id,
            contact_point_id=point.id,
            medium=Medium.WEBCHAT,
            owner=Owner.AGENT,
            created_at=house.clock.now,
        )
        tx.add(web)
        await tx.commit()
    house.later(minutes=1)
    await house.serve("order-2")

    assert house.sms.texts == []
    assert await delivery(house) == ("withheld", "a person is talking with the customer in another conversation")
    skipped = await house.one(CheckIn, service_event_id=(await house.one(ServiceEvent, external_id="order-2")).id)
    assert (await house.all(Decision, check_in_id=skipped.id, order_by="id"))[-1].rules[-1]["rule"] == "collision"


async def test_nobody_takes_over_between_the_question_and_its_answer(house: House) -> None:
    """The gate holds the conversation while it decides: a takeover comes before its question or after its answer."""
    sam = await house.hires()
    house.sms.fails_with = [ChannelError("busy", retry_after=30)]
    case = await house.complains()
    message = await house.one(Message, direction="out")
    async with house.shop.store() as tx:
        _, thread = await load_turn(tx, message.id, hold=True)
        taking_over = asyncio.create_task(house.desk.reply(case.id, sam.id, "Robin, Sam here."))
        await asyncio.wait({taking_over}, timeout=0.3)

        assert not taking_over.done()
        async with house.shop.store(read_only=True) as now:
            assert (await now.get(Conversation, thread.conversation.id)).version == thread.conversation.version
    await taking_over

    assert (await house.conversation()).version == thread.conversation.version + 1


async def test_a_callback_settles_it_though_the_answer_is_lost(house: House) -> None:
    """`queued` arrives while our request is under way, and then the connection breaks: it was sent, once."""

    async def broken(outbound: Outbound) -> Accepted:
        await reports(house, "queued")
        house.sms.sent.append(outbound)
        raise LOST

    house.sms.send = broken  # type: ignore[method-assign]
    await house.writes("hello")
    for _ in range(9):
        house.later(seconds=30)
        await house.worker.drain()

    assert len(house.sms.sent) == 1
    assert (await delivery(house))[0] == "queued"


async def test_a_status_that_comes_after_a_lost_answer_settles_it(house: House) -> None:
    """The provider's "queued" is not ours: it was taken, and is not sent again."""
    house.sms.fails_with = [LOST]
    await house.writes("hello")
    await reports(house, "queued")
    for _ in range(9):
        house.later(seconds=30)
        await house.worker.drain()

    assert house.sms.sent == []
    assert (await house.one(Message, direction="out")).provider_id == "SM77"
