"""A customer's message arrives: it is stored once, numbered and queued in one transaction, and answered later."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from bot.core.errors import Conflict
from bot.core.vocabulary import Author, Direction, Medium, MessageKind, Owner
from bot.services.conversing import AFTER_RESTORE, aside, conversation_at, handling_key
from bot.services.entities import Conversation, Json, Message, Task
from bot.services.ports import UnitOfWork
from bot.services.workshop import Workshop


@dataclass(frozen=True, slots=True)
class Received:
    """One inbound text. `provider_id` or `client_id` makes its repetition recognisable.

    `doubtful_since`: it came after this moment, and may have been answered by what a restored backup does not know.
    """

    text: str
    provider_id: str | None = None
    client_id: str | None = None
    media: list[Json] = field(default_factory=list)
    doubtful_since: datetime | None = None


async def receive_sms(shop: Workshop, address: str, received: Received) -> Message:
    """Keep one SMS from `address`; the same `provider_id` again answers the message already kept."""
    try:
        async with shop.store() as tx:
            known = await tx.one(Message, provider_id=received.provider_id) if received.provider_id else None
            if known is not None:
                return known
            now = shop.clock()
            conversation = await conversation_at(tx, Medium.SMS, address, now)
            message = await _keep(tx, conversation, received, now)
            await tx.commit()
            return message
    except Conflict:
        return await _already(shop, received, provider_id=received.provider_id)


async def receive_webchat(shop: Workshop, conversation_id: str, received: Received) -> Message:
    """Keep one web chat message; the same `client_id` in the conversation answers the message already kept."""
    again = {"conversation_id": conversation_id, "client_id": received.client_id}
    try:
        async with shop.store() as tx:
            known = await tx.one(Message, **again) if received.client_id else None
            if known is not None:
                return known
            conversation = await tx.get(Conversation, conversation_id)
            message = await _keep(tx, conversation, received, shop.clock())
            if conversation.owner is Owner.BOT:
                # The bot begins to answer at once; of a person we only know it when they type.
                tx.changed(typing_topic(conversation.id))
            await tx.commit()
            return message
    except Conflict:
        return await _already(shop, received, **again)


def typing_topic(conversation_id: str) -> str:
    """Under which open chats hear that somebody begins to answer."""
    return f"typing:{conversation_id}"


async def _already(shop: Workshop, received: Received, **equal: str | None) -> Message:
    async with shop.store(read_only=True) as tx:
        # Without an identifier of its own, nothing that is kept can be told to be this message.
        message = await tx.one(Message, **equal) if all(equal.values()) else None
    if message is None:
        raise Conflict("two messages arrived at once; send this one again")
    return message


async def _keep(tx: UnitOfWork, conversation: Conversation, received: Received, now: datetime) -> Message:
    return kept_of(tx, conversation, received, await tx.conversations.next_position(conversation.id), now)


def kept_of(tx: UnitOfWork, conversation: Conversation, received: Received, position: int, now: datetime) -> Message:
    """The message that is kept of what was received, with the task that handles it, in this transaction."""
    message = Message(
        conversation_id=conversation.id,
        position=position,
        direction=Direction.IN,
        author=Author.CUSTOMER,
        kind=MessageKind.DIALOGUE,
        # NUL is the one character a PostgreSQL text cannot hold; everything else is kept as it came.
        text=received.text.replace("\x00", "\N{REPLACEMENT CHARACTER}"),
        media=received.media,
        at=now,
        provider_id=received.provider_id,
        client_id=received.client_id,
        delivery="received",
    )
    kind, payload = "handle_message", {"message_id": message.id}
    if received.doubtful_since is not None:
        kind, payload = AFTER_RESTORE, aside(kind, payload, received.doubtful_since)
    task = Task(
        kind=kind,
        payload=payload,
        lock=f"in:{conversation.id}",
        key=handling_key(message.id),
        due_at=now,
        created_at=now,
    )
    tx.add(message, task)
    tx.changed(f"conversation:{conversation.id}", "desk")
    return message
