"""What becomes of a message after it was handed over: the provider's reports, and what its errors ask of us."""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog

from bot.core.delivery import UNDELIVERED, Problem, Remedy, advance, is_final, problem, wait_before_retry
from bot.core.vocabulary import Decided, Direction
from bot.services import senders
from bot.services.consent import cancel_everything
from bot.services.conversing import load_thread
from bot.services.entities import ContactPoint, Conversation, Delivery, Message, Task
from bot.services.ports import UnitOfWork
from bot.services.trace import note_message
from bot.services.workshop import Rules, Workshop

log = structlog.get_logger(__name__)

_SENT_AGAIN_AFTER = timedelta(minutes=30)


async def record_status(
    shop: Workshop, *, message_id: str | None, provider_id: str, status: str, error_code: str | None
) -> bool:
    """Apply one delivery status, which only ever moves forward, and do what its error code asks for.

    False for a status of a message we do not know: an account may be shared with others. It is said in the log and
    counted, and nothing else can be done with it.
    """
    async with shop.store() as tx:
        message = await tx.find(Message, message_id) if message_id else None
        message = message or await tx.one(Message, provider_id=provider_id)
        if message is None or message.direction is Direction.IN:
            log.info("a status of a message that is not ours", provider_id=provider_id, named=bool(message_id))
            return False
        await apply_status(tx, shop.rules, message, provider_id, status, error_code, now=shop.clock())
        await tx.commit()
        return True


async def apply_status(
    tx: UnitOfWork,
    rules: Rules,
    message: Message,
    provider_id: str,
    status: str,
    error_code: str | None,
    *,
    now: datetime,
) -> None:
    """Keep what the provider reports of one sending, and move the message forward if that is its latest sending."""
    known = await tx.one(Delivery, message_id=message.id, provider_id=provider_id, status=status)
    # Asked before the new report is added: of a sending that has ended, nothing counts any more.
    earlier = message.provider_id not in (None, provider_id) or (
        message.provider_id is None and await is_over(tx, message.id, provider_id)
    )
    if known is None:
        report = Delivery(message_id=message.id, provider_id=provider_id, status=status, error_code=error_code, at=now)
        tx.add(report)
    # The number and the sender are what they are, whichever sending it was that told us.
    found = await heed(tx, message, error_code if known is None else None, now)
    if earlier:
        return
    message.provider_id = provider_id
    reached = advance(message.delivery, status)
    if reached is None or reached == message.delivery:
        return
    message.delivery, message.delivery_error = reached, error_code if reached in UNDELIVERED else None
    tx.changed(f"conversation:{message.conversation_id}", "desk")
    if reached in UNDELIVERED:
        reason = found.meaning if error_code else "the provider gave no reason"
        facts = {"status": reached, "code": error_code, "remedy": found.remedy.value}
        note_message(tx, message, Decided.UNDELIVERED, at=now, reason=reason, facts=facts)
    if reached in UNDELIVERED and found.sends_again:
        await _send_again(tx, rules, message, found, now)


async def is_over(tx: UnitOfWork, message_id: str, provider_id: str) -> bool:
    """Whether that sending of the message has been reported to its end."""
    reports = await tx.all(Delivery, message_id=message_id, provider_id=provider_id)
    return any(is_final(report.status) for report in reports)


async def heed(
    tx: UnitOfWork, message: Message, error_code: str | None, now: datetime, *, retry_after: float | None = None
) -> Problem:
    """Do what a provider's error asks beyond its message, which is the caller's: to the number, and to our sender.

    `retry_after`: the seconds the provider wants to be left alone.
    """
    found = problem(error_code)
    if not error_code and retry_after is None:
        return found
    conversation = await tx.get(Conversation, message.conversation_id)
    if found.remedy in (Remedy.SUPPRESS, Remedy.MARK_INVALID):
        point = await tx.get(ContactPoint, conversation.contact_point_id)
        if found.remedy is Remedy.SUPPRESS and point.opted_out_at is None:
            point.opted_out_at = now
            await cancel_everything(tx, conversation, now=now)
        elif found.remedy is Remedy.MARK_INVALID:
            point.invalid_since = point.invalid_since or now
    if found.alerts:
        log.warning("the provider is unhappy with our sender", medium=conversation.medium.value, code=found.code)
        await senders.pause(tx, conversation.medium, found, now=now)
    if found.remedy is Remedy.BACK_OFF or retry_after is not None:
        wait = wait_before_retry(1, retry_after, spread=0)
        await senders.back_off(tx, conversation.medium, wait, now=now)
    return found


async def _send_again(tx: UnitOfWork, rules: Rules, message: Message, found: Problem, now: datetime) -> None:
    """Plan the one more sending that an undelivered message gets, where its error makes that worth while."""
    key = f"again:{message.id}"
    if await tx.one(Task, key=key) is not None:
        return
    at = now + (found.wait or _SENT_AGAIN_AFTER)
    if found.remedy is Remedy.RESCHEDULE:
        thread = await load_thread(tx, message.conversation_id)
        at = rules.contact.window.next_allowed(at, thread.zone())
    message.delivery, message.delivery_error, message.provider_id = "queued", found.code, None
    tx.add(
        Task(
            kind="send_message",
            payload={"message_id": message.id, "deferred": True},
            lock=f"later:{message.conversation_id}",
            key=key,
            due_at=at,
            created_at=now,
        )
    )
