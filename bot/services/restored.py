"""After a backup was restored: what may have been sent since it was taken is asked about, never simply sent.

Between the snapshot and now the world went on: texts left that the restored outbox still holds, questions were asked
that are planned again, replies were answered that wait again. A text in the outbox becomes one whose fate is unknown,
and is looked up at the provider like any other (`reconciling`). Other work that writes to a customer by SMS and was
due by now is put aside (`after_restore`): it is done only if the provider has taken nothing for that number since. On
the web nothing has to be asked: what a visitor sees is read from the store, and is as old as the store.
"""

from __future__ import annotations

from datetime import datetime

from bot.core.vocabulary import CaseState, CheckInState, HandoffReason, Medium, Verdict
from bot.services.conversing import SENDING, Thread, load_thread, load_turn
from bot.services.entities import Case, CheckIn, ContactPoint, Conversation, Message, ServiceEvent, Task, TimelineEntry
from bot.services.follow_up import reopen
from bot.services.handoff import BOT, hand_off_in
from bot.services.ports import UnitOfWork
from bot.services.reconciling import leave_open
from bot.services.workshop import Workshop

AFTER_RESTORE = "after_restore"
WRITES = frozenset({"handle_message", "send_check_in", "follow_up", "chase_case"})
"""The kinds of tasks that end with words to a customer."""
HARMLESS = frozenset({"send_message", "reconcile", "judge_silence", AFTER_RESTORE})
"""Those that do not, or that ask the provider themselves."""
_WHY = "a backup was restored, and the customer has been written to since it was taken"
_UNFINISHED = ("todo", "doing")


async def put_aside(tx: UnitOfWork, *, taken_at: datetime, now: datetime) -> int:
    """Go through the unfinished tasks of a store restored as it was at `taken_at`; how many have to be asked about."""
    doubtful = 0
    for task in await tx.all(Task, state=_UNFINISHED, order_by="id"):
        begun, task.state = task.state == "doing", "todo"
        if not begun and task.due_at > now:
            continue
        if task.kind == "send_message":
            doubtful += await _leave_message_open(tx, task, now)
        elif task.kind in WRITES and await _medium_of(tx, task.payload) is Medium.SMS:
            task.payload = {"kind": task.kind, "payload": task.payload, "since": taken_at.isoformat()}
            task.kind, task.due_at, doubtful = AFTER_RESTORE, now, doubtful + 1
    return doubtful


async def _leave_message_open(tx: UnitOfWork, task: Task, now: datetime) -> int:
    message = await tx.find(Message, task.payload["message_id"])
    if message is None or message.delivery not in ("queued", SENDING):
        return 0
    conversation = await tx.get(Conversation, message.conversation_id)
    if conversation.medium is not Medium.SMS:
        return 0
    task.state, task.key = "gone", None
    leave_open(tx, message, "in the outbox when the backup was taken: it may have left since", now=now)
    return 1


async def _medium_of(tx: UnitOfWork, payload: dict[str, str]) -> Medium | None:
    conversation_id = await _conversation_of(tx, payload)
    return (await tx.get(Conversation, conversation_id)).medium if conversation_id else None


async def _conversation_of(tx: UnitOfWork, payload: dict[str, str]) -> str | None:
    """The conversation that a task is about."""
    about: tuple[tuple[str, type[Message] | type[CheckIn] | type[Case]], ...] = (
        ("message_id", Message),
        ("check_in_id", CheckIn),
        ("case_id", Case),
    )
    for name, kind in about:
        if name in payload:
            found: Message | CheckIn | Case | None = await tx.find(kind, payload[name])
            return found.conversation_id if found else None
    return None


async def after_restore(shop: Workshop, task: Task) -> None:
    """Work off one task that was put aside: do it after all, or leave it to a person. Raises ChannelError when the
    provider cannot be asked: then it is asked later."""
    inner, since = task.payload["payload"], datetime.fromisoformat(task.payload["since"])
    async with shop.store(read_only=True) as tx:
        conversation_id = await _conversation_of(tx, inner)
        thread = await load_thread(tx, conversation_id) if conversation_id else None
    channel = shop.channels[Medium.SMS]
    written = await channel.reconcile(thread.contact_point.address, since) if thread else []
    async with shop.store() as tx:
        if thread is not None and not written:
            kept = await tx.one(Task, id=task.id)
            if kept is not None:
                kept.kind, kept.payload = task.payload["kind"], inner
            await tx.tasks.postpone(task, at=shop.clock())
        else:
            if thread is not None:
                await _leave_to_a_person(tx, shop, task.payload["kind"], inner, thread)
            await tx.tasks.finish(task)
        await tx.commit()


async def _leave_to_a_person(
    tx: UnitOfWork, shop: Workshop, kind: str, payload: dict[str, str], thread: Thread
) -> None:
    now = shop.clock()
    if kind == "send_check_in":
        await _count_as_asked(tx, await tx.get(CheckIn, payload["check_in_id"]), now)
    elif kind == "handle_message":
        message, turn = await load_turn(tx, payload["message_id"])
        await hand_off_in(tx, shop, turn, message.id, HandoffReason.BOT_UNAVAILABLE, now=now)
    else:
        case = await tx.get(Case, payload["case_id"])
        tx.add(TimelineEntry(case_id=case.id, at=now, who=BOT, what="left to a person", why=_WHY))
        if kind == "follow_up" and case.state is CaseState.RESOLVED:
            await reopen(tx, shop, await load_thread(tx, case.conversation_id), case, who=BOT, why=_WHY, now=now)
    tx.changed("desk")


async def _count_as_asked(tx: UnitOfWork, check_in: CheckIn, now: datetime) -> None:
    if check_in.state is not CheckInState.PLANNED:
        return
    entry = {"at": now.isoformat(), "rule": "restore", "outcome": "skip", "reason": _WHY}
    check_in.state, check_in.trace = CheckInState.SKIPPED, [*check_in.trace, entry]
    event = await tx.get(ServiceEvent, check_in.service_event_id)
    if event.verdict is Verdict.PENDING:
        event.verdict = Verdict.UNREACHABLE


async def keep_opt_outs(tx: UnitOfWork) -> int:
    """Mark everybody who has opted out, before their store is replaced by an older one; how many."""
    out = [point for point in await tx.all(ContactPoint, medium=Medium.SMS) if point.opted_out_at is not None]
    for point in out:
        await tx.seals.keep(point.medium.value, point.address, opted_out_at=point.opted_out_at)
    return len(out)
