"""The conversation moves to a person with the whole story, and the customer is told what happens when."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from bot.core.vocabulary import CaseState, HandoffReason, Medium, Owner, Severity, Step, StepState
from bot.services.entities import CaseStep, Conversation, Message, Promise, Site, Task
from bot.services.handoff import HandedOff
from tests.services.house import UNHAPPY, House, robin


async def hands_off(house: House, reason: HandoffReason = HandoffReason.DISSATISFIED, text: str = "…") -> HandedOff:
    """The customer writes, and the bot hands over because of it."""
    message = await house.arrives(text)
    return await house.recovery.hand_off(message.conversation_id, message.id, reason)


async def test_the_case_carries_what_went_wrong_and_what_was_begun(house: House) -> None:
    """Failure, severity, due times in opening hours, the first apology, and a promise that is kept track of."""
    event = await house.serve(facts={"wait_minutes": 55, "promised_wait_minutes": 20})
    case = await house.complains()

    assert (case.failure, case.severity, case.state) == ("wait", Severity.HIGH, CaseState.OPEN)
    assert (case.site_id, case.service_event_id, case.playbook) == ("harbour", event.id, "wait/high")
    assert case.first_response_due == house.clock.now + timedelta(minutes=30)
    assert case.resolution_due == house.clock.now + timedelta(hours=8)
    steps = {step.step: step for step in await house.all(CaseStep)}
    assert {step for step, row in steps.items() if row.state is StepState.DONE} == {Step.APOLOGISE}
    assert set(steps) == set(Step)
    assert (await house.one(Promise)).due_at == case.first_response_due
    assert (await house.one(Task, kind="chase_case")).due_at == case.first_response_due


async def test_resolution_is_promised_in_opening_hours(house: House) -> None:
    """Eight hours from half past four are half past twelve tomorrow: the Harbour closes at nine and opens at nine."""
    await house.serve()
    house.at(16, 30)

    case = await house.complains()

    assert case.resolution_due == house.at(12, 30, days=1)


async def test_the_one_person_who_runs_the_site_is_named(house: House) -> None:
    """A name is a promise: with two of them nobody's is given."""
    await house.serve()
    await house.hires("Sam")
    first = await hands_off(house)

    assert (first.agent_name, first.expected_by, first.opens_at, first.already) == ("Sam", "13:00", "", False)


async def test_of_two_agents_nobody_is_named(house: House) -> None:
    """Whoever takes it will say who they are."""
    await house.serve()
    await house.hires("Sam")
    await house.hires("Kim")

    assert (await hands_off(house)).agent_name is None


async def test_when_nobody_is_on_the_floor_the_customer_hears_when_somebody_is(house: House) -> None:
    """No time is promised that nobody can keep."""
    await house.serve()
    house.at(22)
    handed = await hands_off(house)

    assert (handed.expected_by, handed.opens_at) == ("", "Thursday 09:00")
    case = await house.case()
    assert case.first_response_due == house.at(10, days=1)


async def test_times_are_told_on_the_customers_own_clock_and_in_their_language(house: House) -> None:
    """Nine in London is noon in Istanbul, where it is Thursday already; and Friday is Cuma."""
    await house.serve(customer=robin(language="tr", time_zone="Europe/Istanbul"))
    house.at(22)
    assert (await hands_off(house)).opens_at == "12:00"

    async with house.shop.store() as tx:
        (await tx.get(Site, "harbour")).holidays = ["2026-03-05"]
        await tx.commit()

    assert (await hands_off(house)).opens_at == "Cuma 12:00"


async def test_more_than_a_week_ahead_the_date_is_told(house: House) -> None:
    """ "Thursday" would be the wrong Thursday."""
    async with house.shop.store() as tx:
        site = await tx.get(Site, "harbour")
        today = house.clock.now.date()
        site.holidays = [(today + timedelta(days=days)).isoformat() for days in range(9)]
        await tx.commit()
    await house.serve()

    assert (await hands_off(house)).opens_at == "13 March 09:00"


async def test_a_promise_near_closing_time_is_one_for_the_morning(house: House) -> None:
    """At ten to nine half an hour of opening time ends at twenty past nine, the next day."""
    await house.serve()
    house.at(20, 50)

    assert (await hands_off(house)).expected_by == "Thursday 09:50"


async def test_the_same_message_hands_over_once(house: House) -> None:
    """Asked again for the same message: the same case, the same answer, and nothing new in the record."""
    await house.serve()
    message = await house.arrives("awful")
    conversation = await house.conversation()

    first = await house.recovery.hand_off(conversation.id, message.id, HandoffReason.DISSATISFIED)
    again = await house.recovery.hand_off(conversation.id, message.id, HandoffReason.DISSATISFIED)

    assert first == again
    assert await house.timeline(await house.case()) == ["opened"]
    assert (await house.conversation()).version == conversation.version + 1


async def test_another_message_joins_the_live_case(house: House) -> None:
    """One story, one case: the second handoff says that a person has it already."""
    await house.serve()
    first = await hands_off(house)
    second = await hands_off(house, HandoffReason.ASKED_FOR_PERSON)

    assert second.case_id == first.case_id
    assert second.already
    assert await house.timeline(await house.case()) == ["opened", "handed off again"]


async def test_a_threat_makes_a_live_case_critical(house: House) -> None:
    """Urgency is raised by what is said later, and never lowered."""
    await house.serve()
    await hands_off(house)
    await hands_off(house, HandoffReason.SAFETY)
    assert (await house.case()).severity is Severity.CRITICAL

    await hands_off(house, HandoffReason.ASKED_FOR_PERSON)
    assert (await house.case()).severity is Severity.CRITICAL


async def test_after_a_handback_a_new_complaint_re_enters_the_same_case(house: House) -> None:
    """With the same agent, a new promise that is chased, and an acknowledgement that leaves."""
    sam = await house.hires()
    case = await house.complains()
    await house.desk.reply(case.id, sam.id, "Robin, Sam here.")
    await house.desk.hand_back(case.id, sam.id)
    await house.worker.drain()
    assert (await house.conversation()).owner is Owner.BOT

    house.later(hours=1)
    house.dialogue.says = ["Sam will write to you."]
    house.reading = replace(UNHAPPY, text="it went wrong again")
    await house.writes("it went wrong again")

    again = await house.case()
    assert (again.id, again.state, again.agent_id) == (case.id, CaseState.CLAIMED, sam.id)
    assert (await house.conversation()).agent_id == sam.id
    assert house.sms.texts[-1] == "Sam will write to you."
    assert again.first_response_at is None
    house.clock.now = again.first_response_due
    await house.worker.drain()
    assert (await house.case()).breached_at == again.first_response_due


async def test_a_stranger_is_handed_over_too(house: House) -> None:
    """No service and no site of theirs: whoever is open answers."""
    case = await house.complains()

    assert (case.site_id, case.service_event_id, case.severity) == (None, None, Severity.HIGH)
    assert case.first_response_due == house.clock.now + timedelta(minutes=30)


async def test_a_stranger_at_night_is_promised_nothing_before_somebody_is_there(house: House) -> None:
    """The site that opens first counts."""
    house.clock.now = house.at(23)
    case = await house.complains()

    assert case.first_response_due == house.at(9, 30, days=1)


async def test_each_conversation_has_its_own_case(house: House) -> None:
    """The same customer on the web and by text: two threads, two owners."""
    await house.serve()
    await house.serve("order-2", medium=Medium.WEBCHAT)
    threads = await house.all(Conversation)
    for number, thread in enumerate(threads):
        async with house.shop.store() as tx:
            message = Message(
                conversation_id=thread.id,
                position=await tx.conversations.next_position(thread.id),
                direction="in",  # type: ignore[arg-type]
                author="customer",  # type: ignore[arg-type]
                text="awful",
                at=house.clock.now,
                provider_id=f"X{number}",
            )
            tx.add(message)
            await tx.commit()
        await house.recovery.hand_off(thread.id, message.id, HandoffReason.DISSATISFIED)

    assert len({case.conversation_id for case in await house.cases()}) == 2
