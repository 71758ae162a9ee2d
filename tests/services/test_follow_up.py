"""After the fix: somebody asks whether it helped, at a decent hour, and the customer's word decides."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.core.errors import Refused
from bot.core.vocabulary import AwaitedAnswer, CaseState, Owner, Step, StepState, Verdict
from bot.services.entities import Case, CaseStep, ContactPoint, Promise, ServiceEvent
from bot.services.follow_up import FollowUpRecorded
from tests.services.house import CONTENT, UNHAPPY, House


@pytest.fixture
async def fixed(house: House) -> Case:
    """A case that Sam resolved at noon; the follow-up asks in its own words."""
    sam = await house.hires()
    await house.serve()
    case = await house.complains()
    await house.resolves(case, sam)
    house.dialogue.says = ["Is it better now?"]
    return case


async def answers(house: House, fixed: bool | None, text: str = "well") -> FollowUpRecorded:
    """The customer answers the follow-up, which the actions understand as `fixed`."""
    recorded: list[FollowUpRecorded] = []

    async def heard(conversation_id: str, message_id: str) -> None:
        await house.recovery.assess_reply(conversation_id, message_id, CONTENT if fixed else UNHAPPY)
        recorded.append(await house.recovery.follow_up_answered(conversation_id, message_id, fixed))

    house.dialogue.during_turn, house.dialogue.says = heard, ["Noted."]
    await house.writes(text)
    return recorded[0]


async def a_day_later(house: House, **delta: Any) -> None:
    """Time passes and what is due is done."""
    house.later(**(delta or {"days": 1}))
    await house.worker.drain()


async def test_a_day_after_the_fix_the_bot_asks_about_it(house: House, fixed: Case) -> None:
    """With the agent's name and what was done, and the next reply is its answer."""
    await a_day_later(house)

    assert house.sms.texts[-1] == "Is it better now?"
    asked = house.dialogue.asked[-1]
    assert asked["trigger"] == "EXTERNAL_follow_up"
    assert (asked["agent_name"], asked["gesture"], asked["failure"]) == ("Sam", "a table by the window", "wait")
    assert (await house.conversation()).awaited is AwaitedAnswer.FOLLOW_UP
    assert (await house.timeline(fixed))[-1] == "asked whether it helped"


async def test_a_yes_closes_the_case(house: House, fixed: Case) -> None:
    """The step is done by the customer, in their words; the complaint stays what it was."""
    await a_day_later(house)
    recorded = await answers(house, True, "yes, much better")

    assert recorded == FollowUpRecorded("closed", "Sam")
    case = await house.case()
    assert (case.state, case.closed_at) == (CaseState.CLOSED, house.clock.now)
    step = await house.one(CaseStep, step=Step.FOLLOW_UP)
    assert (step.state, step.by, step.note) == (StepState.DONE, "customer", "yes, much better")
    assert (await house.one(ServiceEvent)).verdict is Verdict.COMPLAINT
    house.dialogue.says = ["unwanted"]
    await a_day_later(house, days=9)
    assert "unwanted" not in house.sms.texts


@pytest.mark.parametrize("fixed_it", [False, None])
async def test_anything_but_a_yes_brings_the_case_back_with_its_agent(
    house: House, fixed: Case, fixed_it: bool | None
) -> None:
    """The fix and the follow-up are open again, a person owns the conversation, and the customer is told so."""
    await a_day_later(house)
    recorded = await answers(house, fixed_it, "not really")

    assert recorded == FollowUpRecorded("reopened", "Sam")
    case, conversation = await house.case(), await house.conversation()
    assert (case.state, case.resolved_at, case.first_response_at) == (CaseState.REOPENED, None, None)
    assert (conversation.owner, conversation.agent_id) == (Owner.AGENT, case.agent_id)
    steps = {step.step: step.state for step in await house.all(CaseStep)}
    assert {step for step, state in steps.items() if state is StepState.OPEN} == {Step.ACT, Step.FOLLOW_UP}
    assert house.sms.texts[-1] == "Noted."


async def test_a_reopened_case_is_promised_and_chased_like_a_new_one(house: House, fixed: Case) -> None:
    """Half an hour of opening time: at nine in the evening that is half past nine in the morning, and not at night."""
    await a_day_later(house)
    house.at(21)
    await answers(house, False)

    case = await house.case()
    tomorrow = house.clock.now.replace(hour=9, minute=30) + timedelta(days=1)
    assert case.first_response_due == tomorrow
    assert tomorrow in [promise.due_at for promise in await house.all(Promise, kept_at=None)]
    house.at(9, 30, days=1)
    await house.worker.drain()
    assert (await house.case()).breached_at == tomorrow
    assert house.sms.texts[-1] == "utter_progress[en]"


async def test_no_answer_is_asked_once_more_and_then_let_go(house: House, fixed: Case) -> None:
    """Two tries, two days apart; then the case closes and says why (P25)."""
    await a_day_later(house)
    await a_day_later(house, days=2)
    assert house.sms.texts[-2:] == ["Is it better now?"] * 2
    await a_day_later(house, days=2)

    case = await house.case()
    step = await house.one(CaseStep, step=Step.FOLLOW_UP)
    assert (case.state, step.state, step.note) == (CaseState.CLOSED, StepState.WAIVED, "asked, and no answer came")
    assert len(house.sms.texts) == 4


async def test_a_no_after_we_stopped_asking_still_counts(house: House, fixed: Case) -> None:
    """The case was closed for want of an answer; the answer comes after all."""
    for days in (1, 2, 2):
        await a_day_later(house, days=days)
    assert (await house.case()).state is CaseState.CLOSED

    recorded = await answers(house, False, "sorry, I was away. No, it is not fixed")

    assert recorded.outcome == "reopened"
    assert (await house.case()).state is CaseState.REOPENED


async def test_thanks_after_the_close_reopens_nothing(house: House, fixed: Case) -> None:
    """The field's users complain about exactly this."""
    await a_day_later(house)
    await answers(house, True)
    house.dialogue.during_turn, house.dialogue.says = house.hear, []
    house.reading = CONTENT
    await house.writes("thanks!")

    assert (await house.case()).state is CaseState.CLOSED
    assert len(await house.cases()) == 1


async def test_the_follow_up_waits_for_a_decent_hour(house: House) -> None:
    """Resolved at ten in the evening: asked at nine, a day and a night later."""
    sam = await house.hires()
    case = await house.complains()
    house.at(22)
    await house.resolves(case, sam)
    house.dialogue.says = ["Is it better now?"]

    await a_day_later(house)
    assert house.sms.texts[-1] != "Is it better now?"
    house.at(9, days=1)
    await house.worker.drain()

    assert house.sms.texts[-1] == "Is it better now?"


async def test_who_opted_out_is_not_asked_and_the_record_says_so(house: House, fixed: Case) -> None:
    """The case closes without a question."""
    await house.writes("STOP")
    sent = len(house.sms.texts)
    await a_day_later(house)

    assert len(house.sms.texts) == sent
    assert (await house.case()).state is CaseState.CLOSED
    assert (await house.one(CaseStep, step=Step.FOLLOW_UP)).note == "the customer opted out of messages"


async def test_a_number_that_is_somebody_elses_is_not_asked_either(house: House, fixed: Case) -> None:
    """The case closes and says that the address does not reach the customer."""
    async with house.shop.store() as tx:
        point = await tx.one(ContactPoint)
        assert point is not None
        point.invalid_since = house.clock.now
        await tx.commit()
    sent = len(house.sms.texts)
    await a_day_later(house)

    assert len(house.sms.texts) == sent
    assert (await house.one(CaseStep, step=Step.FOLLOW_UP)).note == "the address does not reach the customer"


async def test_a_waived_follow_up_is_not_asked(house: House) -> None:
    """The agent said why nobody should ask; the case closes in their name."""
    sam = await house.hires()
    case = await house.complains()
    await house.desk.claim(case.id, sam.id)
    with pytest.raises(Refused):
        await house.desk.step(case.id, sam.id, Step.FOLLOW_UP, StepState.WAIVED, "")
    await house.desk.step(case.id, sam.id, Step.FOLLOW_UP, StepState.WAIVED, "asked not to be asked")
    await house.resolves(case, sam)
    sent = len(house.sms.texts)
    await a_day_later(house)

    assert len(house.sms.texts) == sent
    step = await house.one(CaseStep, step=Step.FOLLOW_UP)
    assert ((await house.case()).state, step.by, step.note) == (CaseState.CLOSED, "Sam", "asked not to be asked")


async def test_a_case_resolved_twice_is_asked_about_once_at_a_time(house: House, fixed: Case) -> None:
    """The second question of the first fix does not mix with the first of the second."""
    sam = await house.one(type(await house.hires("Kim")), name="Sam")
    await a_day_later(house)
    await answers(house, False)
    house.dialogue.says = ["Is it better now?"]
    await house.desk.claim(fixed.id, sam.id)
    await house.desk.step(fixed.id, sam.id, Step.ACT, StepState.DONE, "")
    await house.desk.resolve(fixed.id, sam.id, "a proper table this time")
    asked = house.sms.texts.count("Is it better now?")

    await a_day_later(house, days=1)
    await a_day_later(house, days=1)
    assert house.sms.texts.count("Is it better now?") == asked + 1
    await a_day_later(house, days=1)
    assert house.sms.texts.count("Is it better now?") == asked + 1, "three first messages in seven days are enough"
    await a_day_later(house, days=3)

    assert house.sms.texts.count("Is it better now?") == asked + 2
    assert (await house.case()).state is CaseState.RESOLVED


async def test_while_a_person_talks_about_something_else_the_question_waits(house: House, fixed: Case) -> None:
    """It is asked when that is over, and its answer belongs to the case it asks about."""
    house.dialogue.says = ["Sorry to hear that."]
    house.reading = replace(UNHAPPY, failure="price")
    house.later(minutes=5)
    await house.writes("and another thing")
    other = await house.case()
    assert other.id != fixed.id
    house.dialogue.says = ["Is it better now?"]
    await a_day_later(house)
    assert "Is it better now?" not in house.sms.texts

    sam = (await house.all(Case, id=fixed.id))[0].agent_id
    await house.desk.claim(other.id, sam)
    await house.desk.hand_back(other.id, sam)
    await a_day_later(house)
    assert house.sms.texts.count("Is it better now?") == 1
    await answers(house, True)

    states = {case.id: case.state for case in await house.cases()}
    assert states == {fixed.id: CaseState.CLOSED, other.id: CaseState.CLAIMED}


async def test_an_answer_that_comes_while_the_question_is_composed_is_not_talked_over(
    house: House, fixed: Case
) -> None:
    """The conversation moved on between the decision and the words: it is decided again."""
    real_trigger = house.dialogue.trigger

    async def complaint_meanwhile(*args: Any) -> Any:
        house.dialogue.trigger = real_trigger  # type: ignore[method-assign]
        house.reading = UNHAPPY
        await house.writes("it broke again")
        return await real_trigger(*args)

    house.dialogue.trigger = complaint_meanwhile  # type: ignore[method-assign]
    house.dialogue.says = ["Words."]
    sent = len(house.sms.texts)
    await a_day_later(house)

    assert len(house.sms.texts) == sent + 1
    assert (await house.conversation()).owner is Owner.AGENT
