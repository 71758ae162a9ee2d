"""What each of the provider's errors asks is done, whether it comes with the answer or only with a status."""

from __future__ import annotations

import itertools
import random
from datetime import timedelta

import pytest

from bot.core.delivery import RANK, Hold, Remedy, advance, problem, problems, rank
from bot.core.errors import ChannelError
from bot.core.pace import Pace
from bot.core.vocabulary import Medium
from bot.services.delivering import record_status
from bot.services.entities import ContactPoint, Delivery, Message, Sender
from bot.services.ports import Accepted, Outbound, SentMessage
from bot.services.senders import declare
from tests.services.house import House

KNOWN = [found.code for found in problems()]
LOST = ChannelError("the answer was lost", ambiguous=True)


async def with_a_sender(house: House) -> None:
    """Texts have a sender that is fast enough."""
    await declare(house.shop.store, Medium.SMS, "+15005550006", Pace(100, 500), now=house.clock.now)


async def reports(house: House, status: str, code: str | None = None, *, sid: str = "") -> bool:
    """The provider calls back about the first message of ours; about its present sending unless another is named."""
    message = (await house.all(Message, direction="out", order_by="position"))[0]
    sid = sid or message.provider_id or f"SM{message.id}"
    return await record_status(house.shop, message_id=message.id, provider_id=sid, status=status, error_code=code)


async def said(house: House) -> tuple[str, str | None]:
    """Where the only message of ours stands, and why."""
    message = await house.one(Message, direction="out")
    return message.delivery, message.delivery_error


async def holds(house: House) -> Hold:
    """What waits because of our sender."""
    sender: Sender = await house.one(Sender)
    return sender.hold


async def learnt(house: House) -> str:
    """What we know of the number now."""
    point: ContactPoint = await house.one(ContactPoint)
    return "suppressed" if point.opted_out_at else "invalid" if point.invalid_since else ""


LEARNT = {Remedy.SUPPRESS: "suppressed", Remedy.MARK_INVALID: "invalid"}


@pytest.mark.parametrize("code", [*KNOWN, "99999"])
async def test_every_error_of_the_table_in_a_status_has_its_effect(house: House, code: str) -> None:
    """On the number, on the sender, and on the message: sent once more where that can help, and once only."""
    await with_a_sender(house)
    await house.writes("hello")
    found = problem(code)

    await reports(house, "undelivered", code)

    assert await learnt(house) == LEARNT.get(found.remedy, "")
    assert await holds(house) == (found.holds if found.alerts else Hold.NOTHING)
    assert await said(house) == (("queued", code) if found.sends_again else ("undelivered", code))
    assert [report.error_code for report in await house.all(Delivery)] == [code]
    for _ in range(3):
        house.later(hours=25)
        await house.worker.drain()
    assert len(house.sms.sent) == (2 if found.sends_again else 1)
    if found.sends_again:
        await reports(house, "undelivered", code, sid="SMagain")
        house.later(hours=25)
        await house.worker.drain()
        assert len(house.sms.sent) == 2, "once more, and never again"


@pytest.mark.parametrize("code", [*KNOWN, "99999"])
async def test_every_error_of_the_table_in_the_answer_has_its_effect(house: House, code: str) -> None:
    """What Twilio refused was not taken, so it is tried again wherever the error passes by itself."""
    await with_a_sender(house)
    found = problem(code)
    too_many = code in ("429", "20429", "63038")
    house.sms.fails_with = [ChannelError("refused", permanent=not too_many, code=code)]

    await house.writes("hello")

    assert await learnt(house) == LEARNT.get(found.remedy, "")
    assert await holds(house) == (found.holds if found.alerts else Hold.NOTHING)
    assert (await said(house))[0] == ("queued" if found.sends_again else "failed")
    assert house.sms.sent == []
    house.later(hours=25)
    await house.worker.drain()
    assert len(house.sms.sent) == (1 if found.sends_again else 0)
    if not found.sends_again:
        assert await said(house) == ("failed", code), "an unknown code is kept as well"


async def test_the_account_pauses_for_a_day_at_its_limit(house: House) -> None:
    """63038: nothing leaves for 24 hours, and the wait costs no message its tries."""
    await with_a_sender(house)
    house.sms.fails_with = [ChannelError("limit", code="63038")]
    await house.writes("hello")
    house.later(hours=23, minutes=59)
    await house.writes("anybody?")
    assert house.sms.sent == []

    house.later(minutes=2)
    await house.worker.drain()
    assert len(house.sms.sent) == 2


@pytest.mark.parametrize("code", ["30610", "30047"])
async def test_what_met_the_carriers_quiet_hours_goes_in_the_customers_day(house: House, code: str) -> None:
    """An hour later at the earliest, and inside the window of contact."""
    await with_a_sender(house)
    house.at(19, 30)
    await house.writes("hello")
    await reports(house, "undelivered", code)

    house.at(8, 59, days=1)
    await house.worker.drain()
    assert len(house.sms.sent) == 1
    house.at(9)
    await house.worker.drain()
    assert len(house.sms.sent) == 2


async def test_one_more_sending_has_a_fate_of_its_own(house: House) -> None:
    """Late reports of the first sending are kept and change nothing; those of the second count."""
    await house.writes("hello")
    first = (await house.one(Message, direction="out")).provider_id
    await reports(house, "undelivered", "30003")
    await reports(house, "sent", sid=first)
    assert await said(house) == ("queued", "30003")
    house.later(minutes=31)

    async def second(outbound: Outbound) -> Accepted:
        house.sms.sent.append(outbound)
        return Accepted("SMsecond", "queued")

    house.sms.send = second  # type: ignore[method-assign]
    await house.worker.drain()
    assert await said(house) == ("queued", None)
    await reports(house, "undelivered", "30003", sid=first)
    await reports(house, "delivered", sid="SMsecond")

    assert await said(house) == ("delivered", None)
    assert len(await house.all(Delivery)) == 3


async def test_an_agents_words_are_sent_once_more_even_when_the_customer_wrote(house: House) -> None:
    """A person meant them; a question of the bot would have lost its point."""
    sam = await house.hires()
    case = await house.complains()
    await house.desk.reply(case.id, sam.id, "Robin, Sam here.")
    await house.worker.drain()
    reply = (await house.all(Message, author="agent"))[0]
    await record_status(
        house.shop, message_id=reply.id, provider_id=reply.provider_id, status="undelivered", error_code="30003"
    )
    await house.writes("hello?")
    house.later(minutes=31)
    await house.worker.drain()

    assert house.sms.texts.count("Robin, Sam here.") == 2


async def test_a_question_that_waits_for_its_second_sending_is_withheld_when_they_write(house: House) -> None:
    """They spoke first."""
    await house.serve()
    await reports(house, "undelivered", "30003")
    house.dialogue.says = ["Lovely."]
    await house.writes("lunch was lovely")
    house.later(minutes=31)
    await house.worker.drain()

    assert house.sms.texts == ["How was everything?", "Lovely."]


async def test_a_failure_that_is_reported_before_the_answer_comes_is_not_undone_by_it(house: House) -> None:
    """The callback ended this sending while our request was still waiting: the one more sending stands."""

    async def overtaken(outbound: Outbound) -> Accepted:
        house.sms.sent.append(outbound)
        if len(house.sms.sent) == 1:
            await reports(house, "undelivered", "30003", sid="SM77")
            return Accepted("SM77", "queued")
        return Accepted("SM78", "queued")

    house.sms.send = overtaken  # type: ignore[method-assign]
    await house.writes("hello")
    assert await said(house) == ("queued", "30003")
    house.later(minutes=31)
    await house.worker.drain()

    assert len(house.sms.sent) == 2
    assert (await house.one(Message, direction="out")).provider_id == "SM78"


async def test_reconciling_does_not_take_the_first_sending_for_the_second(house: House) -> None:
    """The second was lost in a timeout; the list has the first, undelivered, with the same words."""
    await house.writes("hello")
    message = await house.one(Message, direction="out")
    await reports(house, "undelivered", "30003")
    house.sms.fails_with = [LOST]
    house.later(minutes=31)
    await house.worker.drain()
    old = SentMessage(
        f"SM{message.id}", "+447700900001", message.text, "undelivered", "30003", house.clock.now - timedelta(hours=1)
    )
    new = SentMessage("SMnew", "+447700900001", message.text, "delivered", None, house.clock.now)
    house.sms.lists = [old]
    house.later(seconds=25)
    await house.worker.drain()
    assert (await said(house))[0] == "unconfirmed"
    house.sms.lists = [new, old]
    house.later(seconds=31)
    await house.worker.drain()

    assert (await said(house), (await house.one(Message, direction="out")).provider_id) == (
        ("delivered", None),
        "SMnew",
    )
    assert len(house.sms.sent) == 1


async def test_reconciling_heeds_what_it_learns(house: House) -> None:
    """The list says 21610: as good as a status."""
    house.sms.fails_with = [LOST]
    await house.writes("hello")
    message = await house.one(Message, direction="out")
    house.sms.lists = [SentMessage("SM77", "+447700900001", message.text, "failed", "21610", house.clock.now)]
    house.later(seconds=30)
    await house.worker.drain()

    assert (await said(house), await learnt(house)) == (("failed", "21610"), "suppressed")
    assert house.sms.sent == []


async def test_a_status_with_our_id_resolves_an_ambiguous_send_before_anybody_asks(house: House) -> None:
    """And what is asked later finds it settled."""
    house.sms.fails_with = [LOST]
    await house.writes("hello")
    await reports(house, "sent", sid="SM77")
    house.later(minutes=10)
    await house.worker.drain()

    assert (await said(house))[0] == "sent"
    assert house.sms.sent == []


async def test_a_busy_server_that_may_have_taken_it_is_asked_when_it_wishes(house: House) -> None:
    """503 with Retry-After: never posted again, and not asked before that time either."""
    asked: list[str] = []

    async def asks(to: str, since: object) -> list[SentMessage]:
        asked.append(to)
        return []

    house.sms.reconcile = asks  # type: ignore[method-assign]
    house.sms.fails_with = [ChannelError("busy", ambiguous=True, code="503", retry_after=90)]
    await house.writes("hello")
    house.later(seconds=89)
    await house.worker.drain()
    assert asked == []
    house.later(seconds=11)
    await house.worker.drain()
    assert len(asked) == 1


async def test_a_status_of_a_message_that_is_not_ours_is_told_apart(house: House) -> None:
    """By its sid or by an id in the address: neither changes anything."""
    await house.writes("hello")

    assert not await record_status(
        house.shop, message_id="gone", provider_id="SMother", status="failed", error_code="63038"
    )
    assert await house.all(Delivery) == []


@pytest.mark.parametrize("seed", range(8))
async def test_in_any_order_and_however_often_a_message_only_moves_forward(house: House, seed: int) -> None:
    """Every prefix of every shuffle of repeated statuses, some before our own answer, leaves the furthest of them."""
    dice = random.Random(seed)
    statuses = dice.choices([*sorted(RANK), "something-new"], k=10)
    early, late = statuses[:3], statuses[3:]

    async def slow(outbound: Outbound) -> Accepted:
        for status in early:
            await reports(house, status, sid="SM77")
        return Accepted("SM77", "queued")

    house.sms.send = slow  # type: ignore[method-assign]
    await house.writes("hello")
    reached = [(await said(house))[0]]
    for status in late:
        await reports(house, status, sid="SM77")
        reached.append((await said(house))[0])

    assert all(rank(one) <= rank(next_one) for one, next_one in itertools.pairwise(reached))
    expected: str | None = "sending"
    for status in [*early, "queued", *late]:
        expected = advance(expected, status)
    assert rank(reached[-1]) == rank(expected)
    reported = [report.status for report in await house.all(Delivery)]
    assert sorted(reported) == sorted(set(statuses))
