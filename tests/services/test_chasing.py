"""Nobody is left without news: a promised time that passes is owned up to, once, and never at night."""

from __future__ import annotations

from datetime import timedelta

from bot.core.vocabulary import HandoffReason, Purpose
from bot.services.entities import Promise, Site
from tests.services.house import House


async def test_a_promise_that_passes_is_owned_up_to_once(house: House) -> None:
    """The customer hears when instead, the case shows the breach, and the new promise is kept track of."""
    case = await house.complains()
    assert case.first_response_due == house.clock.now + timedelta(minutes=30)

    house.later(minutes=30)
    await house.worker.drain()
    house.later(hours=3)
    await house.worker.drain()

    assert house.sms.texts[1:] == ["utter_progress[en]"]
    assert (await house.case()).breached_at == house.clock.now - timedelta(hours=3)
    assert await house.timeline(case) == ["opened", "breached"]
    due = [promise.due_at for promise in await house.all(Promise, order_by="due_at")]
    assert due == [case.first_response_due, case.first_response_due + timedelta(minutes=30)]


async def test_an_answer_in_time_is_not_chased(house: House) -> None:
    """And the promise counts as kept."""
    sam = await house.hires()
    case = await house.complains()
    house.later(minutes=10)
    await house.desk.reply(case.id, sam.id, "Robin, Sam here.")
    house.later(minutes=30)
    await house.worker.drain()

    assert "utter_progress[en]" not in house.sms.texts
    assert (await house.case()).breached_at is None
    assert (await house.one(Promise)).kept_at == case.opened_at + timedelta(minutes=10)


async def test_claiming_is_not_answering(house: House) -> None:
    """The customer cannot see a claim."""
    sam = await house.hires()
    case = await house.complains()
    await house.desk.claim(case.id, sam.id)
    house.later(minutes=30)
    await house.worker.drain()

    assert house.sms.texts[-1] == "utter_progress[en]"


async def test_a_case_that_was_settled_on_the_phone_is_not_chased(house: House) -> None:
    """Resolved without a written answer, and not late for that."""
    sam = await house.hires()
    case = await house.complains()
    await house.resolves(case, sam)
    house.later(minutes=31)
    await house.worker.drain()

    assert (await house.case()).breached_at is None
    assert "utter_progress[en]" not in house.sms.texts


async def test_nobody_is_told_at_night_and_the_breach_is_recorded_all_the_same(house: House) -> None:
    """A site that works nights breaks its promise at one in the morning."""
    async with house.shop.store() as tx:
        site = await tx.get(Site, "harbour")
        site.weekly = {day: [["00:00", "00:00"]] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}
        await tx.commit()
    await house.serve()
    house.at(0, 30, days=1)
    case = await house.complains()
    sent = len(house.sms.texts)
    house.later(minutes=30)
    await house.worker.drain()

    assert len(house.sms.texts) == sent
    assert (await house.case()).breached_at == case.first_response_due
    assert (await house.decisions(Purpose.PROGRESS))[-1] == ("postponed", "it is 01:00 in Europe/London")

    house.at(9)
    await house.worker.drain()
    assert house.sms.texts[sent:] == ["utter_progress[en]"], "put off, and not dropped"
    assert await house.timeline(case) == ["opened", "breached"]


async def test_in_the_morning_nobody_is_told_what_has_been_answered_at_night(house: House) -> None:
    """The word that waited has lost its point, and the trace says so."""
    async with house.shop.store() as tx:
        site = await tx.get(Site, "harbour")
        site.weekly = {day: [["00:00", "00:00"]] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}
        await tx.commit()
    await house.serve()
    house.at(0, 30, days=1)
    case = await house.complains()
    house.later(minutes=30)
    await house.worker.drain()
    await house.desk.reply(case.id, (await house.hires()).id, "Robin, Sam here.")
    house.at(9)
    await house.worker.drain()

    assert house.sms.texts[-1] == "Robin, Sam here."
    reason = "somebody answered before it was time to say so"
    assert (await house.decisions(Purpose.PROGRESS))[-1] == ("skipped", reason)


async def test_who_opted_out_is_not_told(house: House) -> None:
    """The desk sees it; the customer asked for silence."""
    await house.complains()
    await house.writes("STOP")
    sent = len(house.sms.texts)
    house.later(minutes=30)
    await house.worker.drain()

    assert len(house.sms.texts) == sent
    assert (await house.case()).breached_at is not None


async def test_a_case_that_was_reopened_before_its_first_promise_passed_is_chased_by_the_new_one(house: House) -> None:
    """Resolved and reopened within minutes: only the newer promise is held against us."""
    sam = await house.hires()
    case = await house.complains()
    await house.resolves(case, sam)
    house.later(minutes=5)
    await house.desk.reopen(case.id, sam.id, "pressed the wrong button")
    house.later(minutes=25)
    await house.worker.drain()
    assert (await house.case()).breached_at is None

    house.later(minutes=40)
    await house.worker.drain()
    assert (await house.case()).breached_at is not None
    assert case.reason is HandoffReason.DISSATISFIED
