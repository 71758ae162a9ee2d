"""After the fix: ask whether it helped, close on the customer's word, reopen on a no, stop asking in the end (P25)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.core.cases import move
from bot.core.check_in import Outcome, Reach, decide_contact
from bot.core.vocabulary import (
    AwaitedAnswer,
    CaseState,
    MessageKind,
    Owner,
    Step,
    StepState,
)
from bot.services.conversing import Thread, load_thread, move_owner, refuse_if_answered, say
from bot.services.entities import Agent, Case, CaseStep, Message, Site, Task, TimelineEntry
from bot.services.handoff import BOT, due_in_hours, promise_an_answer
from bot.services.ports import UnitOfWork
from bot.services.workshop import Workshop

REOPENED_WITHIN = timedelta(hours=1)
"""In how much opening time a person answers a customer for whom the fix did not hold."""


@dataclass(frozen=True, slots=True)
class FollowUpRecorded:
    """`outcome` is closed, reopened or asked_again; `agent_name` is who takes it up again, where one is known."""

    outcome: str
    agent_name: str | None = None


def plan_follow_up(tx: UnitOfWork, case: Case, *, at: datetime, now: datetime, tries: int = 1) -> None:
    """Ask about the fix at `at`."""
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
    """Work off one `follow_up` task: ask, ask once more later, and close as exhausted when nobody answers."""
    now, tries = shop.clock(), int(task.payload["tries"])
    async with shop.store() as tx:
        case = await tx.get(Case, task.payload["case_id"])
        thread = await load_thread(tx, case.conversation_id)
        agent = await tx.find(Agent, case.agent_id) if case.agent_id else None
        if case.state is not CaseState.RESOLVED or task.payload["resolved"] != _resolution(case):
            return await _drop(tx, task)
        if await _over(tx, shop, thread, case, tries, now):
            return await _drop(tx, task)
        if thread.conversation.owner is Owner.AGENT:
            # They are talking about something else: this question waits until that is over.
            await tx.tasks.postpone(task, at=now + shop.rules.follow_up_delay)
            return await tx.commit()
        decision = decide_contact(_reach(thread), finished_at=now, now=now, policy=shop.rules.contact)
        if decision.outcome is Outcome.POSTPONE and decision.send_at is not None:
            await tx.tasks.postpone(task, at=decision.send_at)
            return await tx.commit()
        version = thread.conversation.version
    occasion = f"follow-up {tries} of {case.id} at {version}"
    slots = _slots(shop, thread, case, agent)
    turn = await shop.dialogue.trigger(case.conversation_id, occasion, "EXTERNAL_follow_up", slots)
    async with shop.store() as tx:
        case = await tx.get(Case, case.id)
        thread = await load_thread(tx, case.conversation_id)
        if case.state is not CaseState.RESOLVED or thread.conversation.version != version:
            await tx.tasks.postpone(task, at=now)
            return await tx.commit()
        for utterance in turn.utterances:
            await say(tx, thread.conversation, utterance.text, kind=MessageKind.LIFECYCLE, now=now)
        thread.conversation.awaited, thread.conversation.case_id = AwaitedAnswer.FOLLOW_UP, case.id
        case.follow_up_sent_at = now
        tx.add(TimelineEntry(case_id=case.id, at=now, who=BOT, what="asked whether it helped"))
        plan_follow_up(tx, case, at=now + shop.rules.follow_up_again_after, now=now, tries=tries + 1)
        await tx.tasks.finish(task)
        await tx.commit()


async def record_answer(shop: Workshop, conversation_id: str, message_id: str, fixed: bool | None) -> FollowUpRecorded:
    """Close on yes, reopen on no; an unclear answer goes to a human too, because guessing would be our convenience.

    A no that comes after the case was closed for want of an answer still counts.
    """
    now = shop.clock()
    async with shop.store() as tx:
        thread = await load_thread(tx, conversation_id)
        case = await tx.find(Case, thread.conversation.case_id or "")
        late_no = case is not None and case.state is CaseState.CLOSED and fixed is False
        if case is None or (case.state is not CaseState.RESOLVED and not late_no):
            said_no = thread.conversation.handoff_message_id == message_id  # by this very message, in an earlier try
            return FollowUpRecorded("reopened" if said_no else "closed")
        message = await tx.get(Message, message_id)
        agent = await tx.find(Agent, case.agent_id) if case.agent_id else None
        thread.conversation.awaited = AwaitedAnswer.NOTHING
        if fixed:
            await close(tx, case, by="customer", note=message.text, now=now)
        else:
            await reopen(tx, shop, thread, case, who="customer", why=message.text, now=now)
            thread.conversation.handoff_message_id = message_id
        await refuse_if_answered(tx, message_id)
        await tx.commit()
        return FollowUpRecorded("closed" if fixed else "reopened", agent.name if agent else None)


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


async def reopen(
    tx: UnitOfWork, shop: Workshop, thread: Thread, case: Case, *, who: str, why: str, now: datetime
) -> None:
    """It did not hold: the case is back with its story, the fix and the follow-up are open again."""
    site = await tx.find(Site, case.site_id) if case.site_id else None
    case.state = move(case.state, "reopen")
    case.resolved_at = case.closed_at = None
    case.resolution_due = due_in_hours(site, now, shop.rules.targets.resolution[case.severity])
    promise_an_answer(tx, case, by=due_in_hours(site, now, REOPENED_WITHIN), now=now)
    for step in await tx.all(CaseStep, case_id=case.id, step=(Step.ACT, Step.FOLLOW_UP)):
        step.state, step.note = StepState.OPEN, ""
    tx.add(TimelineEntry(case_id=case.id, at=now, who=who, what="reopened", why=why))
    if thread.conversation.owner is Owner.BOT:
        await move_owner(tx, thread.conversation, Owner.AGENT, case.agent_id)
    thread.conversation.case_id, thread.conversation.awaited = case.id, AwaitedAnswer.NOTHING
    tx.changed("desk")


def _reach(thread: Thread) -> Reach:
    # A follow-up belongs to a case the customer began: consent and caps were asked before; only the hour matters now.
    medium = thread.conversation.medium
    return Reach(medium, has_address=True, consented=True, opted_out=False, zones=(thread.zone(),))


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


async def _drop(tx: UnitOfWork, task: Task) -> None:
    await tx.tasks.finish(task)
    await tx.commit()


async def _over(tx: UnitOfWork, shop: Workshop, thread: Thread, case: Case, tries: int, now: datetime) -> bool:
    """Whether there is nothing left to ask; then the case is closed, and the record says why."""
    waived = await tx.one(CaseStep, case_id=case.id, step=Step.FOLLOW_UP, state=StepState.WAIVED)
    by, note = (waived.by, waived.note) if waived else (BOT, "")
    if thread.contact_point.opted_out_at is not None:
        note = note or "the customer opted out of messages"
    elif thread.contact_point.invalid_since is not None:
        note = note or "the address does not reach the customer"
    elif tries > shop.rules.follow_up_tries:
        note = note or "asked, and no answer came"
    if note:
        await close(tx, case, by=by, note=note, now=now, state=StepState.WAIVED)
    return bool(note)


def _resolution(case: Case) -> float | None:
    """Which fix is asked about: a case that was reopened and resolved again begins its follow-up anew."""
    return case.resolved_at.timestamp() if case.resolved_at else None
