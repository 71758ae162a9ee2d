"""What several use cases do with a conversation: find it, write into it, name its language and its times."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import Locale, UnknownLocaleError
from babel.dates import format_datetime

from bot.core.errors import Conflict
from bot.core.vocabulary import Author, Direction, Medium, MessageKind, Owner, Purpose
from bot.services.entities import (
    CheckIn,
    ContactPoint,
    Conversation,
    Customer,
    Json,
    Message,
    ServiceEvent,
    Site,
    Task,
    new_id,
)
from bot.services.ports import UnitOfWork
from bot.services.workshop import Rules

SENDING = "sending"
"""The delivery of a message that is being handed to its channel: found so later, it may have left already."""
DEFERRED = "scheduled"
"""The delivery of a message that waits for the end of the customer's quiet hours; others may leave before it."""
UNKNOWN_CUSTOMER = ""
"""The name of a customer nobody has told us; pages show the contact point instead."""


@dataclass(frozen=True, slots=True)
class Thread:
    """A conversation with the people and the service it is about."""

    conversation: Conversation
    customer: Customer
    contact_point: ContactPoint
    check_in: CheckIn | None
    event: ServiceEvent | None
    site: Site | None

    def language(self, rules: Rules) -> str:
        """The language to write in: the conversation's, else the customer's, as far as there are words in it."""
        return rules.spoken_nearest(self.conversation.language or self.customer.language)

    def zone(self) -> ZoneInfo:
        """The clock to tell times by: the customer's, else the site's, else UTC."""
        return (
            known_zone(self.customer.time_zone) or known_zone(self.site.zone if self.site else None) or ZoneInfo("UTC")
        )


def known_zone(name: str | None) -> ZoneInfo | None:
    """The zone of that IANA name, or None when there is none."""
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError):
        return None


AFTER_RESTORE = "after_restore"
"""The kind of a task that is done only if nothing was sent since a backup that was restored (`restored`)."""


def aside(kind: str, payload: Json, since: datetime) -> Json:
    """The payload of a task that was put aside, with what it was."""
    return {"kind": kind, "payload": payload, "since": since.isoformat()}


async def load_thread(tx: UnitOfWork, conversation_id: str) -> Thread:
    """Everything a turn needs to know about a conversation. Raises NotFound."""
    return Thread(*await tx.conversations.parts(conversation_id))


async def load_turn(tx: UnitOfWork, message_id: str, *, hold: bool = False) -> tuple[Message, Thread]:
    """A message, and everything a turn needs to know about its conversation. Raises NotFound.

    `hold`: whoever wants to take the conversation over waits until this transaction has ended.
    """
    message, parts = await tx.conversations.parts_around(message_id, hold=hold)
    return message, Thread(*parts)


async def conversation_at(tx: UnitOfWork, medium: Medium, address: str, now: datetime) -> Conversation:
    """The one conversation with an address, begun (with a customer nobody knows yet) when there is none."""
    return (await conversations_at(tx, medium, [address], now))[address]


async def conversations_at(
    tx: UnitOfWork, medium: Medium, addresses: Sequence[str], now: datetime
) -> dict[str, Conversation]:
    """The one conversation with each address, as `conversation_at` finds or begins it."""
    wanted = list(dict.fromkeys(addresses))
    points = {point.address: point for point in await tx.all(ContactPoint, medium=medium, address=wanted)}
    strangers = {
        address: Customer(name=UNKNOWN_CUSTOMER, created_at=now) for address in wanted if address not in points
    }
    if strangers:
        tx.add(*strangers.values())
        await tx.flush()
        points |= {at: await _point_of(tx, who.id, medium, at) for at, who in strangers.items()}
        await tx.flush()
    known = await tx.all(Conversation, contact_point_id=[point.id for point in points.values()])
    conversations = {conversation.contact_point_id: conversation for conversation in known}
    begun = {
        point.id: Conversation(customer_id=point.customer_id, contact_point_id=point.id, medium=medium, created_at=now)
        for point in points.values()
        if point.id not in conversations
    }
    if begun:
        tx.add(*begun.values())
        await tx.flush()
    return {address: (conversations | begun)[points[address].id] for address in wanted}


async def add_contact_point(tx: UnitOfWork, customer_id: str, medium: Medium, address: str) -> ContactPoint:
    """A new address of a customer. Somebody who opted out and was erased since is still not written to."""
    point = await _point_of(tx, customer_id, medium, address)
    await tx.flush()
    return point


async def _point_of(tx: UnitOfWork, customer_id: str, medium: Medium, address: str) -> ContactPoint:
    seal = await tx.seals.find(medium.value, address)
    opted_out_at = seal.opted_out_at if seal else None
    point = ContactPoint(customer_id=customer_id, medium=medium, address=address, opted_out_at=opted_out_at)
    tx.add(point)
    return point


def handling_key(message_id: str) -> str:
    """The key of the task that answers a message."""
    return f"handle:{message_id}"


async def refuse_if_answered(tx: UnitOfWork, message_id: str) -> None:
    """The last thing before a turn's action commits. Raises Conflict when its message was answered meanwhile.

    A turn may outlive whoever waited for it: its server hung, the same message was taken up by another one, the
    conversation went on. What such a turn still wants to change is out of date.
    """
    if await tx.tasks.is_settled(handling_key(message_id)):
        raise Conflict("this message was answered already, so a turn that comes later changes nothing")


async def say(
    tx: UnitOfWork,
    conversation: Conversation,
    text: str,
    *,
    kind: MessageKind,
    now: datetime,
    author: Author = Author.BOT,
    author_name: str = "",
    in_reply_to: str | None = None,
    purpose: Purpose | None = None,
) -> Message:
    """Write one outbound message into the thread and put it into the outbox, in this transaction.

    Words of the bot are bound to the conversation's present version: they are withheld if it has moved on by then.
    `purpose` is what the trace calls it; without one, its kind tells.
    """
    message = Message(
        id=new_id(),
        conversation_id=conversation.id,
        position=await tx.conversations.next_position(conversation.id),
        direction=Direction.OUT,
        author=author,
        author_name=author_name,
        kind=kind,
        text=_without_gaps(text) if author is Author.BOT else text,
        at=now,
        delivery="queued",
        expected_version=conversation.version if author is Author.BOT else None,
        in_reply_to=in_reply_to,
        purpose=purpose,
    )
    begun = await tx.begin(sending_of(message, key=f"send:{message.id}", now=now))
    if begun and conversation.medium is not Medium.WEBCHAT:
        # What is marked so in a web chat can be read there: only the gate may do that.
        message.delivery = SENDING
    tx.add(message)
    tx.changed(f"conversation:{conversation.id}", "desk")
    return message


def sending_of(message: Message, *, key: str, now: datetime) -> Task:
    """The task that sends a message, after those before it in its conversation."""
    return Task(
        kind="send_message",
        payload={"message_id": message.id},
        lock=f"out:{message.conversation_id}",
        key=key,
        due_at=now,
        created_at=now,
    )


def _without_gaps(text: str) -> str:
    """A name or a detail that nobody knows leaves no hole: "Hi , how was lunch" becomes "Hi, how was lunch"."""
    return re.sub(r"[ \t]+([,.;:!?،؛])", r"\1", text).strip().lstrip(",،").strip()


async def with_a_person(tx: UnitOfWork, customer_id: str) -> bool:
    """Whether a person is talking with this customer, in whichever of their conversations."""
    return await tx.one(Conversation, customer_id=customer_id, owner=Owner.AGENT) is not None


async def move_owner(tx: UnitOfWork, conversation: Conversation, owner: Owner, agent_id: str | None = None) -> bool:
    """Move ownership from the version this transaction has read; False when someone was faster."""
    version = await tx.conversations.move_owner(
        conversation.id, expected_version=conversation.version, owner=owner, agent_id=agent_id
    )
    tx.changed(f"conversation:{conversation.id}", "desk")
    return version is not None


def clock_words(at: datetime, *, now: datetime, zone: ZoneInfo, language: str) -> str:
    """A time as one says it in a message: "14:30" today, "Monday 09:00" within a week, else with the date."""
    local, today = at.astimezone(zone), now.astimezone(zone).date()
    if local.date() == today:
        return f"{local:%H:%M}"
    pattern = "EEEE HH:mm" if local.date() - today < timedelta(days=7) else "d MMMM HH:mm"
    return format_datetime(local, pattern, locale=_locale(language))


def _locale(language: str) -> Locale:
    for candidate in (language, language.split("-")[0], "en"):
        try:
            return Locale.parse(candidate, sep="-")
        except (UnknownLocaleError, ValueError):
            continue
    return Locale("en")
