"""After a backup was restored: what may have been sent since it was taken is asked about, never simply sent.

Between the snapshot and now the world went on: texts left that the restored outbox still holds, questions were asked
that are planned again, replies were answered that wait again. A text in the outbox becomes one whose fate is unknown,
and is looked up at the provider like any other (`reconciling`). Other work that writes to a customer by SMS and was
due by now is put aside (`after_restore`): it is done only if the provider has taken nothing for that number since. What
customers wrote meanwhile is on the provider's list and comes from there (`catching_up`), put aside in the same way. On
the web nothing has to be asked: what a visitor sees is read from the store, and is as old as the store.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.core.check_in import Outcome, TraceEntry
from bot.core.errors import ChannelError
from bot.core.keywords import Keyword, read_keyword
from bot.core.vocabulary import CaseState, CheckInState, Decided, HandoffReason, Medium, Purpose, Verdict
from bot.services.consent import restore, withdraw
from bot.services.conversing import AFTER_RESTORE, SENDING, Thread, aside, load_thread, load_turn
from bot.services.entities import (
    Case,
    CheckIn,
    ContactPoint,
    Conversation,
    Delivery,
    Json,
    Message,
    ServiceEvent,
    Task,
    TimelineEntry,
)
from bot.services.handoff import hand_off_in
from bot.services.ports import SentMessage, UnitOfWork
from bot.services.promising import BOT
from bot.services.reconciling import UNCONFIRMED
from bot.services.returning import reopen
from bot.services.trace import note
from bot.services.workshop import Workshop

CATCHES_UP = "catch_up"
WRITES = frozenset({"handle_message", "send_check_in", "follow_up", "chase_case"})
"""The kinds of tasks that end with words to a customer."""
HARMLESS = frozenset({"send_message", "judge_silence", "resume_dialogue", CATCHES_UP, AFTER_RESTORE})
"""Those that do not, or that ask the provider themselves."""
_WHY = "a backup was restored, and the customer has been written to since it was taken"
_ASK_AGAIN = timedelta(seconds=20)
_UNFINISHED = ("todo", "doing")


async def put_aside(tx: UnitOfWork, *, taken_at: datetime, now: datetime) -> int:
    """Go through the unfinished tasks of a store restored as it was at `taken_at`; how many have to be asked about."""
    doubtful = 0
    for task in await tx.all(Task, state=_UNFINISHED, order_by="id"):
        begun, task.state = task.state == "doing", "todo"
        if not begun and task.due_at > now:
            continue
        task.due_at = now
        if task.kind == "send_message":
            doubtful += await _leave_message_open(tx, task, now)
        elif task.kind in WRITES and await _medium_of(tx, task.payload) is Medium.SMS:
            task.payload, task.kind, doubtful = aside(task.kind, task.payload, taken_at), AFTER_RESTORE, doubtful + 1
    await _catch_up_from(tx, taken_at, now)
    return doubtful


async def _catch_up_from(tx: UnitOfWork, taken_at: datetime, now: datetime) -> None:
    """What customers wrote since is on the provider's list, and is taken in from there before anything else is."""
    known = await tx.one(Task, key=CATCHES_UP)
    task = known or Task(kind=CATCHES_UP, key=CATCHES_UP, lock=CATCHES_UP, due_at=now, created_at=now)
    task.payload = {"since": taken_at.isoformat(), "restored": taken_at.isoformat()}
    task.state, task.due_at, task.attempts = "todo", now, 0
    tx.add(task)


async def _leave_message_open(tx: UnitOfWork, task: Task, now: datetime) -> int:
    """A text in the outbox may have left since: its task goes on by asking the provider."""
    message = await tx.find(Message, task.payload["message_id"])
    if message is None or message.delivery not in ("queued", SENDING):
        return 0
    if (await tx.get(Conversation, message.conversation_id)).medium is not Medium.SMS:
        return 0
    message.delivery, message.delivery_error = UNCONFIRMED, "in the outbox when the backup was taken"
    if await tx.one(Delivery, message_id=message.id, status=UNCONFIRMED) is None:
        tx.add(Delivery(message_id=message.id, status=UNCONFIRMED, at=now))
    return 1


async def _medium_of(tx: UnitOfWork, payload: Json) -> Medium | None:
    conversation_id = await _conversation_of(tx, payload)
    return (await tx.get(Conversation, conversation_id)).medium if conversation_id else None


async def _conversation_of(tx: UnitOfWork, payload: Json) -> str | None:
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
    """Work off one task that was put aside: do it after all, leave it to a person, or ask the provider later."""
    inner, since = task.payload["payload"], datetime.fromisoformat(task.payload["since"])
    async with shop.store(read_only=True) as tx:
        conversation_id = await _conversation_of(tx, inner)
        thread = await load_thread(tx, conversation_id) if conversation_id else None
    written = await _written_since(shop, thread, since) if thread else []
    async with shop.store() as tx:
        if written is None:
            await tx.tasks.postpone(task, at=shop.clock() + _ASK_AGAIN)
        elif thread is not None and not written:
            await tx.tasks.postpone(task, at=shop.clock())
            kept = await tx.one(Task, id=task.id)
            assert kept is not None
            kept.kind, kept.payload = task.payload["kind"], inner
        else:
            if thread is not None:
                await _leave_to_a_person(tx, shop, task.payload["kind"], inner, thread)
            await tx.tasks.finish(task)
        await tx.commit()


async def _written_since(shop: Workshop, thread: Thread, since: datetime) -> list[SentMessage] | None:
    """What the provider took for this customer; None when it cannot be asked, which is no answer."""
    try:
        return await shop.channels[Medium.SMS].reconcile(thread.contact_point.address, since)
    except ChannelError:
        return None


async def _leave_to_a_person(tx: UnitOfWork, shop: Workshop, kind: str, payload: Json, thread: Thread) -> None:
    now = shop.clock()
    if kind == "send_check_in":
        await _count_as_asked(tx, await tx.get(CheckIn, payload["check_in_id"]), now)
    elif kind == "handle_message":
        await _heed_reply(tx, shop, payload["message_id"], now)
    else:
        case = await tx.get(Case, payload["case_id"])
        tx.add(TimelineEntry(case_id=case.id, at=now, who=BOT, what="left to a person", why=_WHY))
        if kind == "follow_up" and case.state is CaseState.RESOLVED:
            await reopen(tx, shop, await load_thread(tx, case.conversation_id), case, who=BOT, why=_WHY, now=now)
    tx.changed("desk")


async def _heed_reply(tx: UnitOfWork, shop: Workshop, message_id: str, now: datetime) -> None:
    """STOP and START are obeyed, and were confirmed by then; anything else lies on the desk, unanswered by the bot."""
    message, thread = await load_turn(tx, message_id)
    command = read_keyword(message.text, opted_out=thread.contact_point.opted_out_at is not None)
    source = f"message {message.id}"
    if command is None:
        await hand_off_in(tx, shop, thread, message.id, HandoffReason.BOT_UNAVAILABLE, now=now)
    elif command.keyword is Keyword.STOP:
        await withdraw(tx, thread, source=source, now=now)
    elif command.keyword is Keyword.START:
        await restore(tx, thread, source=source, now=now)


async def _count_as_asked(tx: UnitOfWork, check_in: CheckIn, now: datetime) -> None:
    if check_in.state is not CheckInState.PLANNED:
        return
    check_in.state = CheckInState.SKIPPED
    note(
        tx,
        check_in.conversation_id,
        Purpose.CHECK_IN,
        Decided.SKIPPED,
        at=now,
        reason=_WHY,
        rules=(TraceEntry(now, "restore", Outcome.SKIP, _WHY),),
        check_in_id=check_in.id,
    )
    event = await tx.get(ServiceEvent, check_in.service_event_id)
    if event.verdict is Verdict.PENDING:
        event.verdict = Verdict.UNREACHABLE


async def keep_opt_outs(tx: UnitOfWork) -> int:
    """Mark everybody who has opted out, before their store is replaced by an older one; how many."""
    out = [point for point in await tx.all(ContactPoint, medium=Medium.SMS) if point.opted_out_at is not None]
    for point in out:
        await tx.seals.keep(point.medium.value, point.address, opted_out_at=point.opted_out_at)
    return len(out)
