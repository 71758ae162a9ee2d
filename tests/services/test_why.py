"""Why: one account of everything that went to a phone and everything that did not, in words a person would use."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from bot.core.errors import ChannelError, Conflict, NotFound, Refused
from bot.core.vocabulary import Medium
from bot.services.delivering import record_status
from bot.services.entities import Message
from bot.services.intake import receive_service_event
from bot.services.why import explain
from tests.services.house import PHONE, House, lunch, robin

LOST = ChannelError("the answer was lost", ambiguous=True)


async def account(house: House, phone: str = PHONE, since: str | None = None) -> dict[str, Any]:
    """The account of a phone."""
    async with house.shop.store(read_only=True) as tx:
        return await explain(tx, phone, since=since)


async def sentences(house: House, **asked: Any) -> list[str]:
    """What happened, the oldest first."""
    return [item["sentence"] for item in (await account(house, **asked))["items"]]


async def planned(house: House) -> list[str]:
    """What is still to come."""
    return [item["sentence"] for item in (await account(house))["planned"]]


async def reports(house: House, status: str, code: str | None = None) -> None:
    """The provider calls back about our first message, a minute later."""
    house.later(minutes=1)
    message = (await house.all(Message, direction="out", order_by="position"))[0]
    await record_status(
        house.shop, message_id=message.id, provider_id=str(message.provider_id), status=status, error_code=code
    )


async def test_a_question_that_was_asked_is_told_from_the_plan_to_the_reading(house: House) -> None:
    """Planned, decided with every rule's word, sent, delivered, read; the times are the customer's."""
    await house.serve()
    await reports(house, "delivered")
    await reports(house, "read")

    assert await sentences(house) == [
        "Agreed to messages by SMS: service event.",
        "Planned the question how lunch was by SMS for Wed 4 Mar 2026, 12:00: a service was reported.",
        "Decided to send the question how lunch was by SMS: there is an address on sms; no opt-out is recorded; "
        "consent is recorded; the service is recent; nobody else is talking with this customer; 0 of 3 first messages "
        "in 7 days; it is 12:00 in Europe/London (we may write 09:00-20:00).",
        "Sent the question how lunch was by SMS: “How was everything?” Left 12:00 in English, 1 segment; no opt-out is "
        "recorded; the address is not known to be wrong; the bot owns the conversation; nothing has changed since it "
        "was written; nobody of ours is talking with them somewhere else; it still has its point; it is 12:00 in "
        "Europe/London. Delivered 12:01. Read 12:02.",
    ]
    told = await account(house)
    assert (told["phone"], told["name"], told["time_zone"]) == (PHONE, "Robin", "Europe/London")
    assert told["standing"] == "They may be written to by SMS: consent is recorded, Wed 4 Mar 2026, 12:00."


async def test_a_question_that_waits_for_the_morning_is_planned(house: House) -> None:
    """It says until when, and on whose clock."""
    house.at(21)
    await house.serve(finished_at=house.clock.now)

    assert (await sentences(house))[-1] == (
        "Put off the question how lunch was until Thu 5 Mar 2026, 09:00: it is 21:00 in Europe/London "
        "(we may write 09:00-20:00)."
    )
    assert await planned(house) == ["The question how lunch was, at Thu 5 Mar 2026, 09:00."]


async def test_times_are_told_on_the_customers_clock_whatever_ours(house: House) -> None:
    """Noon in London is half past three in Tehran."""
    await house.serve(customer=robin(time_zone="Asia/Tehran"))

    told = await account(house)
    assert told["items"][-1]["local_time"] == "Wed 4 Mar 2026, 15:30"
    assert "Left 15:30 in English" in told["items"][-1]["sentence"]


async def test_a_question_that_was_not_asked_says_which_rule_it_was(house: House) -> None:
    """Nobody agreed to it."""
    await house.serve(customer=robin(consent={}))

    assert (await sentences(house))[-1] == (
        "Did not send the question how lunch was: no consent to write by sms is recorded."
    )
    assert (await account(house))["standing"].startswith("No consent to write by SMS is recorded")
    assert await planned(house) == []


async def test_an_opt_out_is_told_with_the_words_it_came_in_and_all_it_cancelled(house: House) -> None:
    """And with the one confirmation that left all the same."""
    await house.serve()
    await receive_service_event(house.shop, lunch("dinner", service="dinner", delay=timedelta(hours=6)))
    house.later(minutes=1)
    await house.writes("STOP!")
    house.later(minutes=1)
    await house.writes("stop")

    told = await account(house)
    assert told["standing"].startswith("They opted out, Wed 4 Mar 2026, 12:01. Nothing leaves but")
    assert [item["sentence"] for item in told["items"]][-4:] == [
        "Opted out of messages by SMS: they wrote “STOP!”",
        "Cancelled the question how dinner was: the customer opted out.",
        "Sent the confirmation of the opt-out by SMS: “utter_opt_out[en]”. Left 12:01 in English, 1 segment; an answer "
        "to STOP, START or HELP always leaves. No report of its delivery yet.",
        "Did not send the confirmation of the opt-out: the customer had opted out already.",
    ]
    assert told["planned"] == []


async def test_what_the_provider_could_not_deliver_is_told_with_its_code(house: House) -> None:
    """In words, and with the number to look up."""
    await house.serve()
    await reports(house, "undelivered", "30003")

    [item] = [one for one in (await account(house))["items"] if one["kind"] == "message"]
    assert item["sentence"].endswith(
        "Not delivered 12:01: the phone is off or out of reach (30003); it is tried once more. It waits to leave."
    )
    assert (item["outcome"], item["facts"]["code"], item["facts"]["remedy"]) == ("queued", "30003", "retry_later")


async def test_a_number_that_is_none_is_told_with_its_code_too(house: House) -> None:
    """Refused at once, and never written to first again."""
    house.sms.fails_with = [ChannelError("refused", permanent=True, code="21211")]
    await house.serve()

    assert (await sentences(house))[-1].endswith("Refused for good 12:00: this is not a phone number (21211).")
    assert (await account(house))["standing"].startswith("The number does not reach them since")


async def test_a_retry_and_a_reconciliation_are_told_step_by_step(house: House) -> None:
    """Busy, then lost, then found at the provider: sent once."""
    house.sms.fails_with = [ChannelError("busy", retry_after=60), LOST]
    await house.writes("hello")
    assert await planned(house) == ["The assistant's answer, at Wed 4 Mar 2026, 12:01."]
    house.later(minutes=2)
    await house.worker.drain()
    house.later(minutes=5)
    await house.worker.drain()

    [said] = [one for one in await sentences(house) if "the assistant's answer" in one]
    assert "Not taken 12:00: busy; tried again 12:01." in said
    assert "May have left 12:02: the answer was lost; the provider is asked before anything is sent again." in said
    assert "Not taken 12:07: the provider never took it; tried again 12:07." in said
    assert "Left 12:07 in English, 1 segment" in said


async def test_a_case_is_told_with_its_follow_up_and_the_words_of_its_agent(house: House) -> None:
    """Who took over, what they wrote, what is asked about it and when."""
    sam = await house.hires()
    house.dialogue.says = ["Sorry about that."]
    case = await house.complains()
    assert (await planned(house))[0].startswith(
        "The word that a person's answer takes longer unless somebody has answered, at "
    )
    await house.desk.reply(case.id, sam.id, "Robin, Sam here.")
    await house.resolves(case, sam)
    await house.worker.drain()

    said = await sentences(house)
    assert any(one.startswith("Sent the word that a person takes over by SMS: “Sorry about that.”") for one in said)
    assert any(one.startswith("Sent Sam's reply by SMS: “Robin, Sam here.” Left 12:00") for one in said)
    assert await planned(house) == ["The question whether the fix helped, at Thu 5 Mar 2026, 12:00."]


async def test_silence_towards_a_message_is_told_as_well(house: House) -> None:
    """While a person owns the conversation the bot says nothing, and that is a decision."""
    await house.complains()
    house.later(minutes=1)
    await house.writes("hello?")

    assert (await sentences(house))[-1] == "Sent no answer to “hello?”: a person owns the conversation."


async def test_an_agents_reply_that_was_not_taken_is_told(house: House) -> None:
    """By name, and that nothing left."""
    sam = await house.hires()
    case = await house.complains()
    await house.writes("STOP")
    house.later(minutes=1)
    with pytest.raises(Conflict, match="opted out"):
        await house.desk.reply(case.id, sam.id, "But wait")

    assert (await sentences(house))[-1] == "Did not take Sam's reply: the customer opted out. Nothing left."


async def test_both_channels_of_a_customer_are_one_account(house: House) -> None:
    """What keeps a text away may have happened on the website."""
    await house.serve("web", medium=Medium.WEBCHAT)
    house.later(minutes=1)
    await house.serve("sms")

    said = await sentences(house)
    assert any("Sent the question how lunch was by web chat" in one for one in said)
    assert said[-1].startswith("Put off the question how lunch was until Wed 4 Mar 2026, 16:00: somebody else reached")


async def test_persian_words_do_not_turn_the_sentence_around(house: House) -> None:
    """They are isolated, so that what follows the quotation stays behind it."""
    house.dialogue.says = ["همه‌چیز چطور بود؟"]
    await house.serve(customer=robin(language="fa"))

    assert "by SMS: “\u2068همه‌چیز چطور بود؟\u2069” Left 12:00" in (await sentences(house))[-1]


async def test_an_account_may_begin_on_a_day(house: House) -> None:
    """What was before is left out; what is planned is not."""
    await house.serve()
    house.later(days=1)
    await house.writes("lovely")

    assert len(await sentences(house)) > 1
    told = await account(house, since="2026-03-05")
    assert {item["purpose"] for item in told["items"]} == {"reply"}
    with pytest.raises(Refused, match="write it like 2026-03-01"):
        await account(house, since="last week")


@pytest.mark.parametrize(
    "written",
    [
        "+447700900001",
        "+44 7700 900001",
        "+44 (0)7700-900001",
        "0044 7700 900001",
        "07700 900001",
        "447700900001",
        " 447700900001",  # a plus in an address line becomes a space
        "tel:+44-7700-900001",
        "+٤٤٧٧٠٠٩٠٠٠٠١",
    ],
)
async def test_a_phone_is_found_in_any_usual_notation(house: House, written: str) -> None:
    """As it is dialled abroad, at home, or copied from somewhere."""
    await house.serve()

    assert (await account(house, written))["phone"] == PHONE


async def test_a_number_nobody_knows_and_what_is_no_number_say_what_to_do(house: House) -> None:
    """Two different mistakes, two different answers; neither repeats the number."""
    with pytest.raises(NotFound, match=r"nothing is known of this number.*check the digits and the country") as unknown:
        await account(house, "+447700900999")
    assert "7700" not in str(unknown.value)
    for written in ("banana", "", "+44"):
        with pytest.raises(Refused) as refused:
            await account(house, written)
        assert refused.value.field == "phone"
        assert "phone number" in str(refused.value)
