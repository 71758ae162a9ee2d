"""The last gate before a message leaves, and what becomes of it after."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.core.check_in import Outcome, TraceEntry
from bot.core.delivery import WITHHELD, Remedy, advance, problem, wait_before_retry
from bot.core.errors import ChannelError
from bot.core.leaving import Leaving, may_leave
from bot.core.sms import segments
from bot.core.vocabulary import Author, Decided, Direction, Medium, MessageKind, Owner
from bot.services.conversing import DEFERRED, SENDING, Thread, load_turn, with_a_person
from bot.services.delivering import heed, is_over
from bot.services.entities import Json, Message, Task
from bot.services.ports import Accepted, Outbound, UnitOfWork
from bot.services.reaching import zones_of
from bot.services.reconciling import UNCONFIRMED, leave_open, reconcile
from bot.services.senders import Room, find_room
from bot.services.trace import message_facts, note_message
from bot.services.workshop import Workshop

_MOST_TRIES = 12


async def send_message(shop: Workshop, task: Task) -> None:
    """Work off one `send_message` task: ask once more whether it may leave, hand it over, record the answer.

    The message is marked `sending` before it is handed over, by the transaction that wrote it if that began this task.
    Found so at a second attempt, it may have left already: then the task goes on by asking what became of it.
    """
    async with shop.store() as tx:
        # Held, so that nobody takes the conversation over between our question and our answer to it.
        message, thread = await load_turn(tx, task.payload["message_id"], hold=True)
        perhaps_left = message.delivery == UNCONFIRMED
        going = None if perhaps_left else await _let_go(shop, tx, task, message, thread)
    if perhaps_left:
        await reconcile(shop, task, message.id)
    elif going is not None:
        await _hand_over(shop, task, thread.conversation.medium, going)


@dataclass(frozen=True, slots=True)
class _Going:
    """A message on its way to its channel, with what was asked before it went and the facts that held."""

    outbound: Outbound
    asked: tuple[TraceEntry, ...]
    facts: Json


async def _let_go(shop: Workshop, tx: UnitOfWork, task: Task, message: Message, thread: Thread) -> _Going | None:
    """Mark the message `sending` and answer what is to be sent; None when it may not leave now, which is recorded."""
    facts = message_facts(message, thread, shop.rules)
    if message.delivery == SENDING and task.attempts > 1 and thread.conversation.medium is Medium.SMS:
        await leave_open(shop, tx, task, message, "handed over, but the answer was lost")
    elif message.provider_id is not None or message.delivery not in ("queued", DEFERRED, SENDING):
        # A status that names the provider's number says that it was taken, whatever became of the answer.
        await tx.tasks.finish(task)
        await tx.commit()
    elif message.delivery == SENDING and thread.conversation.medium is Medium.WEBCHAT:
        # It stands in the web chat's thread already, and cannot be taken back.
        return _Going(_outbound(message, thread), (), facts)
    else:
        return await _asked(shop, tx, task, message, thread, facts)
    return None


async def _asked(
    shop: Workshop, tx: UnitOfWork, task: Task, message: Message, thread: Thread, facts: Json
) -> _Going | None:
    """Ask every rule, and the sender whether it has room."""
    now, window = shop.clock(), shop.rules.contact.window
    leaving = await _leaving(tx, shop, task, message, thread)
    decision = may_leave(leaving, now=now, window=window)
    if decision.outcome is Outcome.SKIP:
        message.delivery, message.delivery_error = WITHHELD, decision.trace[-1].reason
        reason, rules = decision.trace[-1].reason, decision.trace
        note_message(tx, message, Decided.WITHHELD, at=now, reason=reason, rules=rules, facts=facts)
        await _finish(tx, task, message)
    elif decision.outcome is Outcome.POSTPONE and decision.send_at is not None:
        at, reason = decision.send_at, decision.trace[-1].reason
        await _defer(tx, task, message, at=at, now=now, reason=reason, rules=decision.trace, facts=facts)
    elif await _has_room(shop, tx, task, message, thread, facts):
        # What we write first is to expire before quiet hours begin.
        valid = min((window.open_for(now, zone) for zone in leaving.zones), default=None)
        return _Going(_outbound(message, thread, valid), decision.trace, facts)
    return None


def _outbound(message: Message, thread: Thread, valid: timedelta | None = None) -> Outbound:
    return Outbound(message.id, thread.conversation.id, thread.contact_point.address, message.text, valid)


async def _leaving(tx: UnitOfWork, shop: Workshop, task: Task, message: Message, thread: Thread) -> Leaving:
    conversation, first = thread.conversation, _writes_first(message)
    unasked = first and conversation.owner is Owner.BOT
    return Leaving(
        kind=message.kind,
        opted_out=thread.contact_point.opted_out_at is not None,
        unreachable=thread.contact_point.invalid_since is not None,
        owner=conversation.owner,
        moved_on=message.expected_version != conversation.version,
        writes_first=first,
        talking_elsewhere=unasked and await with_a_person(tx, conversation.customer_id),
        overtaken=bool(task.payload.get("deferred")) and await _overtaken(tx, message),
        zones=await zones_of(tx, shop, thread, shop.clock()) if first else (),
    )


async def _hand_over(shop: Workshop, task: Task, medium: Medium, going: _Going) -> None:
    try:
        accepted = await shop.channels[medium].send(going.outbound)
    except ChannelError as error:
        return await _refused(shop, task, going, error)
    return await _accepted(shop, task, going, accepted)


async def withhold_waiting(tx: UnitOfWork, conversation_id: str, reason: str, *, now: datetime) -> None:
    """Settle now what the bot still had to say here, so that a person's words need not wait behind it."""
    waiting = await tx.all(
        Task, kind="send_message", state="todo", lock=(f"out:{conversation_id}", f"later:{conversation_id}")
    )
    for task in waiting:
        message = await tx.get(Message, task.payload["message_id"])
        ours = message.author is Author.BOT and message.kind is not MessageKind.COMPLIANCE
        # One that is unconfirmed may have left: what became of it is asked first.
        waits = message.delivery in ("queued", DEFERRED)
        if ours and waits and task.key and await tx.tasks.cancel(task.key):
            message.delivery, message.delivery_error = WITHHELD, reason
            note_message(tx, message, Decided.WITHHELD, at=now, reason=reason)


def _writes_first(message: Message) -> bool:
    """Whether nobody asked for this message just now: a check-in, a follow-up, word of progress."""
    return message.author is Author.BOT and message.in_reply_to is None


async def _has_room(shop: Workshop, tx: UnitOfWork, task: Task, message: Message, thread: Thread, facts: Json) -> bool:
    """Whether the sender may send it now, which is then counted and marked; else when to come back is recorded."""
    before, message.delivery = message.delivery, SENDING
    room = await _room(shop, tx, task, message, thread)
    if room.at is not None:
        await _wait(tx, task, message, room, at=room.at, now=shop.clock(), facts=facts)
        return False
    if before == DEFERRED:
        # It is said now, after what was said meanwhile: whoever reads on from there must not miss it.
        message.position = await tx.conversations.next_position(message.conversation_id)
    if room.counted or before != SENDING:
        # That it is being sent must outlive a power cut; that it was counted need not.
        await tx.commit(durable=before != SENDING)
    return True


async def _room(shop: Workshop, tx: UnitOfWork, task: Task, message: Message, thread: Thread) -> Room:
    first, now = _writes_first(message), shop.clock()
    if first and not task.payload.get("deferred") and await tx.tasks.is_locked(_later(message), besides=task.id):
        return Room(at=now)  # behind what was deferred before it
    medium, placed = thread.conversation.medium, bool(task.payload.get("placed"))
    return await find_room(tx, medium, segments=segments(message.text), first=first, placed=placed, now=now)


async def _wait(
    tx: UnitOfWork, task: Task, message: Message, room: Room, *, at: datetime, now: datetime, facts: Json
) -> None:
    """Come back when there is room: an answer keeps its turn in the conversation, a question makes way for answers."""
    reason = problem(room.code).meaning if room.code else "our number sends no faster than its carriers allow"
    message.delivery = DEFERRED if task.payload.get("deferred") else "queued"
    message.delivery_error = room.code or message.delivery_error
    if _writes_first(message) and not task.payload.get("deferred"):
        return await _defer(tx, task, message, at=at, now=now, reason=reason, facts=facts, placed=room.counted)
    note_message(tx, message, Decided.POSTPONED, at=now, reason=reason, facts=facts, next_at=at)
    if room.code:
        tx.changed(f"conversation:{message.conversation_id}")
    await tx.tasks.postpone(task, at=at, placed=True)
    await tx.commit()


def _later(message: Message) -> str:
    return f"later:{message.conversation_id}"


async def _overtaken(tx: UnitOfWork, message: Message) -> bool:
    """Whether the customer has written since: what was put off has lost its point."""
    heard = await tx.all(
        Message,
        conversation_id=message.conversation_id,
        direction=Direction.IN,
        order_by="position",
        descending=True,
        limit=1,
    )
    return bool(heard) and heard[0].position > message.position


async def _defer(
    tx: UnitOfWork,
    task: Task,
    message: Message,
    *,
    at: datetime,
    now: datetime,
    reason: str,
    facts: Json,
    rules: Iterable[TraceEntry] = (),
    placed: bool = False,
) -> None:
    """Come back at `at`, under a lock of its own: answers to what the customer writes until then must not wait."""
    later = Task(
        kind=task.kind,
        payload={**task.payload, "deferred": True, "placed": placed},
        lock=_later(message),
        key=f"send:{message.id}:{at.isoformat()}",
        due_at=at,
        created_at=task.created_at,
    )
    tx.add(later)
    message.delivery = DEFERRED
    note_message(tx, message, Decided.POSTPONED, at=now, reason=reason, rules=rules, facts=facts, next_at=at)
    await _finish(tx, task, message)


async def _accepted(shop: Workshop, task: Task, going: _Going, accepted: Accepted) -> None:
    async with shop.store() as tx:
        message = await tx.get(Message, going.outbound.message_id)
        # A callback may have been faster than the answer to our own request, and may even have ended this sending.
        if message.delivery == SENDING or not await is_over(tx, message.id, accepted.provider_id):
            current = message.delivery if message.delivery not in ("queued", SENDING) else None
            message.provider_id = accepted.provider_id
            message.delivery_error = message.delivery_error if current else None
            message.delivery = advance(current, accepted.status) or message.delivery
        facts = {**going.facts, "sender": accepted.sender}
        note_message(tx, message, Decided.SENT, at=shop.clock(), rules=going.asked, facts=facts)
        await _finish(tx, task, message)


async def _refused(shop: Workshop, task: Task, going: _Going, error: ChannelError) -> None:
    now = shop.clock()
    async with shop.store() as tx:
        message = await tx.get(Message, going.outbound.message_id)
        found = await heed(tx, message, error.code, now, retry_after=error.retry_after)
        rest = wait_before_retry(task.attempts, error.retry_after, spread=_spread(message))
        if error.ambiguous:
            if message.delivery == SENDING:
                not_before = rest if error.retry_after is not None else timedelta(0)
                return await leave_open(shop, tx, task, message, str(error), not_before=not_before)
            return await _finish(tx, task, message)
        reason, facts = _said(error), {**going.facts, "code": error.code, "tries": task.attempts}
        hopeless = error.permanent and not found.sends_again
        if hopeless or task.attempts >= _MOST_TRIES:
            message.delivery, message.delivery_error = "failed", error.code or str(error)
            note_message(tx, message, Decided.FAILED, at=now, reason=reason, facts=facts)
            return await _finish(tx, task, message)
        message.delivery, message.delivery_error = "queued", error.code if found.alerts else None
        tx.changed(f"conversation:{message.conversation_id}", "desk")
        again = now + max(rest, found.wait or timedelta(0))
        note_message(tx, message, Decided.RETRIED, at=now, reason=reason, facts=facts, next_at=again)
        if found.remedy is Remedy.PAUSE_ACCOUNT:
            await tx.tasks.postpone(task, at=again)
        else:
            await tx.tasks.retry(task, at=again, error=str(error))
        await tx.commit()


def _said(error: ChannelError) -> str:
    """What the channel said, in words where its code has some; never the number or the text."""
    return problem(error.code).meaning if error.code else str(error)


def _spread(message: Message) -> float:
    """A number in [0, 1) of the message's own: the same at every try and on every machine."""
    return zlib.crc32(message.id.encode()) / 2**32


async def _finish(tx: UnitOfWork, task: Task, message: Message) -> None:
    tx.changed(f"conversation:{message.conversation_id}", "desk")
    await tx.tasks.finish(task)
    await tx.commit()
