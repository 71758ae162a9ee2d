"""A message handed to a provider whose answer was lost: ask what became of it, and only then decide.

It is never sent again blindly. A status callback may settle it at any time; until then the provider's own list is
asked. Only a message that is still missing there after `Rules.listed_within` was never taken, and is sent. All of this
is the same task, so what was written after it waits, and the customer reads the thread in its order.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bot.core.delivery import advance
from bot.core.errors import ChannelError
from bot.core.vocabulary import Decided
from bot.services.conversing import load_turn
from bot.services.entities import Delivery, Message, Task
from bot.services.inbound import heed
from bot.services.ports import SentMessage, UnitOfWork
from bot.services.trace import note_message
from bot.services.workshop import Workshop

UNCONFIRMED = "unconfirmed"
"""The delivery of a message that was handed to the provider without an answer: it may have been sent."""
_LOOKS = 6
"""How often the provider's list is looked at before what is not on it counts as never taken."""


async def leave_open(shop: Workshop, tx: UnitOfWork, task: Task, message: Message, reason: str) -> None:
    """Mark a message as perhaps sent, and come back to its task to ask."""
    now = shop.clock()
    message.delivery, message.delivery_error = UNCONFIRMED, reason
    look = now + shop.rules.listed_within / _LOOKS
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
            await _adopt(tx, message, found, now)
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
        if sent.text.strip() == message.text.strip() and await tx.one(Message, provider_id=sent.provider_id) is None:
            return sent
    return None


async def _open_since(tx: UnitOfWork, message: Message) -> datetime:
    noted = await tx.one(Delivery, message_id=message.id, status=UNCONFIRMED)
    return noted.at if noted else message.at


async def _adopt(tx: UnitOfWork, message: Message, sent: SentMessage, now: datetime) -> None:
    message.provider_id = sent.provider_id
    message.delivery = advance(None, sent.status) or message.delivery
    message.delivery_error = sent.error_code
    facts = {"status": sent.status, "code": sent.error_code}
    note_message(tx, message, Decided.FOUND, at=now, reason="the provider lists it: it was sent once", facts=facts)
    await heed(tx, message, sent.error_code, now)
    tx.changed(f"conversation:{message.conversation_id}", "desk")
