"""A customer's message arrives: it is stored once, numbered and queued in one transaction, and answered later."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from bot.core.delivery import Remedy, advance, problem
from bot.core.errors import Conflict
from bot.core.vocabulary import Author, Direction, Medium, MessageKind, Owner
from bot.services.conversing import conversation_at, handling_key
from bot.services.entities import ContactPoint, Conversation, Delivery, Json, Message, Task
from bot.services.ports import UnitOfWork
from bot.services.workshop import Workshop


@dataclass(frozen=True, slots=True)
class Received:
    """One inbound text. `provider_id` or `client_id` makes its repetition recognisable."""

    text: str
    provider_id: str | None = None
    client_id: str | None = None
    media: list[Json] = field(default_factory=list)


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
    message = Message(
        conversation_id=conversation.id,
        position=await tx.conversations.next_position(conversation.id),
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
    task = Task(
        kind="handle_message",
        payload={"message_id": message.id},
        lock=f"in:{conversation.id}",
        key=handling_key(message.id),
        due_at=now,
        created_at=now,
    )
    tx.add(message, task)
    tx.changed(f"conversation:{conversation.id}", "desk")
    return message


async def record_status(
    shop: Workshop, *, message_id: str | None, provider_id: str, status: str, error_code: str | None
) -> None:
    """Apply one delivery status, which only ever moves forward, and do what its error code asks for.

    A status for a message we do not know is ignored: the provider may report on what others sent.
    """
    async with shop.store() as tx:
        message = await tx.find(Message, message_id) if message_id else None
        message = message or await tx.one(Message, provider_id=provider_id)
        if message is None or message.direction is Direction.IN:
            return
        if await tx.one(Delivery, message_id=message.id, status=status) is None:
            tx.add(Delivery(message_id=message.id, status=status, error_code=error_code, at=shop.clock()))
        message.provider_id = message.provider_id or provider_id
        kept = advance(message.delivery, status)
        if kept != message.delivery:
            message.delivery = kept or message.delivery
            message.delivery_error = error_code or message.delivery_error
            tx.changed(f"conversation:{message.conversation_id}", "desk")
        await heed(tx, message, error_code, shop.clock())
        await tx.commit()


async def heed(tx: UnitOfWork, message: Message, error_code: str | None, now: datetime) -> None:
    """Do to the contact point what a provider's error code asks: suppress it, or mark it invalid."""
    if not error_code:
        return
    remedy = problem(error_code).remedy
    conversation = await tx.get(Conversation, message.conversation_id)
    point = await tx.get(ContactPoint, conversation.contact_point_id)
    if remedy is Remedy.SUPPRESS:
        point.opted_out_at = point.opted_out_at or now
    elif remedy is Remedy.MARK_INVALID:
        point.invalid_since = point.invalid_since or now
