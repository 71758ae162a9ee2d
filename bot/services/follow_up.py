"""After the fix: ask whether it helped, close on the customer's word, reopen on a no, stop asking in the end (P25)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bot.core.cases import SETTLED, move
from bot.core.check_in import Outcome
from bot.core.vocabulary import (
    AwaitedAnswer,
    CaseState,
    Decided,
    HandoffReason,
    MessageKind,
    Owner,
    Purpose,
    Step,
    StepState,
)
from bot.services.conversing import Thread, load_thread, move_owner, refuse_if_answered, say, with_a_person
from bot.services.entities import Agent, Case, CaseStep, Message, Task, TimelineEntry
from bot.services.handoff import hand_off_in
from bot.services.ports import UnitOfWork
from bot.services.promising import BOT
from bot.services.reaching import decide
from bot.services.returning import live_case, reopen, since_fix
from bot.services.trace import note, note_contact
from bot.services.workshop import Workshop

OPTED_OUT = "the customer opted out of messages"
"""Why a follow-up is let go, in the words of the case."""


@dataclass(frozen=True, slots=True)
class FollowUpRecorded:
    """`outcome` is closed, reopened or asked_again; `agent_name` is who takes it up again, where one is known."""

    outcome: str
    agent_name: str | None = None


def plan_follow_up(tx: UnitOfWork, case: Case, *, at: datetime, now: datetime, tries: int = 1) -> None:
    """Ask about the fix at `at`."""
    again = "nobody has answered yet" if tries > 1 else "the case was resolved"
    id, purpose = case.conversation_id, Purpose.FOLLOW_UP
    note(tx, id, purpose, Decided.PLANNED, at=now, reason=again, next_at=at, case_id=case.id)
    tx.add(
        Task(
            kind="follow_up",
            payload={"case_id": case.id, "tries": tries, "resolved": _resolution(case)},
            key=f"follow_up:{case.id}:{case.version}:{tries}",
            due_at=at,
            created_at=now,
        )
    )


async def follow_up(shop: Workshop, task: Task) -> None:
    """Work off one `follow_up` task: ask, ask once more later, and close as exhausted when nobody answers.

    Like a check-in it is decided before the words are looked for, and again when they are written.
    """
    now, tries = shop.clock(), int(task.payload["tries"])
    async with shop.store() as tx:
        case = await tx.get(Case, task.payload["case_id"])
        thread = await load_thread(tx, case.conversation_id)
        agent = await tx.find(Agent, case.agent_id) if case.agent_id else None
        if not await _may_ask(tx, shop, task, thread, case, now, to_write=False):
            return await tx.commit()
        version = thread.conversation.version
    occasion = f"follow-up {tries} of {case.id} at {version}"
    slots = _slots(shop, thread, case, agent)
    turn = await shop.dialogue.trigger(case.conversation_id, occasion, "EXTERNAL_follow_up", slots)
    async with shop.store() as tx:
        await tx.conversations.hold_customer(thread.customer.id)
        case = await tx.get(Case, case.id)
        thread = await load_thread(tx, case.conversation_id)
        if thread.conversation.version != version:
            await tx.tasks.postpone(task, at=now)
        elif await _may_ask(tx, shop, task, thread, case, now, to_write=True):
            kind, purpose = MessageKind.LIFECYCLE, Purpose.FOLLOW_UP
            for utterance in turn.utterances:
                await say(tx, thread.conversation, utterance.text, kind=kind, now=now, purpose=purpose)
            thread.conversation.awaited, thread.conversation.case_id = AwaitedAnswer.FOLLOW_UP, case.id
            case.follow_up_sent_at = now
            tx.add(TimelineEntry(case_id=case.id, at=now, who=BOT, what="asked whether it helped"))
            plan_follow_up(tx, case, at=now + shop.rules.follow_up_again_after, now=now, tries=tries + 1)
            await tx.tasks.finish(task)
        await tx.commit()


async def _may_ask(
    tx: UnitOfWork, shop: Workshop, task: Task, thread: Thread, case: Case, now: datetime, *, to_write: bool
) -> bool:
    """Whether to ask now; if not, the task is settled, and the trace says why."""
    if case.state is not CaseState.RESOLVED or case.resolved_at is None:
        await tx.tasks.finish(task)
        return False
    if task.payload["resolved"] != _resolution(case) or await _over(
        tx, shop, thread, case, int(task.payload["tries"]), now
    ):
        await tx.tasks.finish(task)
        return False
    id, purpose = case.conversation_id, Purpose.FOLLOW_UP
    if await with_a_person(tx, thread.customer.id):
        # They are talking about something else: this question waits until that is over.
        later, reason = now + shop.rules.follow_up_delay, "a person is talking with this customer"
        note(tx, id, purpose, Decided.POSTPONED, at=now, reason=reason, next_at=later, case_id=case.id)
        await tx.tasks.postpone(task, at=later)
        return False
    decision, facts = await decide(tx, shop, thread, purpose, occasion=case.resolved_at, now=now)
    passed = decision.outcome is Outcome.PASS
    if to_write or not passed:
        note_contact(tx, id, purpose, decision, at=now, facts=facts, case_id=case.id)
    if decision.outcome is Outcome.POSTPONE and decision.send_at is not None:
        await tx.tasks.postpone(task, at=decision.send_at)
    elif not passed:
        await close(tx, case, by=BOT, note=decision.trace[-1].reason, now=now, state=StepState.WAIVED)
        await tx.tasks.finish(task)
    return passed


async def record_answer(shop: Workshop, conversation_id: str, message_id: str, fixed: bool | None) -> FollowUpRecorded:
    """Close on yes, reopen on no; an unclear answer goes to a human too, because guessing would be our convenience.

    An answer that comes after the case was closed for want of one still counts.
    """
    now = shop.clock()
    async with shop.store() as tx:
        thread = await load_thread(tx, conversation_id)
        thread.conversation.awaited = AwaitedAnswer.NOTHING
        case = await tx.find(Case, thread.conversation.case_id or "")
        if case is None or case.state not in SETTLED:
            said_no = thread.conversation.handoff_message_id == message_id  # by this very message, in an earlier try
            await tx.commit()
            return FollowUpRecorded("reopened" if said_no else "closed")
        message = await tx.get(Message, message_id)
        if fixed and case.state is CaseState.RESOLVED:
            await close(tx, case, by="customer", note=message.text, now=now)
        elif fixed:
            tx.add(TimelineEntry(case_id=case.id, at=now, who="customer", what="said that it helped", why=message.text))
        else:
            case = await _not_fixed(tx, shop, thread, case, message, now)
        agent = await tx.find(Agent, case.agent_id) if case.agent_id else None
        await refuse_if_answered(tx, message_id)
        await tx.commit()
        return FollowUpRecorded("closed" if fixed else "reopened", agent.name if agent else None)


async def _not_fixed(
    tx: UnitOfWork, shop: Workshop, thread: Thread, case: Case, message: Message, now: datetime
) -> Case:
    """The case a person takes up now: this one again, or, where another is live or this one is long over, that."""
    in_time = case.state is CaseState.RESOLVED or since_fix(case, now) <= shop.rules.repeat_within
    if not in_time or await live_case(tx, thread.conversation.id) is not None:
        tx.add(
            TimelineEntry(case_id=case.id, at=now, who="customer", what="said that it did not hold", why=message.text)
        )
        handed = await hand_off_in(tx, shop, thread, message.id, HandoffReason.DISSATISFIED, now=now)
        return await tx.get(Case, handed.case_id)
    case.repeats += 1
    await reopen(tx, shop, thread, case, who="customer", why=message.text, now=now)
    if thread.conversation.owner is Owner.BOT:
        await move_owner(tx, thread.conversation, Owner.AGENT, case.agent_id)
        thread.conversation.handoff_message_id = message.id
    return case


async def close(
    tx: UnitOfWork, case: Case, *, by: str, note: str, now: datetime, state: StepState = StepState.DONE
) -> None:
    """The loop is closed: the follow-up is settled and the case with it."""
    step = await tx.one(CaseStep, case_id=case.id, step=Step.FOLLOW_UP)
    if step is not None:
        step.state, step.at, step.by, step.note = state, now, by, note
    case.state = move(case.state, "close")
    case.closed_at = now
    tx.add(TimelineEntry(case_id=case.id, at=now, who=by, what="closed", why=note))
    tx.changed("desk", f"conversation:{case.conversation_id}")


async def let_go(
    tx: UnitOfWork, case: Case, *, by: str, why: str, now: datetime, outcome: Decided = Decided.SKIPPED
) -> None:
    """Nothing is asked about this fix any more: the case is closed, and both it and the trace say why."""
    note(tx, case.conversation_id, Purpose.FOLLOW_UP, outcome, at=now, reason=why, case_id=case.id)
    await close(tx, case, by=by, note=why, now=now, state=StepState.WAIVED)


def _slots(shop: Workshop, thread: Thread, case: Case, agent: Agent | None) -> dict[str, str]:
    return {
        "language": thread.language(shop.rules),
        "business": shop.rules.business,
        "customer_name": thread.customer.name,
        "agent_name": agent.name if agent else "",
        "failure": case.failure.value,
        "failure_words": case.failure_words,
        "gesture": case.summary,
    }


async def _over(tx: UnitOfWork, shop: Workshop, thread: Thread, case: Case, tries: int, now: datetime) -> bool:
    """Whether there is nothing left to ask; then the case is closed, and the record says why."""
    waived = await tx.one(CaseStep, case_id=case.id, step=Step.FOLLOW_UP, state=StepState.WAIVED)
    by, why = (waived.by, waived.note) if waived else (BOT, "")
    if thread.contact_point.opted_out_at is not None:
        why = why or OPTED_OUT
    elif thread.contact_point.invalid_since is not None:
        why = why or "the address does not reach the customer"
    elif tries > shop.rules.follow_up_tries:
        why = why or "asked, and no answer came"
    if why:
        await let_go(tx, case, by=by, why=why, now=now)
    return bool(why)


def _resolution(case: Case) -> float | None:
    """Which fix is asked about: a case that was reopened and resolved again begins its follow-up anew."""
    return case.resolved_at.timestamp() if case.resolved_at else None
