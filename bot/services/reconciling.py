"""A message handed to a provider whose answer was lost: ask what became of it, and only then decide.

It is never sent again blindly. A status callback may settle it at any time; until then the provider's own list is
asked. Only a message that is still missing there after `SURE_AFTER` was never taken, and is sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from bot.core.delivery import advance
from bot.services.conversing import load_turn, sending_of
from bot.services.entities import Message, Task
from bot.services.inbound import heed
from bot.services.ports import SentMessage, UnitOfWork
from bot.services.workshop import Workshop

UNCONFIRMED = "unconfirmed"
"""The delivery of a message that was handed to the provider without an answer: it may have been sent."""
FIRST_LOOK = timedelta(seconds=20)
LOOK_AGAIN = timedelta(seconds=30)
SURE_AFTER = timedelta(minutes=2)
"""A provider lists what it took within seconds; this much later, what is not listed was not taken."""


def leave_open(tx: UnitOfWork, message: Message, reason: str, *, now: datetime) -> None:
    """Mark a message as perhaps sent, and plan to ask."""
    message.delivery, message.delivery_error = UNCONFIRMED, reason
    tx.add(
        Task(
            kind="reconcile",
            payload={"message_id": message.id},
            key=f"reconcile:{message.id}:{now.isoformat()}",
            due_at=now + FIRST_LOOK,
            created_at=now,
        )
    )
    tx.changed(f"conversation:{message.conversation_id}", "desk")


async def reconcile(shop: Workshop, task: Task) -> None:
    """Work off one `reconcile` task. Raises ChannelError when the provider cannot be asked: then it is asked later."""
    async with shop.store(read_only=True) as tx:
        message, thread = await load_turn(tx, task.payload["message_id"])
    taken: list[SentMessage] = []
    if message.delivery == UNCONFIRMED:
        channel = shop.channels[thread.conversation.medium]
        taken = await channel.reconcile(thread.contact_point.address, message.at)
    now = shop.clock()
    async with shop.store() as tx:
        message = await tx.get(Message, message.id)
        if message.delivery == UNCONFIRMED:
            found = await _found(tx, message, taken)
            if found is not None:
                await _adopt(tx, message, found, now)
            elif now - task.created_at < SURE_AFTER:
                await tx.tasks.retry(task, at=now + LOOK_AGAIN, error="the provider does not list it yet")
                return await tx.commit()
            else:
                await _send_after_all(tx, message, now)
        await tx.tasks.finish(task)
        await tx.commit()


async def _found(tx: UnitOfWork, message: Message, taken: Sequence[SentMessage]) -> SentMessage | None:
    """The provider's record of this message: the same words, and not known to be another message of ours."""
    for sent in taken:
        if sent.text.strip() == message.text.strip() and await tx.one(Message, provider_id=sent.provider_id) is None:
            return sent
    return None


async def _adopt(tx: UnitOfWork, message: Message, sent: SentMessage, now: datetime) -> None:
    message.provider_id = sent.provider_id
    message.delivery = advance(None, sent.status) or message.delivery
    message.delivery_error = sent.error_code
    await heed(tx, message, sent.error_code, now)
    tx.changed(f"conversation:{message.conversation_id}", "desk")


async def _send_after_all(tx: UnitOfWork, message: Message, now: datetime) -> None:
    """It never left: it goes through the outbox again, which asks anew whether it may."""
    message.delivery, message.delivery_error = "queued", None
    tx.add(sending_of(message, key=f"send:{message.id}:{now.isoformat()}", now=now))
    tx.changed(f"conversation:{message.conversation_id}", "desk")
