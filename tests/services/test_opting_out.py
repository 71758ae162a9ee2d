"""An opt-out takes effect in the transaction that records it, and cancels everything still to be sent."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.core.dialogue import DialogueUnavailable
from bot.core.errors import ChannelError, Conflict
from bot.core.vocabulary import CaseState, CheckInState, MessageKind, Owner, Purpose, Verdict
from bot.services.delivering import record_status
from bot.services.entities import CheckIn, Consent, ContactPoint, Message, ServiceEvent, Task
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
    house.later(seconds=33)
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
    await record_status(
        house.shop,
        message_id=question.id,
        provider_id=str(question.provider_id),
        status="undelivered",
        error_code="21610",
    )
    await receive_service_event(house.shop, lunch("order-2"))
    await house.worker.drain()

    assert (await house.one(ContactPoint)).opted_out_at == house.clock.now
    assert len(house.sms.texts) == 1
    assert (await house.one(ServiceEvent, external_id="order-2")).verdict is Verdict.OPTED_OUT


async def test_stop_cancels_everything_that_is_pending_in_its_own_transaction(house: House) -> None:
    """A planned question, queued words, a word of progress: none is left when the STOP has been handled."""
    await house.complains()
    house.sms.fails_with = [ChannelError("busy", retry_after=3600)]
    await house.writes("anyone?")
    sam = await house.hires()
    await house.desk.reply((await house.case()).id, sam.id, "Robin, Sam here.")
    await house.worker.drain()
    await receive_service_event(house.shop, lunch("planned", delay=timedelta(hours=2)))
    message = await house.arrives("STOP")
    [task] = [task for task in await house.worker._claim(1) if task.kind == "handle_message"]
    await house.worker._work(task)

    assert [state for _, state in await house.outbox()] == ["queued", "withheld", "queued"]
    assert (await house.one(CheckIn)).state is CheckInState.SKIPPED
    assert ("cancelled", "the customer opted out") in await house.decisions(Purpose.PROGRESS)
    assert ("cancelled", "the customer opted out") in await house.decisions(Purpose.CHECK_IN)
    assert (await house.all(Message, in_reply_to=message.id))[0].kind is MessageKind.COMPLIANCE


async def test_the_confirmation_does_not_wait_behind_what_is_not_sent_any_more(house: House) -> None:
    """The channel asked for an hour's pause; the words that waited for it are gone."""
    house.sms.fails_with = [ChannelError("busy", retry_after=3600)]
    await house.writes("hello")
    await house.writes("STOP")

    assert house.sms.texts == ["utter_opt_out[en]"]


async def test_a_follow_up_is_let_go_with_the_stop(house: House) -> None:
    """Its case is closed at once and says why; nothing is asked a day later, not even after a START."""
    sam = await house.hires()
    case = await house.complains()
    await house.resolves(case, sam)
    await house.writes("STOP")
    assert (await house.case()).state is CaseState.CLOSED

    await house.writes("START")
    house.dialogue.says = ["Is it better now?"]
    house.later(days=2)
    await house.worker.drain()

    assert "Is it better now?" not in house.sms.texts
    assert (await house.decisions(Purpose.FOLLOW_UP))[-1] == ("cancelled", "the customer opted out of messages")


async def test_a_word_of_progress_that_was_cancelled_does_not_come_back_with_a_start(house: House) -> None:
    """The desk is alarmed all the same."""
    await house.complains()
    await house.writes("STOP")
    await house.writes("START")
    house.later(minutes=31)
    await house.worker.drain()

    assert house.sms.texts[-1] == "utter_resubscribed[en]"
    assert (await house.case()).breached_at is not None
    assert (await house.decisions(Purpose.PROGRESS))[-1][1] == "the customer opted out after it was planned"


async def test_stop_is_obeyed_while_a_person_owns_the_conversation(house: House) -> None:
    """Confirmed once; the case tells the person, and what they try to send is refused and does not leave."""
    sam = await house.hires()
    case = await house.complains()
    await house.desk.reply(case.id, sam.id, "Robin, Sam here.")
    await house.writes("STOP")
    await house.writes("stop!")

    with pytest.raises(Conflict, match="opted out of messages here; reach them another way"):
        await house.desk.reply(case.id, sam.id, "One more thing")
    assert house.sms.texts[-2:] == ["Robin, Sam here.", "utter_opt_out[en]"]
    assert "opted out" in await house.timeline(case)
    assert (await house.decisions(Purpose.AGENT_REPLY))[-1] == ("refused", "the customer opted out")
    assert (await house.decisions(Purpose.OPT_OUT))[-1] == ("skipped", "the customer had opted out already")


async def test_an_opt_out_in_their_own_words_counts_while_a_person_owns_the_conversation(house: House) -> None:
    """It must not hang on who reads it when; the bot says nothing else."""
    sam = await house.hires()
    case = await house.complains()
    await house.desk.claim(case.id, sam.id)
    house.dialogue.intent = "opt_out"
    await house.writes("please stop texting me")

    assert house.sms.texts[-1] == "utter_opt_out[en]"
    assert (await house.one(ContactPoint)).opted_out_at == house.clock.now
    assert (await house.conversation()).owner is Owner.AGENT
    assert "wrote" in await house.timeline(case)


async def test_any_other_words_are_the_agents_to_read(house: House) -> None:
    """The noise that did not stop stops nothing."""
    case = await house.complains()
    sent = len(house.sms.texts)
    house.dialogue.intent = "complaint"
    await house.writes("the noise didn't stop")

    assert len(house.sms.texts) == sent
    assert (await house.one(ContactPoint)).opted_out_at is None
    assert (await house.timeline(case))[-1] == "wrote"
    assert (await house.decisions(Purpose.REPLY))[-1] == ("skipped", "a person owns the conversation")


async def test_a_dialogue_that_is_away_keeps_a_message_from_the_agent_for_a_minute_at_most(house: House) -> None:
    """Then it is theirs, read or not."""
    case = await house.complains()
    house.dialogue.broken = DialogueUnavailable("away")
    await house.writes("hello?")
    assert (await house.timeline(case))[-1] == "opened"
    for _ in range(8):
        house.later(seconds=10)
        await house.worker.drain()

    assert (await house.timeline(case))[-1] == "wrote"


@pytest.mark.parametrize("hour", [3, 12, 23])
async def test_help_is_answered_at_any_hour_and_to_anybody(house: House, hour: int) -> None:
    """Quiet hours are no reason, nor is an opt-out, nor a number that once was wrong."""
    house.at(hour)
    await house.writes("STOP")
    async with house.shop.store() as tx:
        point = await tx.one(ContactPoint)
        assert point is not None
        point.invalid_since = house.clock.now
        await tx.commit()
    await house.writes("HELP")

    assert house.sms.texts == ["utter_opt_out[en]", "utter_help[en]"]


async def test_start_bypasses_any_flow_and_restores(house: House) -> None:
    """In the middle of a case that a person owns; the next service is asked about again."""
    await house.complains()
    await house.writes("STOP")
    await house.writes("START")
    assert house.sms.texts[-1] == "utter_resubscribed[en]"
    assert (await house.one(ContactPoint)).opted_out_at is None

    sam = await house.hires()
    await house.resolves(await house.case(), sam)
    house.dialogue.says = ["How was dinner?"]
    await house.serve("dinner", finished_at=house.later(days=1))
    assert "How was dinner?" in house.sms.texts


async def test_a_number_that_the_provider_suppressed_has_nothing_pending_either(house: House) -> None:
    """21610 cancels as much as STOP does."""
    await house.serve("asked")
    await receive_service_event(house.shop, lunch("planned", delay=timedelta(hours=6)))
    question = await house.one(Message)
    await record_status(
        house.shop,
        message_id=question.id,
        provider_id=str(question.provider_id),
        status="undelivered",
        error_code="21610",
    )

    assert {c.state for c in await house.all(CheckIn)} == {CheckInState.SENT, CheckInState.SKIPPED}
    assert {e.verdict for e in await house.all(ServiceEvent)} == {Verdict.OPTED_OUT}
    assert ("undelivered", "they have opted out at the provider") in await house.decisions()
