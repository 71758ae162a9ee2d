"""The last gate before a message leaves, and what becomes of it after."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.core.check_in import ContactDecision, Outcome, TraceEntry
from bot.core.delivery import WITHHELD, advance, problem
from bot.core.errors import ChannelError
from bot.core.leaving import Leaving, may_leave
from bot.core.vocabulary import Author, Decided, Direction, Medium
from bot.services.conversing import SENDING, Thread, load_turn
from bot.services.entities import Json, Message, Task
from bot.services.inbound import heed
from bot.services.ports import Accepted, Outbound, UnitOfWork
from bot.services.reaching import zones_of
from bot.services.reconciling import UNCONFIRMED, leave_open, reconcile
from bot.services.trace import message_facts, note_message
from bot.services.workshop import Workshop

_MOST_TRIES = 12


async def send_message(shop: Workshop, task: Task) -> None:
    """Work off one `send_message` task: ask once more whether it may leave, hand it over, record the answer.

    The message is marked `sending` before it is handed over, by the transaction that wrote it if that began this task.
    Found so at a second attempt, it may have left already: then the task goes on by asking what became of it.
    """
    async with shop.store() as tx:
        message, thread = await load_turn(tx, task.payload["message_id"])
        perhaps_left = message.delivery == UNCONFIRMED
        leaving = None if perhaps_left else await _let_go(shop, tx, task, message, thread)
    if perhaps_left:
        await reconcile(shop, task, message.id)
    elif leaving is not None:
        await _hand_over(shop, task, thread.conversation.medium, leaving)


@dataclass(frozen=True, slots=True)
class _Going:
    """A message on its way to its channel, with what was asked before it went and the facts that held."""

    outbound: Outbound
    asked: tuple[TraceEntry, ...]
    facts: Json


async def _let_go(shop: Workshop, tx: UnitOfWork, task: Task, message: Message, thread: Thread) -> _Going | None:
    """Mark the message `sending` and answer what is to be sent; None when it may not leave now, which is recorded."""
    if message.delivery == SENDING and task.attempts > 1 and thread.conversation.medium is Medium.SMS:
        await leave_open(shop, tx, task, message, "handed over, but the answer was lost")
        return None
    if message.delivery not in ("queued", SENDING):
        await tx.tasks.finish(task)
        await tx.commit()
        return None
    decision, facts = await _decide(tx, shop, task, message, thread)
    if decision.outcome is Outcome.SKIP:
        await _withhold(tx, shop, task, message, decision, facts)
    elif decision.outcome is Outcome.POSTPONE and decision.send_at is not None:
        await _defer(tx, shop, task, message, decision, facts, at=decision.send_at)
    else:
        if message.delivery != SENDING:
            message.delivery = SENDING
            await tx.commit()
        outbound = Outbound(message.id, thread.conversation.id, thread.contact_point.address, message.text)
        return _Going(outbound, decision.trace, facts)
    return None


async def _hand_over(shop: Workshop, task: Task, medium: Medium, going: _Going) -> None:
    message_id = going.outbound.message_id
    try:
        accepted = await shop.channels[medium].send(going.outbound)
    except ChannelError as error:
        return await _refused(shop, task, message_id, error, going.facts)
    return await _accepted(shop, task, message_id, accepted, going.asked, going.facts)


async def _decide(
    tx: UnitOfWork, shop: Workshop, task: Task, message: Message, thread: Thread
) -> tuple[ContactDecision, Json]:
    """Whether it may leave now, later or not at all, and the facts that was decided on."""
    now, policy, first = shop.clock(), shop.rules.contact, _writes_first(message)
    leaving = Leaving(
        kind=message.kind,
        opted_out=thread.contact_point.opted_out_at is not None,
        unreachable=thread.contact_point.invalid_since is not None,
        owner=thread.conversation.owner,
        moved_on=message.expected_version != thread.conversation.version,
        writes_first=first,
        overtaken=bool(task.payload.get("deferred")) and await _overtaken(tx, message),
        zones=await zones_of(tx, shop, thread, now) if first else (),
    )
    return may_leave(leaving, now=now, window=policy.window), message_facts(message, thread, shop.rules)


def _writes_first(message: Message) -> bool:
    """Whether nobody asked for this message just now: a check-in, a follow-up, word of progress."""
    return message.author is Author.BOT and message.in_reply_to is None


async def _overtaken(tx: UnitOfWork, message: Message) -> bool:
    """Whether the customer has written since: what was put off to the morning has lost its point."""
    heard = await tx.all(
        Message,
        conversation_id=message.conversation_id,
        direction=Direction.IN,
        order_by="position",
        descending=True,
        limit=1,
    )
    return bool(heard) and heard[0].position > message.position


async def _withhold(
    tx: UnitOfWork, shop: Workshop, task: Task, message: Message, decision: ContactDecision, facts: Json
) -> None:
    """It does not leave any more; the thread and the trace say why."""
    now, reason = shop.clock(), decision.trace[-1].reason
    message.delivery, message.delivery_error = WITHHELD, reason
    note_message(tx, message, Decided.WITHHELD, at=now, reason=reason, rules=decision.trace, facts=facts)
    await _finish(tx, task, message)


async def _defer(
    tx: UnitOfWork,
    shop: Workshop,
    task: Task,
    message: Message,
    decision: ContactDecision,
    facts: Json,
    *,
    at: datetime,
) -> None:
    """Come back at `at`, under a lock of its own: answers to what the customer writes until then must not wait."""
    later = Task(
        kind=task.kind,
        payload={**task.payload, "deferred": True},
        lock=f"later:{message.conversation_id}",
        key=f"send:{message.id}:{at.isoformat()}",
        due_at=at,
        created_at=task.created_at,
    )
    tx.add(later)
    message.delivery = "queued"
    now, reason = shop.clock(), decision.trace[-1].reason
    note_message(tx, message, Decided.POSTPONED, at=now, reason=reason, rules=decision.trace, facts=facts, next_at=at)
    await _finish(tx, task, message)


async def _accepted(
    shop: Workshop,
    task: Task,
    message_id: str,
    accepted: Accepted,
    asked: tuple[TraceEntry, ...],
    facts: Json,
) -> None:
    async with shop.store() as tx:
        message = await tx.get(Message, message_id)
        message.provider_id = accepted.provider_id
        # A callback may have been faster than the answer to our own request.
        current = message.delivery if message.delivery not in ("queued", SENDING) else None
        message.delivery = advance(current, accepted.status) or message.delivery
        facts = {**facts, "sender": accepted.sender}
        note_message(tx, message, Decided.SENT, at=shop.clock(), rules=asked, facts=facts)
        await _finish(tx, task, message)


async def _refused(shop: Workshop, task: Task, message_id: str, error: ChannelError, facts: Json) -> None:
    now = shop.clock()
    async with shop.store() as tx:
        message = await tx.get(Message, message_id)
        await heed(tx, message, error.code, now)
        if error.ambiguous:
            if message.delivery == SENDING:
                return await leave_open(shop, tx, task, message, str(error))
            return await _finish(tx, task, message)
        reason, facts = _said(error), {**facts, "code": error.code, "tries": task.attempts}
        if error.permanent or task.attempts >= _MOST_TRIES:
            message.delivery, message.delivery_error = "failed", error.code or str(error)
            note_message(tx, message, Decided.FAILED, at=now, reason=reason, facts=facts)
            return await _finish(tx, task, message)
        message.delivery = "queued"
        again = _again_at(now, task.attempts, error.retry_after)
        note_message(tx, message, Decided.RETRIED, at=now, reason=reason, facts=facts, next_at=again)
        tx.changed(f"conversation:{message.conversation_id}")
        await tx.tasks.retry(task, at=again, error=str(error))
        await tx.commit()


def _said(error: ChannelError) -> str:
    """What the channel said, in words where its code has some; never the number or the text."""
    return problem(error.code).meaning if error.code else str(error)


def _again_at(now: datetime, attempts: int, retry_after: float | None) -> datetime:
    return now + timedelta(seconds=retry_after if retry_after is not None else min(300, 2**attempts))


async def _finish(tx: UnitOfWork, task: Task, message: Message) -> None:
    tx.changed(f"conversation:{message.conversation_id}", "desk")
    await tx.tasks.finish(task)
    await tx.commit()
