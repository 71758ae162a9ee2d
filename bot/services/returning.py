"""A customer is back after it was put right: the same case again, or a new one that follows the old (P26)."""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.core.cases import LIVE, SETTLED, Matter, Return, move, return_to
from bot.core.errors import Conflict
from bot.core.vocabulary import AwaitedAnswer, Step, StepState
from bot.services.conversing import Thread
from bot.services.entities import Agent, Case, CaseStep, Site, TimelineEntry
from bot.services.ports import UnitOfWork
from bot.services.promising import answer_within, due_in_hours, promise_an_answer
from bot.services.workshop import Workshop

REOPENED_WITHIN = timedelta(hours=1)
"""In how much opening time, at most, a person answers a customer for whom the fix did not hold."""


async def live_case(tx: UnitOfWork, conversation_id: str) -> Case | None:
    """The case of this conversation that a human still has to do something about, if there is one."""
    return await tx.one(Case, conversation_id=conversation_id, state=LIVE)


async def earlier_case(
    tx: UnitOfWork, shop: Workshop, thread: Thread, complaint: Matter, now: datetime
) -> tuple[Case, Return] | None:
    """The settled case of this customer that a complaint comes back to, and how; None when it is news to us.

    Only the conversation a case was worked in reopens it: in another one, a new case follows.
    """
    settled = await tx.all(
        Case, customer_id=thread.customer.id, state=SETTLED, order_by="resolved_at", descending=True, limit=20
    )
    follows = None
    for case in settled:
        relation = return_to(
            Matter(case.failure, case.service_event_id),
            complaint,
            since_fix=since_fix(case, now),
            within=shop.rules.repeat_within,
        )
        if relation is Return.REOPENS and case.conversation_id == thread.conversation.id:
            return case, relation
        if relation is not Return.UNRELATED and follows is None:
            follows = case
    return (follows, Return.FOLLOWS) if follows is not None else None


def since_fix(case: Case, now: datetime) -> timedelta:
    """How long ago a settled case was put right."""
    return now - (case.resolved_at or case.closed_at or now)


async def reopen(
    tx: UnitOfWork, shop: Workshop, thread: Thread, case: Case, *, who: str, why: str, now: datetime
) -> None:
    """It did not hold: the case is back with its story and its agent; the fix and the follow-up are open again.

    Who speaks in the conversation is for the caller to say. Raises Conflict when the conversation has another live
    case, which is the one to work on.
    """
    other = await live_case(tx, case.conversation_id)
    if other is not None and other.id != case.id:
        raise Conflict("this conversation has another case that is not settled yet; work on that one")
    site = await tx.find(Site, case.site_id) if case.site_id else None
    case.state = move(case.state, "reopen")
    case.resolved_at = case.closed_at = None
    case.agent_id = await _still_here(tx, case.agent_id)
    case.resolution_due = due_in_hours(site, now, shop.rules.targets.resolution[case.severity])
    within = min(REOPENED_WITHIN, answer_within(shop, case.failure, case.severity))
    promise_an_answer(tx, case, by=due_in_hours(site, now, within), now=now)
    for step in await tx.all(CaseStep, case_id=case.id, step=(Step.ACT, Step.FOLLOW_UP)):
        step.state, step.note = StepState.OPEN, ""
    tx.add(TimelineEntry(case_id=case.id, at=now, who=who, what="reopened", why=why))
    thread.conversation.case_id, thread.conversation.awaited = case.id, AwaitedAnswer.NOTHING
    tx.changed("desk")


async def first_owner(tx: UnitOfWork, earlier: Case) -> str | None:
    """Who should take up the case that follows: whoever had the earlier one, if they are still here."""
    return await _still_here(tx, earlier.agent_id)


async def _still_here(tx: UnitOfWork, agent_id: str | None) -> str | None:
    agent = await tx.find(Agent, agent_id) if agent_id else None
    return agent.id if agent is not None and agent.active else None
