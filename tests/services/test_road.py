"""The whole road through the use cases, with the ports played by hand: from a finished service to a closed case."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from bot.core.assessment import Reading
from bot.core.authority import Money
from bot.core.errors import BeyondAuthority, Conflict, Refused
from bot.core.vocabulary import (
    CaseState,
    CheckInState,
    GrantKind,
    HandoffReason,
    Medium,
    Owner,
    Step,
    StepState,
    Verdict,
)
from bot.services import resources
from bot.services.agents import add_agent
from bot.services.desk import CaseDesk
from bot.services.entities import Case, CheckIn, Conversation, Message, ServiceEvent
from bot.services.inbound import Received, receive_sms
from bot.services.intake import FinishedService, ServedCustomer, receive_service_event
from bot.services.recovery import Recovery
from bot.services.trace import traces_of
from bot.services.workshop import Workshop
from bot.work.loop import Worker
from tests.conftest import Clock, FakeChannel, FakeDialogue

PHONE = "+447700900001"


def lunch(external_id: str = "order-1", **facts: object) -> FinishedService:
    """Robin's lunch at the Harbour, just finished."""
    return FinishedService(
        external_id=external_id,
        kind="restaurant_visit",
        site_id="harbour",
        service="lunch",
        finished_at=Clock().now,
        customer=ServedCustomer(
            external_id="c-1",
            name="Robin",
            phone=PHONE,
            language="en",
            time_zone="Europe/London",
            consent={Medium.SMS: True},
        ),
        medium=Medium.SMS,
        facts=facts,
    )


@pytest.fixture
def worker(shop: Workshop) -> Worker:
    """Works off what is due when it is told to."""
    return Worker(shop)


@pytest.fixture
def unhappy(shop: Workshop, dialogue: FakeDialogue) -> FakeDialogue:
    """A bot whose every turn hears dissatisfaction, apologises and hands over, as the rules do."""
    recovery = Recovery(shop)

    async def turn(conversation_id: str, message_id: str) -> None:
        reading = Reading("bit of a wait", p=0.9, intent="complaint", intent_confidence=0.9, failure="wait")
        await recovery.assess_reply(conversation_id, message_id, reading)
        await recovery.hand_off(conversation_id, message_id, HandoffReason.DISSATISFIED)

    dialogue.during_turn = turn
    return dialogue


async def test_an_unhappy_reply_becomes_a_case_that_ends_on_the_customers_word(
    shop: Workshop, worker: Worker, clock: Clock, unhappy: FakeDialogue, sms: FakeChannel
) -> None:
    """Asked, heard, apologised, handed over, answered, granted, resolved, followed up, closed."""
    sam = await add_agent(shop, email="sam@example.com", name="Sam", password="long enough", site_id="harbour")
    event, created = await receive_service_event(shop, lunch(wait_minutes=55, promised_wait_minutes=20))
    assert created
    await worker.drain()
    assert sms.texts == ["How was everything?"]

    clock.forward(minutes=3)
    unhappy.says = ["An hour is not good enough. I am sorry.", "Sam will write to you by 12:35."]
    message = await receive_sms(shop, PHONE, Received("fine I guess, bit of a wait", provider_id="SM1"))
    await worker.drain()
    assert sms.texts[1:] == unhappy.says
    async with shop.store(read_only=True) as tx:
        case = (await tx.all(Case))[0]
        conversation = await tx.get(Conversation, message.conversation_id)
        assert (conversation.owner, case.state, case.failure) == (Owner.AGENT, CaseState.OPEN, "wait")
        assert (await tx.get(ServiceEvent, event.id)).verdict is Verdict.COMPLAINT

    clock.forward(minutes=5)
    await receive_sms(shop, PHONE, Received("hello?", provider_id="SM2"))
    await worker.drain()
    assert len(sms.texts) == 3, "the bot keeps silent while a person owns the conversation"

    desk = CaseDesk(shop)
    await desk.claim(case.id, sam.id)
    await desk.reply(case.id, sam.id, "Robin, Sam here.")
    await worker.drain()
    assert sms.texts[-1] == "Robin, Sam here."
    with pytest.raises(Refused, match="still open"):
        await desk.resolve(case.id, sam.id, "lunch on us")
    await desk.grant(case.id, sam.id, GrantKind.VOUCHER, Money(Decimal("42.00"), "EUR"), "lunch")
    for step in (Step.ACT, Step.COMPASSION):
        await desk.step(case.id, sam.id, step, StepState.DONE, "")
    await desk.resolve(case.id, sam.id, "lunch on us")

    unhappy.says = ["Did that help?"]
    clock.forward(hours=24)
    await worker.drain()
    assert sms.texts[-1] == "Did that help?"

    recovery = Recovery(shop)

    async def yes(conversation_id: str, message_id: str) -> None:
        assert (await recovery.follow_up_answered(conversation_id, message_id, True)).outcome == "closed"

    unhappy.during_turn, unhappy.says = yes, ["Glad to hear it."]
    await receive_sms(shop, PHONE, Received("yes thanks", provider_id="SM3"))
    await worker.drain()
    assert sms.texts[-1] == "Glad to hear it."
    async with shop.store(read_only=True) as tx:
        snapshot = await resources.case_snapshot(tx, case.id, clock())
    assert snapshot["state"] == "closed"
    assert {step["state"] for step in snapshot["steps"].values()} == {"done"}
    assert snapshot["timeline"][0]["what"] == "opened"


async def test_the_same_report_twice_is_one_event_and_a_contradiction_is_refused(shop: Workshop) -> None:
    """A business's system may repeat itself, and may not contradict itself."""
    first, created = await receive_service_event(shop, lunch())
    again, created_again = await receive_service_event(shop, lunch())

    assert (created, created_again, again.id) == (True, False, first.id)
    with pytest.raises(Conflict, match="other content"):
        await receive_service_event(shop, lunch(remade=True))


async def test_the_same_sms_twice_is_one_message(shop: Workshop) -> None:
    """Twilio may deliver a webhook more than once."""
    first = await receive_sms(shop, PHONE, Received("hello", provider_id="SM9"))
    again = await receive_sms(shop, PHONE, Received("hello", provider_id="SM9"))

    assert first.id == again.id
    async with shop.store(read_only=True) as tx:
        assert len(await tx.all(Message)) == 1


async def test_at_night_the_question_waits_for_the_customers_morning(
    shop: Workshop, worker: Worker, clock: Clock, sms: FakeChannel
) -> None:
    """The clock that counts is the customer's own."""
    clock.now = clock.now.replace(hour=22)
    event, _ = await receive_service_event(shop, lunch())
    await worker.drain()
    assert sms.texts == []
    async with shop.store(read_only=True) as tx:
        check_in = await tx.one(CheckIn, service_event_id=event.id)
        assert check_in is not None
        assert (await traces_of(tx, [check_in]))[check_in.id][-1]["rule"] == "quiet_hours"
        assert check_in.due_at == clock.now.replace(hour=9) + timedelta(days=1)

    clock.forward(hours=11)
    await worker.drain()
    assert sms.texts == ["How was everything?"]


async def test_stop_is_obeyed_at_once_and_confirmed_once(
    shop: Workshop, worker: Worker, clock: Clock, sms: FakeChannel
) -> None:
    """Everything still to be sent is cancelled; the one confirmation leaves all the same."""
    await receive_service_event(shop, lunch())
    await worker.drain()
    await receive_sms(shop, PHONE, Received("STOP", provider_id="SM1"))
    await receive_sms(shop, PHONE, Received("stop", provider_id="SM2"))
    await worker.drain()

    assert sms.texts == ["How was everything?", "utter_opt_out[en]"]
    later = lunch("order-2")
    await receive_service_event(shop, later)
    await worker.drain()
    assert len(sms.texts) == 2
    async with shop.store(read_only=True) as tx:
        assert {e.verdict for e in await tx.all(ServiceEvent)} == {Verdict.OPTED_OUT}


async def test_when_the_bot_cannot_answer_a_person_does(
    shop: Workshop, worker: Worker, clock: Clock, dialogue: FakeDialogue, sms: FakeChannel
) -> None:
    """The message is kept and tried again; after a minute it is a human's."""
    from bot.core.dialogue import DialogueUnavailable

    dialogue.broken = DialogueUnavailable("no answer")
    message = await receive_sms(shop, PHONE, Received("hello", provider_id="SM1"))
    await worker.drain()
    assert sms.texts == []

    clock.forward(seconds=61)
    await worker.drain()
    assert sms.texts == ["utter_handoff_expected[en]"]
    async with shop.store(read_only=True) as tx:
        case = await tx.one(Case, conversation_id=message.conversation_id)
        assert case is not None
        assert case.reason is HandoffReason.BOT_UNAVAILABLE


async def test_silence_is_judged_by_what_operations_know(shop: Workshop, worker: Worker, clock: Clock) -> None:
    """A bad visit and no word: at risk. A good visit and no word: fine."""
    bad, _ = await receive_service_event(shop, lunch("bad", wait_minutes=75, promised_wait_minutes=10, remade=True))
    await worker.drain()
    clock.forward(hours=5)
    good, _ = await receive_service_event(shop, lunch("good"))
    await worker.drain()
    clock.forward(hours=25)
    await worker.drain()

    async with shop.store(read_only=True) as tx:
        assert (await tx.get(ServiceEvent, bad.id)).verdict is Verdict.SILENT_AT_RISK
        assert (await tx.get(ServiceEvent, good.id)).verdict is Verdict.SILENT_OK
        assert {c.state for c in await tx.all(CheckIn)} == {CheckInState.NO_REPLY}


async def test_an_agent_cannot_give_more_than_they_may(shop: Workshop, worker: Worker, unhappy: FakeDialogue) -> None:
    """The refusal is explained, and recorded in the case."""
    sam = await add_agent(shop, email="sam@example.com", name="Sam", password="long enough")
    await receive_service_event(shop, lunch())
    await receive_sms(shop, PHONE, Received("awful", provider_id="SM1"))
    await worker.drain()
    async with shop.store(read_only=True) as tx:
        case = (await tx.all(Case))[0]
    desk = CaseDesk(shop)
    await desk.claim(case.id, sam.id)

    with pytest.raises(BeyondAuthority, match="more than you may grant"):
        await desk.grant(case.id, sam.id, GrantKind.REFUND, Money(Decimal("51"), "EUR"), "")

    async with shop.store(read_only=True) as tx:
        snapshot = await resources.case_snapshot(tx, case.id, shop.clock())
    assert snapshot["timeline"][-1]["what"] == "grant refused"
    assert snapshot["grants"] == []
