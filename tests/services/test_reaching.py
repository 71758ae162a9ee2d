"""Who may be written to first: one count for all channels, one contact at a time, an hour that suits them."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from bot.core.vocabulary import CheckInState, HandoffReason, Medium, Purpose
from bot.services.entities import CheckIn, Conversation, Decision, ServiceEvent
from bot.services.intake import receive_service_event
from tests.services.house import House, lunch, robin


async def asked(house: House) -> dict[str, str]:
    """By order, where its question stands."""
    events = {event.id: event.external_id for event in await house.all(ServiceEvent)}
    return {events[c.service_event_id]: c.state.value for c in await house.all(CheckIn)}


async def facts_of(house: House) -> dict[str, Any]:
    """The facts of the newest decision about a check-in that had any."""
    lines = await house.all(Decision, purpose=Purpose.CHECK_IN, order_by="id")
    facts: dict[str, Any] = [line.facts for line in lines if line.facts][-1]
    return facts


async def test_two_services_that_end_together_are_one_question_now_and_one_later(house: House) -> None:
    """Lunch at once; the takeaway of the same minute four hours later."""
    await receive_service_event(house.shop, lunch("lunch"))
    await receive_service_event(house.shop, lunch("takeaway", service="takeaway"))
    await house.worker.drain()
    assert len(house.sms.texts) == 1

    house.later(hours=4)
    await house.worker.drain()
    assert len(house.sms.texts) == 2
    assert await asked(house) == {"lunch": "sent", "takeaway": "sent"}


async def test_two_questions_that_are_composed_at_once_see_each_other(house: House) -> None:
    """Both were decided before either was written: the second is decided anew when it is."""
    real_trigger, both = house.dialogue.trigger, asyncio.Barrier(2)

    async def together(*args: Any) -> Any:
        turn = await real_trigger(*args)
        if not both.broken:
            await both.wait()
        return turn

    house.dialogue.trigger = together  # type: ignore[method-assign]
    for number in (1, 2):
        await receive_service_event(house.shop, lunch(f"order-{number}"))
    tasks = await house.worker._claim(2)
    await asyncio.gather(*(house.worker._work(task) for task in tasks))
    await both.abort()
    await house.worker.drain()

    assert len(house.sms.texts) == 1
    assert sorted((await asked(house)).values()) == ["planned", "sent"]


async def test_a_question_on_the_web_keeps_away_one_by_sms(house: House) -> None:
    """One person, two channels, one contact at a time; and one count."""
    await house.serve("web", medium=Medium.WEBCHAT)
    await house.serve("sms")

    assert await asked(house) == {"web": "sent", "sms": "planned"}
    assert (await facts_of(house))["first_messages"] == 1


async def test_the_cap_counts_every_channel_and_everything_we_write_first(house: House) -> None:
    """A question on the web, one by SMS and a follow-up are three; the fourth is none."""
    sam = await house.hires()
    await house.serve("web", medium=Medium.WEBCHAT)
    await house.serve("sms", finished_at=house.later(days=1))
    await house.resolves(await house.complains(), sam)
    house.later(days=1)
    await house.worker.drain()
    await house.serve("fourth", finished_at=house.later(hours=5))

    facts = await facts_of(house)
    assert (facts["first_messages"], facts["cap"]) == (3, 3)
    assert (await asked(house))["fourth"] == "skipped"


async def test_what_never_left_does_not_count(house: House) -> None:
    """Withheld is as good as never written."""
    await house.serve("first")
    async with house.shop.store() as tx:
        [conversation] = await tx.all(Conversation)
        since = house.clock.now - timedelta(days=7)
        assert len(await tx.conversations.first_messages([conversation.id], since)) == 1
    message = (await house.all(type(await house.arrives("hm")), direction="out"))[0]
    async with house.shop.store() as tx:
        (await tx.get(type(message), message.id)).delivery = "undelivered"
        await tx.commit()
    async with house.shop.store(read_only=True) as tx:
        assert await tx.conversations.first_messages([conversation.id], since) == []


async def test_a_person_who_talks_with_them_on_another_channel_is_not_interrupted(house: House) -> None:
    """A case on the web keeps away the question by SMS."""
    await house.serve("web", medium=Medium.WEBCHAT)
    web = await house.one(Conversation, medium=Medium.WEBCHAT)
    await house.recovery.hand_off(web.id, "m-1", HandoffReason.ASKED_FOR_PERSON)
    await house.serve("sms", finished_at=house.later(hours=5))

    check_in = (await house.all(CheckIn, conversation_id=(await house.one(Conversation, medium=Medium.SMS)).id))[0]
    assert (check_in.state, (await house.trace(check_in))[-1]["rule"]) == (CheckInState.SKIPPED, "collision")


async def test_an_agent_who_has_just_written_is_let_have_their_say(house: House) -> None:
    """The case is resolved, and five minutes later another service ends: its question waits."""
    sam = await house.hires()
    case = await house.complains()
    await house.desk.reply(case.id, sam.id, "Robin, it is done.")
    await house.resolves(case, sam)
    await house.serve("dinner", finished_at=house.later(minutes=5))

    check_in = await house.one(CheckIn)
    assert check_in.state is CheckInState.PLANNED
    assert check_in.due_at == house.clock.now + timedelta(hours=3, minutes=55)


async def test_without_a_recorded_zone_the_hour_suits_the_number_and_the_place(house: House) -> None:
    """A Turkish number, served in London: at half past five there it is half past eight in Istanbul."""
    house.at(17, 30)
    customer = robin(phone="+905321234567", time_zone=None)
    await house.serve("late", customer=customer, finished_at=house.clock.now)

    assert house.sms.texts == []
    assert (await facts_of(house))["zones"] == ["Europe/London", "Europe/Istanbul"]
    house.at(9, days=1)
    await house.worker.drain()
    assert house.sms.texts == ["How was everything?"]


async def test_a_recorded_zone_comes_first(house: House) -> None:
    """The same number, and the business knows that its owner lives in London."""
    house.at(17, 30)
    customer = robin(phone="+905321234567", time_zone="Europe/London")
    await house.serve("late", customer=customer, finished_at=house.clock.now)

    assert house.sms.texts == ["How was everything?"]


async def test_the_trace_has_what_was_asked_and_what_it_cost(house: House) -> None:
    """Consent, clock and window, count, language, channel, segments, sender."""
    await house.serve()

    lines = {str(line.outcome): line for line in await house.all(Decision, order_by="id")}
    assert list(lines) == ["planned", "allowed", "sent"]
    assert [rule["rule"] for rule in lines["allowed"].rules] == [
        "address",
        "opt_out",
        "consent",
        "stale",
        "collision",
        "cap",
        "quiet_hours",
    ]
    assert lines["allowed"].facts == {
        "channel": "sms",
        "language": "en",
        "consented": True,
        "local_time": "12:00 in Europe/London",
        "zones": ["Europe/London"],
        "window": "09:00-20:00",
        "first_messages": 0,
        "cap": 3,
    }
    assert lines["sent"].facts == {"channel": "sms", "language": "en", "segments": 1, "sender": ""}
