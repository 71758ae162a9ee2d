"""The check-in: decided again at the moment of writing, in the dialogue's words, and its silence judged."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bot.core.dialogue import DialogueUnavailable
from bot.core.vocabulary import AwaitedAnswer, CheckInState, Medium, Verdict
from bot.services.entities import AssessmentRecord, CheckIn, ServiceEvent, Task
from bot.services.intake import receive_service_event
from tests.services.house import CONTENT, UNHAPPY, House, lunch, robin


async def test_the_bot_gets_what_it_needs_to_ask_well(house: House) -> None:
    """Name, service and what operations know went wrong (P11); not the phone number."""
    await house.serve(facts={"wait_minutes": 55, "promised_wait_minutes": 20, "items": ["soup"]})

    assert house.dialogue.asked == [
        {
            "trigger": "EXTERNAL_check_in",
            "language": "en",
            "business": "Harbour Kitchen",
            "site": "Harbour",
            "service": "lunch",
            "customer_name": "Robin",
            "known_failure": "wait",
            "wait_minutes": 55,
            "channel": "sms",
        }
    ]


async def test_asked_and_recorded(house: House) -> None:
    """The check-in is sent, its trace complete, its silence awaited, and the next reply is its answer."""
    event = await house.serve()

    check_in = await house.one(CheckIn)
    assert (check_in.state, check_in.sent_at) == (CheckInState.SENT, house.clock.now)
    assert [entry["outcome"] for entry in await house.trace(check_in)] == ["pass"] * 7
    conversation = await house.conversation()
    assert (conversation.awaited, conversation.check_in_id) == (AwaitedAnswer.CHECK_IN, check_in.id)
    assert (await house.one(Task, kind="judge_silence")).payload == {"check_in_id": check_in.id}
    assert event.verdict is Verdict.PENDING


async def test_every_reason_not_to_ask_is_in_the_trace(house: House) -> None:
    """No consent; asked too often; somebody is talking with them."""
    await house.serve("no-consent", customer=robin(consent={}))
    for number in range(3):
        await house.serve(f"fine-{number}", finished_at=house.later(days=1))
    await house.serve("too-often", finished_at=house.later(hours=5))
    await house.complains()
    await house.serve("busy", finished_at=house.clock.now)

    last = {}
    for event in await house.all(ServiceEvent):
        entry = (await house.trace(await house.one(CheckIn, service_event_id=event.id)))[-1]
        last[event.external_id] = (entry["rule"], entry["outcome"])
    assert last["no-consent"] == ("consent", "skip")
    assert last["too-often"] == ("cap", "skip")
    assert last["busy"] == ("collision", "skip")
    assert house.sms.texts.count("How was everything?") == 4


async def test_a_bot_that_is_away_asks_later(house: House) -> None:
    """The question is put off until there are words for it, and decided anew then."""
    house.dialogue.broken = DialogueUnavailable("away")
    await house.serve()
    assert house.sms.texts == []

    house.dialogue.broken = None
    house.later(seconds=10)
    await house.worker.drain()

    assert house.sms.texts == ["How was everything?"]


async def test_a_handoff_while_the_question_is_composed_takes_it_back(house: House) -> None:
    """It is decided again, and now somebody is talking with the customer."""
    real_trigger = house.dialogue.trigger

    async def complaint_meanwhile(*args: Any) -> Any:
        house.reading = UNHAPPY
        await house.writes("an hour for a soup")
        return await real_trigger(*args)

    house.dialogue.trigger = complaint_meanwhile  # type: ignore[method-assign]
    house.dialogue.says = ["Words."]
    await house.serve()

    check_in = await house.one(CheckIn)
    assert (check_in.state, (await house.trace(check_in))[-1]["rule"]) == (CheckInState.SKIPPED, "collision")
    assert house.sms.texts == ["Words."]


async def test_an_answer_settles_the_event_and_its_silence_is_not_judged(house: House) -> None:
    """Satisfied, answered, and left alone."""
    await house.serve()
    house.reading = CONTENT
    house.later(minutes=3)
    await house.writes("lovely")
    house.later(days=2)
    await house.worker.drain()

    event, check_in = await house.one(ServiceEvent), await house.one(CheckIn)
    assert (event.verdict, check_in.state) == (Verdict.SATISFIED, CheckInState.ANSWERED)
    assert len(await house.all(AssessmentRecord)) == 1


async def test_a_late_answer_replaces_the_judgement_of_the_silence(house: House) -> None:
    """Two days late, and still the customer's own word."""
    await house.serve(facts={"wait_minutes": 75, "remade": True})
    house.later(hours=25)
    await house.worker.drain()
    assert (await house.one(ServiceEvent)).verdict is Verdict.SILENT_AT_RISK

    house.reading = CONTENT
    await house.writes("sorry, only saw this now. Lovely!")

    event, check_in = await house.one(ServiceEvent), await house.one(CheckIn)
    assert (event.verdict, check_in.state) == (Verdict.SATISFIED, CheckInState.ANSWERED)


async def test_thanks_takes_no_complaint_back(house: House) -> None:
    """The gravest answer stands."""
    await house.serve()
    case = await house.complains()
    sam = await house.hires()
    await house.desk.claim(case.id, sam.id)
    await house.desk.hand_back(case.id, sam.id)
    house.reading = CONTENT
    await house.writes("thanks")

    assert (await house.one(ServiceEvent)).verdict is Verdict.COMPLAINT


async def test_the_same_message_is_assessed_once(house: House) -> None:
    """A turn that is tried again reads the recorded answer, whatever it would read now."""
    await house.serve()
    message = await house.arrives("fine")
    conversation = await house.conversation()
    first = await house.recovery.assess_reply(conversation.id, message.id, UNHAPPY)
    again = await house.recovery.assess_reply(conversation.id, message.id, CONTENT)

    assert first == again
    assert len(await house.all(AssessmentRecord)) == 1


async def test_brevity_is_measured_against_earlier_answers_only(house: House) -> None:
    """Three long answers make a habit; the short one that is judged is not part of it."""
    long = "the soup was good and the bread was fresh and everyone was kind to us too"
    for text in (long, long, long, "fine I guess"):
        house.reading = replace(CONTENT, text=text)
        await house.writes(text)
        house.later(minutes=1)

    records = await house.all(AssessmentRecord, order_by="at")
    brief = [[s["evidence"] for s in record.signals if s["name"] == "shorter_than_usual"] for record in records]
    assert brief == [[], [], [], ["3 words where 16 are usual"]]


async def test_only_an_answer_to_the_question_can_be_slow(house: House) -> None:
    """What is written out of the blue was not waited for."""
    await house.serve()
    house.reading = UNHAPPY
    house.dialogue.during_turn = None
    house.later(hours=20)
    message = await house.arrives("hm")
    conversation = await house.conversation()
    await house.recovery.assess_reply(conversation.id, message.id, UNHAPPY)
    await house.worker.drain()
    house.later(hours=20)
    second = await house.arrives("and another thing")
    await house.recovery.assess_reply(conversation.id, second.id, UNHAPPY)

    slow = [any(s["name"] == "slow_reply" for s in r.signals) for r in await house.all(AssessmentRecord, order_by="at")]
    assert slow == [True, False]


async def test_a_question_that_never_arrived_is_no_silence(house: House) -> None:
    """Withheld because somebody was already talking: the customer was never asked."""
    await receive_service_event(house.shop, lunch(facts={"wait_minutes": 75, "remade": True}))
    [task] = await house.worker._claim(1)
    await house.worker._work(task)
    house.reading = UNHAPPY
    async with house.shop.store() as tx:
        conversation = await tx.one(type(await house.conversation()))
        assert conversation is not None
        conversation.version += 1
        await tx.commit()
    await house.worker.drain()
    house.later(hours=25)
    await house.worker.drain()

    assert (await house.outbox()) == [("How was everything?", "withheld")]
    assert (await house.one(ServiceEvent)).verdict is Verdict.UNREACHABLE


async def test_on_the_web_the_question_waits_in_the_visitors_thread(house: House) -> None:
    """No phone and no consent needed."""
    await house.serve(medium=Medium.WEBCHAT, customer=robin(phone=None, consent={}))

    assert house.sms.texts == ["How was everything?"]
    assert (await house.conversation()).medium is Medium.WEBCHAT
