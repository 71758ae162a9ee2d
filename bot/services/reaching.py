"""What is known about writing to a customer first: where they may be, what they agreed to, who reached out before."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import phonenumbers
from phonenumbers import timezone

from bot.core.cases import LIVE
from bot.core.check_in import ContactDecision, Reach, candidate_zones, clocks, decide_contact
from bot.core.vocabulary import Author, Medium, Owner, Purpose
from bot.services.conversing import Thread, known_zone
from bot.services.entities import Case, Consent, ContactPoint, Conversation, Json, Message, Site
from bot.services.ports import UnitOfWork
from bot.services.workshop import Workshop

_SOMEWHERE = ZoneInfo("UTC")


async def decide(
    tx: UnitOfWork, shop: Workshop, thread: Thread, purpose: Purpose, *, occasion: datetime, now: datetime
) -> tuple[ContactDecision, Json]:
    """Whether to write first for this purpose, and the facts it was decided on.

    `occasion` is when the service ended, the fix was made, or the promised answer was due.
    """
    policy = shop.rules.contact
    conversations = await tx.all(Conversation, customer_id=thread.customer.id)
    if all(one.id != thread.conversation.id for one in conversations):
        conversations.append(thread.conversation)
    ids = tuple(one.id for one in conversations)
    recent = await tx.conversations.first_messages(ids, now - policy.cap_window)
    reach = Reach(
        medium=thread.conversation.medium,
        has_address=thread.contact_point.invalid_since is None,
        consented=await _consented(tx, thread),
        opted_out=thread.contact_point.opted_out_at is not None,
        zones=await zones_of(tx, shop, thread, now),
        recent_contacts=tuple(recent),
        busy=purpose is Purpose.CHECK_IN and await _talking(tx, conversations),
        contacted_at=await _contacted_at(tx, ids, recent, purpose, occasion),
    )
    decision = decide_contact(reach, finished_at=occasion, now=now, policy=policy, purpose=purpose)
    return decision, _facts(shop, thread, reach, now)


async def zones_of(tx: UnitOfWork, shop: Workshop, thread: Thread, now: datetime) -> tuple[ZoneInfo, ...]:
    """The customer's recorded zone; else those their numbers and the place they were served may lie in.

    Somebody we never served is near one of our sites. A number tells the same on whichever channel we write.
    """
    recorded = known_zone(thread.customer.time_zone)
    if recorded is not None:
        return (recorded,)
    sites = [thread.site] if thread.site else await tx.all(Site, order_by="id")
    near = [zone for site in sites if (zone := known_zone(site.zone)) is not None] or [_SOMEWHERE]
    phones = await tx.all(ContactPoint, customer_id=thread.customer.id, medium=Medium.SMS)
    of_number = [zone for phone in phones for zone in _zones_of_number(phone.address)]
    return candidate_zones(None, near, of_number, now, shop.rules.contact.window)


def _zones_of_number(address: str) -> list[ZoneInfo]:
    try:
        named = timezone.time_zones_for_number(phonenumbers.parse(address))
    except phonenumbers.NumberParseException:
        return []
    return [zone for name in named if name != timezone.UNKNOWN_TIMEZONE and (zone := known_zone(name)) is not None]


async def _consented(tx: UnitOfWork, thread: Thread) -> bool:
    medium, customer_id = thread.conversation.medium, thread.customer.id
    words = await tx.all(Consent, order_by="at", customer_id=customer_id, medium=medium)
    return bool(words and words[-1].granted)


async def _talking(tx: UnitOfWork, conversations: list[Conversation]) -> bool:
    """Whether a person has this customer in hand, on whichever channel."""
    if any(one.owner is Owner.AGENT for one in conversations):
        return True
    return await tx.one(Case, conversation_id=tuple(one.id for one in conversations), state=LIVE) is not None


async def _contacted_at(
    tx: UnitOfWork, ids: tuple[str, ...], recent: list[datetime], purpose: Purpose, occasion: datetime
) -> datetime | None:
    """When we last reached out to them, a person of ours included; for a follow-up, since the fix it asks about."""
    if purpose is Purpose.FOLLOW_UP:
        return max((at for at in recent if at > occasion), default=None)
    said = await tx.all(Message, conversation_id=ids, author=Author.AGENT, order_by="at", descending=True, limit=1)
    return max((*recent, *(message.at for message in said)), default=None)


def _facts(shop: Workshop, thread: Thread, reach: Reach, now: datetime) -> Json:
    window = shop.rules.contact.window
    return {
        "channel": reach.medium.value,
        "language": thread.language(shop.rules),
        "consented": reach.consented,
        "local_time": clocks(reach.zones, now).removeprefix("it is "),
        "zones": [zone.key for zone in reach.zones],
        "window": f"{window.opens:%H:%M}-{window.closes:%H:%M}",
        "first_messages": sum(at > now - shop.rules.contact.cap_window for at in reach.recent_contacts),
        "cap": shop.rules.contact.cap,
    }
