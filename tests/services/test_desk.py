"""What an agent does with a case: one pair of hands at a time, within their authority, and all of it on record."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from bot.core.authority import Money
from bot.core.errors import BeyondAuthority, Conflict, NotFound, Refused
from bot.core.vocabulary import AwaitedAnswer, CaseState, GrantKind, Owner, Role, Step, StepState
from bot.services.entities import Agent, AuditEntry, Case, CaseStep, Grant
from tests.services.house import House


def euros(amount: str) -> Money:
    """So much, in the Harbour's currency."""
    return Money(Decimal(amount), "EUR")


@pytest.fixture
async def sam(house: House) -> Agent:
    """An agent of the Harbour."""
    return await house.hires("Sam")


@pytest.fixture
async def kim(house: House) -> Agent:
    """Another."""
    return await house.hires("Kim")


@pytest.fixture
async def case(house: House) -> Case:
    """A case of Robin's that nobody has yet."""
    await house.serve()
    return await house.complains()


async def test_a_claimed_case_is_nobody_elses(house: House, case: Case, sam: Agent, kim: Agent) -> None:
    """Claiming one's own again changes nothing; anybody else is told who has it."""
    await house.desk.claim(case.id, sam.id)
    await house.desk.claim(case.id, sam.id)

    with pytest.raises(Conflict, match="Sam has this case"):
        await house.desk.claim(case.id, kim.id)
    with pytest.raises(Conflict, match="claim the case first"):
        await house.desk.reply(case.id, kim.id, "Kim here.")
    assert await house.timeline(case) == ["opened", "claimed"]


async def test_two_agents_who_answer_at_once_do_not_both_answer(
    house: House, case: Case, sam: Agent, kim: Agent
) -> None:
    """One reply stands, the other is refused; the customer hears from one person."""
    answers = await asyncio.gather(
        house.desk.reply(case.id, sam.id, "Sam here."),
        house.desk.reply(case.id, kim.id, "Kim here."),
        return_exceptions=True,
    )
    await house.worker.drain()

    assert sum(isinstance(answer, Conflict) for answer in answers) == 1
    assert len([text for text in house.sms.texts if text.endswith("here.")]) == 1
    assert (await house.case()).state is CaseState.CLAIMED


async def test_a_reply_takes_the_case_and_the_conversation(house: House, case: Case, sam: Agent) -> None:
    """Any human reply takes ownership; the first one is the first response."""
    await house.desk.reply(case.id, sam.id, "Robin, Sam here.")
    await house.worker.drain()

    now = await house.case()
    assert (now.state, now.agent_id, now.first_response_at) == (CaseState.CLAIMED, sam.id, house.clock.now)
    assert (await house.conversation()).owner is Owner.AGENT
    assert house.sms.texts[-1] == "Robin, Sam here."
    assert await house.timeline(case) == ["opened", "claimed", "replied"]


async def test_a_reply_after_a_handback_takes_the_conversation_back(house: House, case: Case, sam: Agent) -> None:
    """No button needs to be pressed before speaking."""
    await house.desk.claim(case.id, sam.id)
    await house.desk.hand_back(case.id, sam.id)
    assert (await house.conversation()).owner is Owner.BOT

    await house.desk.reply(case.id, sam.id, "One more thing.")

    conversation = await house.conversation()
    assert (conversation.owner, conversation.agent_id) == (Owner.AGENT, sam.id)


async def test_who_opted_out_cannot_be_written_to_and_the_agent_hears_so_at_once(
    house: House, case: Case, sam: Agent
) -> None:
    """Better than a message that silently never leaves."""
    await house.writes("STOP")

    with pytest.raises(Conflict, match="opted out"):
        await house.desk.reply(case.id, sam.id, "Robin, Sam here.")


@pytest.mark.parametrize("text", ["", "  \n"])
async def test_an_empty_reply_is_refused(house: House, case: Case, sam: Agent, text: str) -> None:
    """There is nothing to send."""
    with pytest.raises(Refused) as refusal:
        await house.desk.reply(case.id, sam.id, text)

    assert refusal.value.field == "text"


async def test_work_is_for_whoever_holds_the_case(house: House, case: Case, sam: Agent, kim: Agent) -> None:
    """Steps, grants, resolving, handing back and transferring take a claim of one's own."""
    await house.desk.claim(case.id, sam.id)

    for attempt in (
        house.desk.step(case.id, kim.id, Step.ACT, StepState.DONE, ""),
        house.desk.grant(case.id, kim.id, GrantKind.VOUCHER, euros("5"), ""),
        house.desk.resolve(case.id, kim.id, "done"),
        house.desk.hand_back(case.id, kim.id),
        house.desk.transfer(case.id, kim.id, sam.id, "yours"),
    ):
        with pytest.raises(Conflict, match="claim the case first"):
            await attempt


async def test_unknown_cases_and_agents_are_not_found(house: House, case: Case, sam: Agent) -> None:
    """The error names what there is none of."""
    with pytest.raises(NotFound, match="case 'nowhere'"):
        await house.desk.claim("nowhere", sam.id)
    with pytest.raises(NotFound, match="agent 'nobody'"):
        await house.desk.claim(case.id, "nobody")


async def test_a_case_is_resolved_with_every_step_and_a_summary(house: House, case: Case, sam: Agent) -> None:
    """The refusal names the steps; the bot owns the conversation again when it is done."""
    await house.desk.claim(case.id, sam.id)
    with pytest.raises(Refused, match="act, compassion, compensate"):
        await house.desk.resolve(case.id, sam.id, "sorted")
    await house.desk.step(case.id, sam.id, Step.ACT, StepState.DONE, "new soup")
    await house.desk.step(case.id, sam.id, Step.COMPASSION, StepState.DONE, "")
    await house.desk.step(case.id, sam.id, Step.COMPENSATE, StepState.WAIVED, "asked for nothing")
    with pytest.raises(Refused, match="say in a sentence"):
        await house.desk.resolve(case.id, sam.id, " ")

    await house.desk.resolve(case.id, sam.id, "a new soup")

    now, conversation = await house.case(), await house.conversation()
    assert (now.state, now.resolved_at, now.summary) == (CaseState.RESOLVED, house.clock.now, "a new soup")
    assert (conversation.owner, conversation.awaited) == (Owner.BOT, AwaitedAnswer.LAST_WORD)
    step = await house.one(CaseStep, step=Step.ACT)
    assert (step.by, step.note, step.at) == ("Sam", "new soup", house.clock.now)


async def test_a_step_can_be_opened_again(house: House, case: Case, sam: Agent) -> None:
    """Ticked by mistake: its time is gone with the tick."""
    await house.desk.claim(case.id, sam.id)
    await house.desk.step(case.id, sam.id, Step.ACT, StepState.DONE, "")
    await house.desk.step(case.id, sam.id, Step.ACT, StepState.OPEN, "")

    step = await house.one(CaseStep, step=Step.ACT)
    assert (step.state, step.at) == (StepState.OPEN, None)


async def test_gestures_add_up_to_the_limit_and_a_refusal_is_on_record(house: House, case: Case, sam: Agent) -> None:
    """Within their own authority an agent asks nobody (P21)."""
    await house.desk.claim(case.id, sam.id)
    await house.desk.grant(case.id, sam.id, GrantKind.VOUCHER, euros("42.00"), "lunch")
    with pytest.raises(BeyondAuthority, match=r"8\.00 EUR left"):
        await house.desk.grant(case.id, sam.id, GrantKind.REFUND, euros("8.01"), "")
    await house.desk.grant(case.id, sam.id, GrantKind.HIDDEN_COST, euros("8.00"), "the taxi")

    assert [grant.value for grant in await house.all(Grant, order_by="value")] == [Decimal("8.00"), Decimal("42.00")]
    assert (await house.timeline(case))[-3:] == ["granted", "grant refused", "granted"]
    assert (await house.one(CaseStep, step=Step.COMPENSATE)).state is StepState.DONE


async def test_two_grants_at_once_do_not_both_fit_the_limit(house: House, case: Case, sam: Agent) -> None:
    """A double click on "give 42 euros" gives 42 euros."""
    await house.desk.claim(case.id, sam.id)

    given = await asyncio.gather(
        *(house.desk.grant(case.id, sam.id, GrantKind.VOUCHER, euros("42.00"), "lunch") for _ in range(4)),
        return_exceptions=True,
    )

    assert sum(isinstance(grant, Grant) for grant in given) == 1
    assert all(isinstance(grant, Grant | Conflict | BeyondAuthority) for grant in given)
    assert len(await house.all(Grant)) == 1


async def test_a_supervisor_may_give_more(house: House, case: Case) -> None:
    """One step above is enough."""
    ada = await house.hires("Ada", role=Role.SUPERVISOR)
    await house.desk.claim(case.id, ada.id)

    grant = await house.desk.grant(case.id, ada.id, GrantKind.REFUND, euros("250"), "the party")

    assert (grant.value, grant.by) == (Decimal("250"), "Ada")


async def test_a_transfer_carries_the_brief_and_is_counted(house: House, case: Case, sam: Agent, kim: Agent) -> None:
    """No bouncing: every reassignment has a reason, and the customer does not start over (P23, P31)."""
    await house.desk.claim(case.id, sam.id)
    with pytest.raises(Refused, match="write a brief"):
        await house.desk.transfer(case.id, sam.id, kim.email, " ")
    with pytest.raises(Refused, match="yours already"):
        await house.desk.transfer(case.id, sam.id, sam.id, "mine")
    with pytest.raises(NotFound, match="no agent 'lee@"):
        await house.desk.transfer(case.id, sam.id, "lee@example.com", "yours")

    await house.desk.transfer(case.id, sam.id, kim.email.upper(), "Robin waited an hour; wants a call")

    now = await house.case()
    assert (now.agent_id, now.reassignments, now.brief) == (kim.id, 1, "Robin waited an hour; wants a call")
    assert (await house.conversation()).agent_id == kim.id
    assert (await house.timeline(case))[-1] == "transferred to Kim"
    with pytest.raises(Conflict):
        await house.desk.reply(case.id, sam.id, "Sam again.")
    await house.desk.reply(case.id, kim.id, "Kim here.")


async def test_another_hand_after_a_reopening_is_a_reassignment(
    house: House, case: Case, sam: Agent, kim: Agent
) -> None:
    """The same hand is not."""
    await house.resolves(case, sam)
    await house.desk.reopen(case.id, sam.id, "the soup was cold again")
    await house.desk.claim(case.id, sam.id)
    assert (await house.case()).reassignments == 0
    await house.desk.step(case.id, sam.id, Step.ACT, StepState.DONE, "")
    await house.desk.resolve(case.id, sam.id, "hot soup")
    await house.desk.reopen(case.id, kim.id, "and again")
    await house.desk.claim(case.id, kim.id)

    assert (await house.case()).reassignments == 1


async def test_reopening_takes_a_reason_and_a_settled_case(house: House, case: Case, sam: Agent) -> None:
    """What is being worked on is not reopened."""
    with pytest.raises(Refused, match="say why"):
        await house.desk.reopen(case.id, sam.id, "")
    with pytest.raises(Conflict, match="open cannot be changed by 'reopen'"):
        await house.desk.reopen(case.id, sam.id, "because")

    await house.resolves(case, sam)
    await house.desk.reopen(case.id, sam.id, "they called")

    assert (await house.case()).state is CaseState.REOPENED
    assert (await house.conversation()).owner is Owner.AGENT


async def test_a_settled_case_is_not_replied_to(house: House, case: Case, sam: Agent) -> None:
    """It is reopened first, so that somebody owns what follows."""
    await house.resolves(case, sam)

    with pytest.raises(Conflict, match="resolved cannot be changed by 'claim'"):
        await house.desk.reply(case.id, sam.id, "PS")


async def test_every_act_is_in_the_audit(house: House, case: Case, sam: Agent) -> None:
    """Who did what to which case."""
    await house.resolves(case, sam)

    acts = [(entry.who, entry.action) for entry in await house.all(AuditEntry, subject=case.id, order_by="id")]
    assert acts[0] == ("sam@example.com", "claimed")
    assert acts[-1] == ("sam@example.com", "resolved")
    assert len(acts) == 5
