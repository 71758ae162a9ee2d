"""One message of a customer: a command is obeyed, an agent's thread is left alone, anything else is answered once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.core.dialogue import DialogueRejected, DialogueUnavailable
from bot.core.vocabulary import HandoffReason, MessageKind, Owner, Purpose, Verdict
from bot.services.entities import AssessmentRecord, Consent, ContactPoint, Message, Task
from tests.services.house import CONTENT, UNHAPPY, House


async def cut_off(*_: Any) -> None:
    """The worker dies between the turn and the words."""
    raise KeyboardInterrupt


class Died(Exception):
    """What a test raises in place of a power cut."""


@pytest.mark.parametrize(
    ("word", "response"),
    [
        ("HELP", "utter_help[en]"),
        ("Yardım", "utter_help[tr]"),
        ("START", "utter_resubscribed[en]"),
        ("STOP", "utter_opt_out[en]"),
    ],
)
async def test_a_command_is_obeyed_without_asking_the_bot(house: House, word: str, response: str) -> None:
    """What the law says is not left to a model."""
    await house.writes(word)

    assert house.sms.texts == [response]
    assert house.dialogue.asked == []
    assert (await house.one(Message, direction="out")).kind is MessageKind.COMPLIANCE


async def test_help_is_answered_even_to_someone_who_opted_out(house: House) -> None:
    """HELP is exempt from the opt-out; a second STOP gets no second confirmation."""
    for word in ("STOP", "HELP", "STOP"):
        await house.writes(word)

    assert house.sms.texts == ["utter_opt_out[en]", "utter_help[en]"]


async def test_start_takes_back_the_opt_out(house: House) -> None:
    """START is confirmed, recorded as consent, and what follows is a conversation again."""
    for text in ("STOP", "START", "hello"):
        await house.writes(text)

    assert house.sms.texts == ["utter_opt_out[en]", "utter_resubscribed[en]", "How was everything?"]
    assert [c.granted for c in await house.all(Consent, order_by="at")] == [False, True]


async def test_yes_is_start_only_for_someone_who_opted_out(house: House) -> None:
    """Otherwise it is an answer, and the bot reads it."""
    await house.writes("yes")
    await house.writes("STOP")
    await house.writes("yes")

    assert house.sms.texts == ["How was everything?", "utter_opt_out[en]", "utter_resubscribed[en]"]


async def test_who_opted_out_is_still_heard_and_not_written_to(house: House) -> None:
    """Their words are assessed, and reach a person; the bot's answer is withheld."""
    await house.serve()
    await house.writes("STOP")
    case = await house.complains()

    assert house.sms.texts == ["How was everything?", "utter_opt_out[en]"]
    assert (await house.outbox())[-1] == ("How was everything?", "withheld")
    assert (await house.one(AssessmentRecord)).verdict is Verdict.COMPLAINT
    assert case.reason is HandoffReason.DISSATISFIED


async def test_an_opt_out_in_the_customers_own_words_is_confirmed_once(house: House) -> None:
    """ "Please stop texting me" is heard in the turn; its confirmation is not swallowed by it."""

    async def let_go(conversation_id: str, message_id: str) -> None:
        await house.recovery.opt_out(conversation_id, message_id)

    house.dialogue.during_turn, house.dialogue.says = let_go, ["You will not hear from us again."]
    await house.writes("please stop texting me")
    await house.writes("I said stop texting me")

    assert house.sms.texts == ["You will not hear from us again."]


async def test_the_confirmation_of_an_opt_out_survives_a_crash(house: House) -> None:
    """The opt-out was recorded by an earlier try of the same message, which died before it could say so."""
    tries: list[str] = []

    async def let_go_and_die_once(conversation_id: str, message_id: str) -> None:
        await house.recovery.opt_out(conversation_id, message_id)
        tries.append(message_id)
        if len(tries) == 1:
            raise Died

    house.dialogue.during_turn, house.dialogue.says = let_go_and_die_once, ["You will not hear from us again."]
    await house.writes("please stop texting me")
    house.later(minutes=1)
    await house.worker.drain()

    assert len(tries) == 2
    assert house.sms.texts == ["You will not hear from us again."]


async def test_while_a_person_owns_the_conversation_the_bot_is_not_even_asked(house: House) -> None:
    """The message waits in the thread for them, and the case shows that the customer wrote."""
    case = await house.complains()
    asked = len(house.dialogue.asked)

    await house.writes("hello?")

    assert len(house.dialogue.asked) == asked
    assert len(house.sms.texts) == 1
    assert await house.timeline(case) == ["opened", "wrote"]


@pytest.mark.parametrize(
    ("media", "response"), [([], "utter_empty[en]"), ([{"url": "https://example.com/1"}], "utter_media_only[en]")]
)
async def test_a_message_without_words_gets_an_answer_that_says_so(
    house: House, media: list[dict[str, str]], response: str
) -> None:
    """A photo cannot be read and an empty text neither; both are kept."""
    message = await house.writes(" ", media=media)

    assert house.sms.texts == [response]
    assert house.dialogue.asked == []
    assert (await house.one(Message, id=message.id)).media == media


async def test_the_bot_is_told_who_writes_and_what_was_asked_last(house: House) -> None:
    """Language, channel, context and name travel with the words; the phone number does not."""
    await house.serve()
    message = await house.writes("lovely")

    turn = house.dialogue.asked[-1]
    assert turn == {
        "turn": "lovely",
        "message_id": message.id,
        "language": "en",
        "default_language": "en",
        "channel": "sms",
        "context": "check_in",
        "business": "Harbour Kitchen",
        "site": "Harbour",
        "customer_name": "Robin",
    }


async def test_messages_are_answered_in_the_order_they_came(house: House) -> None:
    """A burst loses none (P4)."""
    for number in range(5):
        await house.arrives(f"remark {number}")
    await house.worker.drain()

    assert [turn["turn"] for turn in house.dialogue.asked] == [f"remark {number}" for number in range(5)]
    assert len(house.sms.texts) == 5


async def test_what_the_bot_was_thinking_is_withheld_when_an_agent_answers_meanwhile(house: House) -> None:
    """The agent's words stand alone; the record says what was withheld and why."""
    sam = await house.hires()
    case = await house.complains()
    await house.desk.claim(case.id, sam.id)
    await house.desk.hand_back(case.id, sam.id)

    async def agent_is_faster(conversation_id: str, message_id: str) -> None:
        await house.desk.reply(case.id, sam.id, "Sam here.")

    house.dialogue.during_turn, house.dialogue.says = agent_is_faster, ["I could also help."]
    await house.writes("are you there?")

    assert house.sms.texts[-1] == "Sam here."
    assert "I could also help." not in house.sms.texts
    assert ("skipped", "a person took over while the bot was answering") in await house.decisions(Purpose.REPLY)


async def test_an_agents_answer_also_withholds_what_already_waits_in_the_outbox(house: House) -> None:
    """Words written, committed, and not yet sent: the version they were written for is gone."""
    sam = await house.hires()
    house.sms.fails_with = []
    case = await house.complains()
    await house.desk.claim(case.id, sam.id)
    await house.desk.hand_back(case.id, sam.id)
    await house.worker.drain()
    house.reading, house.dialogue.says = CONTENT, ["I could also help."]
    await house.arrives("are you there?")
    [task] = await _claimed(house)
    await house.worker._work(task)

    await house.desk.reply(case.id, sam.id, "Sam here.")
    await house.worker.drain()

    assert (await house.outbox())[-2:] == [("I could also help.", "withheld"), ("Sam here.", "queued")]


async def _claimed(house: House) -> list[Task]:
    return await house.worker._claim(1)


async def test_a_turn_that_died_after_its_handoff_is_still_acknowledged_once(house: House) -> None:
    """The next try finds the conversation handed over by this very message, and says so without the bot."""
    tries: list[str] = []

    async def hand_off_and_die(conversation_id: str, message_id: str) -> None:
        tries.append(message_id)
        await house.hear(conversation_id, message_id)
        raise Died

    house.reading, house.dialogue.during_turn = UNHAPPY, hand_off_and_die
    await house.writes("an hour for a soup")
    assert house.sms.texts == []
    for _ in range(3):
        house.later(minutes=1)
        await house.worker.drain()

    assert len(tries) == 1
    assert house.sms.texts == ["utter_handoff_expected[en]"]
    assert len(await house.cases()) == 1


async def test_a_late_acknowledgement_does_not_talk_over_the_agent_who_was_faster(house: House) -> None:
    """The turn died after its handoff, and the agent has answered before it is tried again."""
    sam = await house.hires()

    async def hand_off_and_die(conversation_id: str, message_id: str) -> None:
        await house.hear(conversation_id, message_id)
        raise Died

    house.reading, house.dialogue.during_turn = UNHAPPY, hand_off_and_die
    await house.writes("an hour for a soup")
    case = await house.case()
    await house.desk.reply(case.id, sam.id, "Robin, Sam here.")
    house.later(minutes=1)
    await house.worker.drain()

    assert house.sms.texts == ["Robin, Sam here."]


async def test_a_bot_that_is_away_is_waited_for_and_then_a_person_takes_over(house: House) -> None:
    """Within a minute it may come back; after it the customer waits no longer."""
    house.dialogue.broken = DialogueUnavailable("away")
    await house.writes("hello")
    house.later(seconds=20)
    await house.worker.drain()
    assert house.sms.texts == []

    house.dialogue.broken = None
    house.later(seconds=20)
    await house.worker.drain()

    assert house.sms.texts == ["How was everything?"]
    assert await house.cases() == []


async def test_a_message_the_bot_refuses_goes_to_a_person_at_once(house: House) -> None:
    """Trying again would not help."""
    house.dialogue.broken = DialogueRejected("too strange")

    await house.writes("☃" * 50)

    assert (await house.case()).reason is HandoffReason.BOT_UNAVAILABLE
    assert house.sms.texts == ["utter_handoff_expected[en]"]
    assert (await house.conversation()).owner is Owner.AGENT


async def test_the_language_heard_is_kept_where_none_is_known(house: House) -> None:
    """A stranger's language comes from their words; a recorded one wins."""
    real_turn = house.dialogue.turn

    async def in_turkish(*args: Any) -> Any:
        return replace(await real_turn(*args), language="tr")

    house.dialogue.turn = in_turkish  # type: ignore[method-assign]
    await house.writes("çok güzeldi")

    assert (await house.conversation()).language == "tr"
    await house.writes("help")
    assert house.sms.texts[-1] == "utter_help[tr]"


async def test_somebody_elses_number_is_never_written_to_first_again(house: House) -> None:
    """Wrong person: the answer to them leaves, and later questions for this customer do not."""

    async def wrong(conversation_id: str, message_id: str) -> None:
        await house.recovery.wrong_person(conversation_id, message_id)

    event = await house.serve()
    house.dialogue.during_turn, house.dialogue.says = wrong, ["Sorry, wrong number."]
    await house.writes("who is this?")
    later = await house.serve("order-2")

    assert house.sms.texts == ["How was everything?", "Sorry, wrong number."]
    assert (await house.one(ContactPoint)).invalid_since is not None
    verdicts = {e.id: e.verdict for e in await house.all(type(event))}
    assert verdicts == {event.id: Verdict.UNREACHABLE, later.id: Verdict.UNREACHABLE}
