"""Nobody is left without news: when a promised time passes, the customer hears so and the desk sees it (P10)."""

from __future__ import annotations

from datetime import datetime

from bot.core.check_in import Outcome
from bot.core.vocabulary import Decided, MessageKind, Owner, Purpose
from bot.services.conversing import Thread, clock_words, load_thread, say
from bot.services.entities import Case, Decision, Promise, Task, TimelineEntry
from bot.services.ports import UnitOfWork
from bot.services.promising import BOT, on_the_hour
from bot.services.reaching import decide
from bot.services.trace import note, note_contact
from bot.services.workshop import Workshop


async def chase_case(shop: Workshop, task: Task) -> None:
    """Work off one `chase_case` task: the first answer is overdue, so one honest word of progress goes out.

    The desk is told at once; the customer at an hour that suits them, unless somebody has answered by then.
    """
    now = shop.clock()
    async with shop.store() as tx:
        case = await tx.get(Case, task.payload["case_id"])
        later: datetime | None = None
        if case.first_response_at is None and case.resolved_at is None and case.first_response_due <= now:
            if not task.payload.get("breached"):
                _breach(tx, case, now)
            later = await _own_up(tx, shop, case, now)
        elif task.payload.get("breached"):
            _keep_silent(tx, case, now, "somebody answered before it was time to say so")
        if later is not None:
            _come_back(tx, task, later)
        await tx.tasks.finish(task)
        await tx.commit()


def _come_back(tx: UnitOfWork, task: Task, at: datetime) -> None:
    """The breach is recorded; only the word to the customer waits."""
    tx.add(
        Task(
            kind=task.kind,
            payload={**task.payload, "breached": True},
            key=f"{task.kind}:{task.id}:{at.isoformat()}",
            due_at=at,
            created_at=task.created_at,
        )
    )


def _breach(tx: UnitOfWork, case: Case, now: datetime) -> None:
    case.breached_at = case.breached_at or now
    tx.add(
        TimelineEntry(case_id=case.id, at=now, who=BOT, what="breached", why="nobody had answered by the promised time")
    )
    tx.changed("desk")


async def _own_up(tx: UnitOfWork, shop: Workshop, case: Case, now: datetime) -> datetime | None:
    """Say that it takes longer, or when to come back to say so; the trace has why it is not said."""
    await tx.conversations.hold_customer(case.customer_id)
    thread = await load_thread(tx, case.conversation_id)
    if thread.conversation.owner is not Owner.AGENT:
        _keep_silent(tx, case, now, "the conversation is the bot's again")
        return None
    if await _cancelled(tx, case):
        _keep_silent(tx, case, now, "the customer opted out after it was planned")
        return None
    occasion = case.first_response_due
    decision, facts = await decide(tx, shop, thread, Purpose.PROGRESS, occasion=occasion, now=now)
    note_contact(tx, case.conversation_id, Purpose.PROGRESS, decision, at=now, facts=facts, case_id=case.id)
    if decision.outcome is Outcome.PASS:
        await _say_so(tx, shop, thread, case, now)
    return decision.send_at if decision.outcome is Outcome.POSTPONE else None


def _keep_silent(tx: UnitOfWork, case: Case, now: datetime, why: str) -> None:
    note(tx, case.conversation_id, Purpose.PROGRESS, Decided.SKIPPED, at=now, reason=why, case_id=case.id)


async def _cancelled(tx: UnitOfWork, case: Case) -> bool:
    """Whether an opt-out took back what was planned; a START since then plans nothing anew."""
    about = {"conversation_id": case.conversation_id, "purpose": Purpose.PROGRESS, "case_id": case.id}
    last = await tx.all(
        Decision, outcome=(Decided.PLANNED, Decided.CANCELLED), order_by="id", descending=True, limit=1, **about
    )
    return bool(last) and last[0].outcome is Decided.CANCELLED


async def _say_so(tx: UnitOfWork, shop: Workshop, thread: Thread, case: Case, now: datetime) -> None:
    hours = thread.site.opening_hours() if thread.site else None
    due = on_the_hour(
        hours.after_working(now, shop.rules.progress_within) if hours else now + shop.rules.progress_within
    )
    language = thread.language(shop.rules)
    slots = {
        "customer_name": thread.customer.name,
        "business": shop.rules.business,
        "expected_by": clock_words(due, now=now, zone=thread.zone(), language=language),
    }
    text = shop.words.render("utter_progress", language, thread.conversation.medium.value, slots)
    await say(tx, thread.conversation, text, kind=MessageKind.LIFECYCLE, now=now, purpose=Purpose.PROGRESS)
    tx.add(Promise(case_id=case.id, text="a person answers", due_at=due, by=BOT))
