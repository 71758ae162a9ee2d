"""Nobody is left without news: when a promised time passes, the customer hears so and the desk sees it (P10)."""

from __future__ import annotations

from bot.core.vocabulary import MessageKind, Owner
from bot.services.conversing import clock_words, load_thread, say
from bot.services.entities import Case, Promise, Task, TimelineEntry
from bot.services.ports import UnitOfWork
from bot.services.promising import BOT, on_the_hour
from bot.services.workshop import Workshop


async def chase_case(shop: Workshop, task: Task) -> None:
    """Work off one `chase_case` task: the first answer is overdue, so one honest word of progress goes out."""
    async with shop.store() as tx:
        case = await tx.get(Case, task.payload["case_id"])
        if case.first_response_at is None and case.resolved_at is None and case.first_response_due <= shop.clock():
            await _own_up(tx, shop, case)
        await tx.tasks.finish(task)
        await tx.commit()


async def _own_up(tx: UnitOfWork, shop: Workshop, case: Case) -> None:
    now = shop.clock()
    thread = await load_thread(tx, case.conversation_id)
    case.breached_at = case.breached_at or now
    tx.add(
        TimelineEntry(case_id=case.id, at=now, who=BOT, what="breached", why="nobody had answered by the promised time")
    )
    tx.changed("desk")
    if thread.conversation.owner is not Owner.AGENT or thread.contact_point.opted_out_at is not None:
        return
    if not shop.rules.contact.window.allows(now, thread.zone()):
        return
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
    await say(tx, thread.conversation, text, kind=MessageKind.LIFECYCLE, now=now)
    tx.add(Promise(case_id=case.id, text="a person answers", due_at=due, by=BOT))
