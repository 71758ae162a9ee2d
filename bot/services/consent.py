"""Opting out and back in, and the one confirmation each gets."""

from __future__ import annotations

from datetime import datetime

from bot.core.cases import LIVE
from bot.core.check_in import Outcome, TraceEntry
from bot.core.delivery import WITHHELD
from bot.core.vocabulary import (
    AwaitedAnswer,
    CaseState,
    CheckInState,
    Decided,
    Direction,
    MessageKind,
    Purpose,
    Verdict,
)
from bot.services.conversing import DEFERRED, Thread, say
from bot.services.entities import Case, CheckIn, Consent, Conversation, Message, ServiceEvent, TimelineEntry
from bot.services.follow_up import OPTED_OUT, let_go
from bot.services.ports import UnitOfWork
from bot.services.promising import BOT
from bot.services.trace import note, note_message

_REASON = "the customer opted out"
_TELL_AGENT = "nothing leaves for them here any more; reach them another way"


async def withdraw(tx: UnitOfWork, thread: Thread, *, source: str, now: datetime) -> None:
    """Record the opt-out and cancel everything that was still to be sent, in this transaction."""
    thread.conversation.awaited = AwaitedAnswer.NOTHING
    if not await _stands(tx, thread):
        thread.contact_point.opted_out_at = thread.contact_point.opted_out_at or now
        tx.add(_consent(thread, granted=False, source=source, now=now))
    await cancel_everything(tx, thread.conversation, now=now)


async def cancel_everything(tx: UnitOfWork, conversation: Conversation, *, now: datetime) -> None:
    """Nothing that is planned for this address, or written and still with us, leaves any more; the trace says so."""
    stopped = (TraceEntry(now, "opt_out", Outcome.SKIP, _REASON),)
    await _cancel_check_ins(tx, conversation, stopped, now)
    waiting = await tx.all(
        Message,
        conversation_id=conversation.id,
        direction=Direction.OUT,
        delivery=("queued", DEFERRED),
        provider_id=None,
    )
    for message in waiting:
        if message.kind is not MessageKind.COMPLIANCE:
            message.delivery, message.delivery_error = WITHHELD, _REASON
            note_message(tx, message, Decided.WITHHELD, at=now, reason=_REASON, rules=stopped)
            # The confirmation must not wait behind what is not sent any more.
            await tx.tasks.cancel(f"send:{message.id}")
    for case in await tx.all(Case, conversation_id=conversation.id, state=(*LIVE, CaseState.RESOLVED)):
        if case.state is CaseState.RESOLVED:
            await let_go(tx, case, by=BOT, why=OPTED_OUT, now=now, outcome=Decided.CANCELLED)
        else:
            # The alarm at the desk stays; only the word to the customer is taken back.
            tx.add(TimelineEntry(case_id=case.id, at=now, who="customer", what="opted out", why=_TELL_AGENT))
            purpose, outcome = Purpose.PROGRESS, Decided.CANCELLED
            note(tx, conversation.id, purpose, outcome, at=now, reason=_REASON, rules=stopped, case_id=case.id)
    tx.changed("desk")


async def _cancel_check_ins(
    tx: UnitOfWork, conversation: Conversation, stopped: tuple[TraceEntry, ...], now: datetime
) -> None:
    planned = await tx.all(CheckIn, conversation_id=conversation.id, state=(CheckInState.PLANNED, CheckInState.SENT))
    for check_in in planned:
        await tx.tasks.cancel(f"check_in:{check_in.id}")
        await tx.tasks.cancel(f"silence:{check_in.id}")
        if check_in.state is CheckInState.PLANNED:
            check_in.state = CheckInState.SKIPPED
            note(
                tx,
                conversation.id,
                Purpose.CHECK_IN,
                Decided.CANCELLED,
                at=now,
                reason=_REASON,
                rules=stopped,
                check_in_id=check_in.id,
            )
        event = await tx.get(ServiceEvent, check_in.service_event_id)
        event.verdict = Verdict.OPTED_OUT


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


async def confirm(
    tx: UnitOfWork, thread: Thread, text: str, message: Message, *, purpose: Purpose, now: datetime
) -> None:
    """Answer a command: leaves whatever else holds back words in this conversation."""
    kind = MessageKind.COMPLIANCE
    await say(tx, thread.conversation, text, kind=kind, now=now, in_reply_to=message.id, purpose=purpose)


def _consent(thread: Thread, *, granted: bool, source: str, now: datetime) -> Consent:
    conversation = thread.conversation
    return Consent(
        customer_id=conversation.customer_id, medium=conversation.medium, granted=granted, source=source, at=now
    )
