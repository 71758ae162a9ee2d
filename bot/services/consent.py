"""Opting out and back in, and the one confirmation each gets."""

from __future__ import annotations

from datetime import datetime

from bot.core.vocabulary import AwaitedAnswer, CheckInState, MessageKind, Verdict
from bot.services.conversing import Thread, say
from bot.services.entities import CheckIn, Consent, Message, ServiceEvent
from bot.services.ports import UnitOfWork

_SKIPPED = {"rule": "opt_out", "outcome": "skip", "reason": "the customer opted out"}


async def withdraw(tx: UnitOfWork, thread: Thread, *, source: str, now: datetime) -> None:
    """Record the opt-out and cancel everything that was still to be sent, in this transaction."""
    thread.conversation.awaited = AwaitedAnswer.NOTHING
    if not await _stands(tx, thread):
        thread.contact_point.opted_out_at = thread.contact_point.opted_out_at or now
        tx.add(_consent(thread, granted=False, source=source, now=now))
    planned = await tx.all(
        CheckIn, conversation_id=thread.conversation.id, state=(CheckInState.PLANNED, CheckInState.SENT)
    )
    for check_in in planned:
        await tx.tasks.cancel(f"check_in:{check_in.id}")
        await tx.tasks.cancel(f"silence:{check_in.id}")
        if check_in.state is CheckInState.PLANNED:
            check_in.state = CheckInState.SKIPPED
            check_in.trace = [*check_in.trace, {"at": now.isoformat(), **_SKIPPED}]
        event = await tx.get(ServiceEvent, check_in.service_event_id)
        event.verdict = Verdict.OPTED_OUT
    tx.changed("desk")


async def withdrew(tx: UnitOfWork, thread: Thread, *, source: str) -> bool:
    """Whether the opt-out that stands was recorded for this `source`, perhaps by an earlier try that was cut off."""
    return await _stands(tx, thread, source=source)


async def restore(tx: UnitOfWork, thread: Thread, *, source: str, now: datetime) -> None:
    """Record that the customer wants to hear from us again."""
    thread.contact_point.opted_out_at = None
    await tx.seals.lift(thread.contact_point.medium.value, thread.contact_point.address)
    tx.add(_consent(thread, granted=True, source=source, now=now))


async def _stands(tx: UnitOfWork, thread: Thread, **equal: str) -> bool:
    """Whether the customer's own word for the present opt-out is on record; a provider's suppression has none."""
    since, customer_id = thread.contact_point.opted_out_at, thread.conversation.customer_id
    if since is None:
        return False
    return await tx.one(Consent, customer_id=customer_id, granted=False, at=since, **equal) is not None


async def confirm(tx: UnitOfWork, thread: Thread, text: str, message: Message, *, now: datetime) -> None:
    """Answer a command: leaves whatever else holds back words in this conversation."""
    await say(tx, thread.conversation, text, kind=MessageKind.COMPLIANCE, now=now, in_reply_to=message.id)


def _consent(thread: Thread, *, granted: bool, source: str, now: datetime) -> Consent:
    conversation = thread.conversation
    return Consent(
        customer_id=conversation.customer_id, medium=conversation.medium, granted=granted, source=source, at=now
    )
