"""The web chat: who opens which conversation, and what of it a visitor sees."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta

from bot.core.errors import Refused
from bot.core.vocabulary import Direction, Medium, Owner
from bot.services.agents import digest, open_visit
from bot.services.conversing import conversation_at
from bot.services.entities import Agent, Conversation, Customer, Json, Message, WebVisit, new_id
from bot.services.intake import web_conversation
from bot.services.ports import UnitOfWork
from bot.services.resources import instant
from bot.services.workshop import Workshop

TICKET_LASTS = timedelta(seconds=60)
"""How long a ticket for the live events can be used, once."""

# A web chat text has arrived as soon as the outbox has let it go: whoever listens reads it from the store.
_ARRIVED = frozenset({"sending", "sent", "delivered", "read"})
_ON_ITS_WAY = frozenset({"queued", "accepted"})


@dataclass(frozen=True, slots=True)
class Visit:
    """A visitor's token, shown this once, and the conversation it opens."""

    token: str
    conversation_id: str


async def open_session(shop: Workshop, *, language: str | None = None, customer: str | None = None) -> Visit:
    """A visitor's conversation: the customer's own when the site says who it is, else a new one with nobody known.

    Raises Refused when the business has never told us of this customer.
    """
    now = shop.clock()
    async with shop.store() as tx:
        if customer is None:
            conversation = await conversation_at(tx, Medium.WEBCHAT, f"visit:{new_id()}", now)
            conversation.language = language
        else:
            conversation = await web_conversation(tx, await _known(tx, customer), now)
        await tx.commit()
        conversation_id = conversation.id
    return Visit(await open_visit(shop, conversation_id), conversation_id)


async def _known(tx: UnitOfWork, external_id: str) -> Customer:
    customer = await tx.one(Customer, external_id=external_id)
    if customer is None:
        raise Refused("we know no customer with this external id; report a service event first", field="identity")
    return customer


async def known_customers(shop: Workshop, limit: int = 100) -> list[Customer]:
    """Customers the business has told us of by its own number, by name."""
    async with shop.store(read_only=True) as tx:
        everybody = await tx.all(Customer, order_by="name", limit=limit)
    return [customer for customer in everybody if customer.external_id and customer.name]


async def open_ticket(shop: Workshop, conversation_id: str) -> str:
    """A ticket for the live events, for clients that cannot send headers: good once, for a minute."""
    now, ticket = shop.clock(), secrets.token_urlsafe(24)
    async with shop.store() as tx:
        tx.add(
            WebVisit(
                token_hash=_ticket_hash(ticket),
                conversation_id=conversation_id,
                created_at=now,
                expires_at=now + TICKET_LASTS,
            )
        )
        await tx.commit()
    return ticket


async def use_ticket(shop: Workshop, ticket: str) -> str | None:
    """The conversation this ticket opens; None when it is unknown, expired or used."""
    async with shop.store() as tx:
        visit = await tx.find(WebVisit, _ticket_hash(ticket))
        if visit is None:
            return None
        await tx.delete(visit)
        await tx.commit()
        return visit.conversation_id if visit.expires_at > shop.clock() else None


def _ticket_hash(ticket: str) -> str:
    # Tickets and tokens lie in one table; hashed apart, one is never taken for the other.
    return digest(f"ticket:{ticket}")


async def thread(shop: Workshop, conversation_id: str, after: str | None = None) -> list[Json]:
    """What the visitor sees, oldest first: their own messages and those of ours that have left.

    Words withheld, failed or waiting for the morning are not there. While a message of ours is on its way, those
    numbered after it wait, so that "everything after this one" never skips a message. Raises Refused when `after` is
    not in the conversation.
    """
    async with shop.store(read_only=True) as tx:
        messages = await tx.all(Message, conversation_id=conversation_id, order_by="position")
    begin = 0
    if after is not None:
        begin = next((message.position for message in messages if message.id == after), -1)
        if begin < 0:
            raise Refused("there is no such message in this conversation", field="after")
    seen: list[Json] = []
    for message in messages:
        if message.direction is Direction.OUT and message.delivery in _ON_ITS_WAY:
            break
        if message.position > begin and (message.direction is Direction.IN or message.delivery in _ARRIVED):
            seen.append(_as_seen(message, shop.rules.business))
    return seen


def _as_seen(message: Message, business: str) -> Json:
    ours = message.direction is Direction.OUT
    view: Json = {
        "id": message.id,
        "author": message.author.value,
        "name": (message.author_name or business) if ours else None,
        "text": message.text,
        "at": instant(message.at),
    }
    return view if ours else {**view, "client_id": message.client_id}


async def owner(shop: Workshop, conversation_id: str) -> Json:
    """Who speaks for the business now, and under which name."""
    async with shop.store(read_only=True) as tx:
        conversation = await tx.get(Conversation, conversation_id)
        agent = await tx.find(Agent, conversation.agent_id) if conversation.agent_id else None
    if conversation.owner is Owner.AGENT:
        return {"owner": Owner.AGENT.value, "name": agent.name if agent else None}
    return {"owner": Owner.BOT.value, "name": shop.rules.business}
