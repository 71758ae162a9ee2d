"""A message handed to a provider whose answer was lost: ask what became of it, and only then decide.

It is never sent again blindly. A status callback may settle it at any time; until then the provider's own list is
asked. Only a message that is still missing there after `Rules.listed_within` was never taken, and is sent. All of this
is the same task, so what was written after it waits, and the customer reads the thread in its order.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from bot.core.delivery import rank
from bot.core.errors import ChannelError
from bot.core.vocabulary import Decided
from bot.services.conversing import load_turn
from bot.services.delivering import apply_status
from bot.services.entities import Delivery, Message, Task
from bot.services.ports import SentMessage, UnitOfWork
from bot.services.trace import note_message
from bot.services.workshop import Workshop

UNCONFIRMED = "unconfirmed"
"""The delivery of a message that was handed to the provider without an answer: it may have been sent."""
_LOOKS = 6
"""How often the provider's list is looked at before what is not on it counts as never taken."""


async def leave_open(
    shop: Workshop,
    tx: UnitOfWork,
    task: Task,
    message: Message,
    reason: str,
    *,
    not_before: timedelta = timedelta(0),
) -> None:
    """Mark a message as perhaps sent, and come back to its task to ask, when the provider wants to be asked again.

    One that a status has already named was sent, whatever became of the answer.
    """
    now = shop.clock()
    if message.provider_id is not None:
        reports = await tx.all(Delivery, message_id=message.id, provider_id=message.provider_id)
        message.delivery = max((report.status for report in reports), key=rank, default=message.delivery)
        tx.changed(f"conversation:{message.conversation_id}", "desk")
        await tx.tasks.finish(task)
        return await tx.commit()
    message.delivery, message.delivery_error = UNCONFIRMED, reason
    look = now + max(shop.rules.listed_within / _LOOKS, not_before)
    note_message(tx, message, Decided.UNCONFIRMED, at=now, reason=reason, next_at=look)
    noted = await tx.one(Delivery, message_id=message.id, status=UNCONFIRMED)
    if noted is None:
        tx.add(Delivery(message_id=message.id, status=UNCONFIRMED, at=now))
    else:
        noted.at = now
    tx.changed(f"conversation:{message.conversation_id}", "desk")
    await tx.tasks.postpone(task, at=look)
    await tx.commit()


async def reconcile(shop: Workshop, task: Task, message_id: str) -> None:
    """Ask what became of an unconfirmed message: adopt what the provider lists, wait on, or send it after all."""
    async with shop.store(read_only=True) as tx:
        message, thread = await load_turn(tx, message_id)
    channel = shop.channels[thread.conversation.medium]
    try:
        taken = await channel.reconcile(thread.contact_point.address, message.at)
        asked = True
    except ChannelError:
        # Who cannot be asked has not said no: that counts as no look at the list.
        taken, asked = [], False
    now = shop.clock()
    async with shop.store() as tx:
        message = await tx.get(Message, message_id)
        if message.delivery != UNCONFIRMED:
            await tx.tasks.finish(task)
            return await tx.commit()
        found = await _found(tx, message, taken)
        if found is not None:
            # The provider took it: its status there is a report like any other.
            code = found.error_code
            facts, why = {"status": found.status, "code": code}, "the provider lists it: it was sent once"
            note_message(tx, message, Decided.FOUND, at=now, reason=why, facts=facts)
            await apply_status(tx, shop.rules, message, found.provider_id, found.status, code, now=now)
            await tx.tasks.finish(task)
        elif not asked or now - await _open_since(tx, message) < shop.rules.listed_within:
            await tx.tasks.postpone(task, at=now + shop.rules.listed_within / _LOOKS)
        else:
            # It never left. Its task begins anew, which asks again whether it may.
            message.delivery, message.delivery_error = "queued", None
            note_message(tx, message, Decided.RETRIED, at=now, reason="the provider never took it", next_at=now)
            tx.changed(f"conversation:{message.conversation_id}", "desk")
            await tx.tasks.retry(task, at=now, error="the provider never took it")
        await tx.commit()


async def _found(tx: UnitOfWork, message: Message, taken: Sequence[SentMessage]) -> SentMessage | None:
    """The provider's record of this message: the same words, and not known to be another message of ours."""
    for sent in taken:
        if sent.text.strip() == message.text.strip() and not await _is_known(tx, sent.provider_id):
            return sent
    return None


async def _is_known(tx: UnitOfWork, provider_id: str) -> bool:
    """Whether it is another message of ours, or an earlier sending of this one."""
    return (
        await tx.one(Message, provider_id=provider_id) is not None
        or await tx.one(Delivery, provider_id=provider_id) is not None
    )


async def _open_since(tx: UnitOfWork, message: Message) -> datetime:
    noted = await tx.one(Delivery, message_id=message.id, status=UNCONFIRMED)
    return noted.at if noted else message.at
