"""The last gate before a message leaves, and what becomes of it after."""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.core.delivery import advance
from bot.core.errors import ChannelError
from bot.core.vocabulary import Author, Direction, Medium, MessageKind, Owner
from bot.services.conversing import DEFERRED, SENDING, WITHHELD, Thread, load_turn, with_a_person
from bot.services.entities import Message, Task
from bot.services.inbound import heed
from bot.services.ports import Accepted, Outbound, UnitOfWork
from bot.services.reconciling import UNCONFIRMED, leave_open, reconcile
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
        outbound = None if perhaps_left else await _let_go(shop, tx, task, message, thread)
    if perhaps_left:
        await reconcile(shop, task, message.id)
    elif outbound is not None:
        await _hand_over(shop, task, thread.conversation.medium, outbound)


async def _let_go(shop: Workshop, tx: UnitOfWork, task: Task, message: Message, thread: Thread) -> Outbound | None:
    """Mark the message `sending` and answer what is to be sent; None when it may not leave now, which is recorded."""
    if message.provider_id is not None:
        # Taken, whatever its status is called: a provider's "queued" and "sending" are no invitation to send it again.
        await tx.tasks.finish(task)
        await tx.commit()
    elif message.delivery == SENDING and task.attempts > 1 and thread.conversation.medium is Medium.SMS:
        await leave_open(shop, tx, task, message, "handed over, but the answer was lost")
    elif message.delivery not in ("queued", DEFERRED, SENDING):
        await tx.tasks.finish(task)
        await tx.commit()
    elif _is_shown(message, thread):
        return _outbound(message, thread)
    elif reason := _held_back(message, thread) or await _overtaken(tx, task, message, thread):
        await _settle(tx, task, message, WITHHELD, reason)
    elif opens := _quiet_until(shop, message, thread):
        await _defer(tx, task, message, at=opens)
    else:
        if message.delivery == DEFERRED:
            # It is said now, after what was said meanwhile: whoever reads on from there must not miss it.
            message.position = await tx.conversations.next_position(message.conversation_id)
        if message.delivery != SENDING:
            message.delivery = SENDING
            await tx.commit()
        return _outbound(message, thread)
    return None


def _is_shown(message: Message, thread: Thread) -> bool:
    """Whether it stands in a web chat's thread already, and cannot be taken back."""
    return message.delivery == SENDING and thread.conversation.medium is Medium.WEBCHAT


def _outbound(message: Message, thread: Thread) -> Outbound:
    return Outbound(message.id, thread.conversation.id, thread.contact_point.address, message.text)


async def _hand_over(shop: Workshop, task: Task, medium: Medium, outbound: Outbound) -> None:
    try:
        accepted = await shop.channels[medium].send(outbound)
    except ChannelError as error:
        return await _refused(shop, task, outbound.message_id, error)
    return await _accepted(shop, task, outbound.message_id, accepted)


async def withhold_waiting(tx: UnitOfWork, conversation_id: str, reason: str) -> None:
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


def _held_back(message: Message, thread: Thread) -> str:
    """Why this message may not leave at all, or `""`."""
    conversation, point = thread.conversation, thread.contact_point
    if message.kind is MessageKind.COMPLIANCE:
        return ""
    if point.opted_out_at is not None:
        return "the customer opted out"
    if message.kind is MessageKind.AGENT:
        return ""
    if point.invalid_since is not None and _writes_first(message):
        return "the address does not reach this customer"
    if message.kind is MessageKind.DIALOGUE and conversation.owner is Owner.AGENT:
        return "a person owns the conversation"
    if message.expected_version != conversation.version:
        return "the conversation moved on before this could leave"
    return ""


def _writes_first(message: Message) -> bool:
    """Whether nobody asked for this message just now: a check-in, a follow-up, word of progress."""
    return message.author is Author.BOT and message.in_reply_to is None


def _quiet_until(shop: Workshop, message: Message, thread: Thread) -> datetime | None:
    """When the customer's quiet hours end, if they have begun since this was written and it is not an answer."""
    now, zone, window = shop.clock(), thread.zone(), shop.rules.contact.window
    return window.next_allowed(now, zone) if _writes_first(message) and not window.allows(now, zone) else None


async def _overtaken(tx: UnitOfWork, task: Task, message: Message, thread: Thread) -> str:
    """Why what nobody asked for has lost its point, or `""`."""
    ours = thread.conversation.owner is Owner.BOT and _writes_first(message)
    if ours and await with_a_person(tx, thread.conversation.customer_id):
        return "a person is talking with the customer in another conversation"
    if not task.payload.get("deferred"):
        return ""
    heard = await tx.all(
        Message, conversation_id=message.conversation_id, direction=Direction.IN, order_by="position", descending=True
    )
    return "the customer wrote first" if heard and heard[0].position > message.position else ""


async def _defer(tx: UnitOfWork, task: Task, message: Message, *, at: datetime) -> None:
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
    message.delivery = DEFERRED
    await _finish(tx, task, message)


async def _accepted(shop: Workshop, task: Task, message_id: str, accepted: Accepted) -> None:
    async with shop.store() as tx:
        message = await tx.get(Message, message_id)
        message.provider_id = accepted.provider_id
        # A callback may have been faster than the answer to our own request.
        current = message.delivery if message.delivery not in ("queued", SENDING) else None
        message.delivery = advance(current, accepted.status) or message.delivery
        await _finish(tx, task, message)


async def _refused(shop: Workshop, task: Task, message_id: str, error: ChannelError) -> None:
    now = shop.clock()
    async with shop.store() as tx:
        message = await tx.get(Message, message_id)
        await heed(tx, message, error.code, now)
        if error.ambiguous:
            if message.delivery == SENDING:
                return await leave_open(shop, tx, task, message, str(error))
            return await _finish(tx, task, message)
        if error.permanent or task.attempts >= _MOST_TRIES:
            message.delivery, message.delivery_error = "failed", error.code or str(error)
            return await _finish(tx, task, message)
        message.delivery = "queued"
        tx.changed(f"conversation:{message.conversation_id}")
        await tx.tasks.retry(task, at=_again_at(now, task.attempts, error.retry_after), error=str(error))
        await tx.commit()


def _again_at(now: datetime, attempts: int, retry_after: float | None) -> datetime:
    return now + timedelta(seconds=retry_after if retry_after is not None else min(300, 2**attempts))


async def _settle(tx: UnitOfWork, task: Task, message: Message, delivery: str, reason: str) -> None:
    message.delivery, message.delivery_error = delivery, reason
    await _finish(tx, task, message)


async def _finish(tx: UnitOfWork, task: Task, message: Message) -> None:
    tx.changed(f"conversation:{message.conversation_id}", "desk")
    await tx.tasks.finish(task)
    await tx.commit()
