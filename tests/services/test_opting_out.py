"""An opt-out takes effect in the transaction that records it, and cancels everything still to be sent."""

from __future__ import annotations

from bot.core.errors import ChannelError
from bot.core.vocabulary import CheckInState, Verdict
from bot.services.entities import CheckIn, Consent, ContactPoint, Message, ServiceEvent, Task
from bot.services.inbound import record_status
from bot.services.intake import receive_service_event
from bot.work.loop import Worker
from tests.services.house import House, lunch


async def test_stop_cancels_the_planned_question_and_the_silence_that_was_awaited(house: House) -> None:
    """Neither is left to do; both events stand as opted out, and the trace of the one not asked says so."""
    await house.serve("asked")
    house.at(22)
    planned = await house.serve("planned", finished_at=house.clock.now)
    await house.writes("STOP")

    assert {e.external_id: e.verdict for e in await house.all(ServiceEvent)} == {
        "asked": Verdict.OPTED_OUT,
        "planned": Verdict.OPTED_OUT,
    }
    check_in = await house.one(CheckIn, service_event_id=planned.id)
    assert check_in.state is CheckInState.SKIPPED
    last = (await house.trace(check_in))[-1]
    assert (last["rule"], last["outcome"]) == ("opt_out", "skip")
    assert await house.all(Task, state="todo") == []


async def test_a_question_that_is_being_composed_does_not_outlive_the_stop(house: House) -> None:
    """STOP arrives while the dialogue is looking for words: the check-in is skipped and not sent."""
    real_trigger = house.dialogue.trigger

    async def stop_meanwhile(*args: object) -> object:
        await house.arrives("STOP")
        await Worker(house.shop).drain()
        return await real_trigger(*args)  # type: ignore[arg-type]

    house.dialogue.trigger = stop_meanwhile  # type: ignore[method-assign,assignment]
    event = await house.serve()

    assert house.sms.texts == ["utter_opt_out[en]"]
    check_in = await house.one(CheckIn, service_event_id=event.id)
    assert (check_in.state, check_in.sent_at) == (CheckInState.SKIPPED, None)
    assert (await house.one(ServiceEvent)).verdict is Verdict.OPTED_OUT


async def test_what_waits_in_the_outbox_is_withheld_and_the_confirmation_is_not(house: House) -> None:
    """The channel was busy when STOP came."""
    house.sms.fails_with = [ChannelError("busy", retry_after=30)]
    await house.writes("hello")
    await house.writes("STOP")
    house.later(seconds=30)
    await house.worker.drain()

    assert await house.outbox() == [("How was everything?", "withheld"), ("utter_opt_out[en]", "queued")]
    assert (await house.all(Message, delivery="withheld"))[0].delivery_error == "the customer opted out"


async def test_each_change_of_mind_is_recorded_once(house: House) -> None:
    """The record shows what was said and in which message; saying it twice adds nothing."""
    first = await house.writes("STOP")
    house.later(minutes=1)
    await house.writes("STOP")
    house.later(minutes=1)
    second = await house.writes("START")

    said = [(c.granted, c.source) for c in await house.all(Consent, order_by="at")]
    assert said == [(False, f"message {first.id}"), (True, f"message {second.id}")]


async def test_an_opt_out_that_the_provider_tells_us_of_counts_as_much(house: House) -> None:
    """21610 may come only in a status callback."""
    await house.serve()
    question = await house.one(Message)
    await record_status(house.shop, message_id=question.id, provider_id="SM0", status="undelivered", error_code="21610")
    await receive_service_event(house.shop, lunch("order-2"))
    await house.worker.drain()

    assert (await house.one(ContactPoint)).opted_out_at == house.clock.now
    assert len(house.sms.texts) == 1
    assert (await house.one(ServiceEvent, external_id="order-2")).verdict is Verdict.OPTED_OUT
