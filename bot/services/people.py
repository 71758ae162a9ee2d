"""What a person may ask for: everything we hold about them, and that it be gone (GDPR, articles 15, 17 and 20)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

from bot.core.errors import Conflict, NotFound, Refused
from bot.core.vocabulary import Medium
from bot.services.entities import AuditEntry, ContactPoint, Customer, Json, Seal
from bot.services.ports import Erased, Held, Store, UnitOfWork

EXTERNAL, CUSTOMER = "external", "customer"
"""The kinds of marks besides the media: the business's own number of a customer, and ours."""
_TRIES = 8
# Hashes of tokens say nothing to anybody, and nobody should carry them around.
_KEPT_BACK = {"token_hash"}


async def find_customer(tx: UnitOfWork, written: str, phones: Collection[str] = ()) -> Customer:
    """The customer with this id, external id or one of these phone numbers (E.164).

    Raises NotFound, saying when they were erased if they were; Refused when it could be several people.
    """
    points = await tx.all(ContactPoint, medium=Medium.SMS, address=tuple(phones)) if phones else []
    found = {
        customer.id: customer
        for customer in (
            await tx.find(Customer, written),
            await tx.one(Customer, external_id=written),
            *[await tx.get(Customer, point.customer_id) for point in points],
        )
        if customer is not None
    }
    if len(found) > 1:
        raise Refused("this could be several customers; say which by id: " + ", ".join(sorted(found)))
    if not found:
        raise NotFound(await _why_nobody(tx, written, phones))
    return found.popitem()[1]


async def _why_nobody(tx: UnitOfWork, written: str, phones: Collection[str]) -> str:
    names = [(CUSTOMER, written), (EXTERNAL, written), *((Medium.SMS.value, phone) for phone in phones)]
    for kind, value in names:
        seal = await tx.seals.find(kind, value)
        if seal is not None and seal.erased_at is not None:
            return f"this customer was erased on {seal.erased_at:%Y-%m-%d %H:%M} UTC; only a keyed hash of them is left"
    return "nobody here has this phone number, external id or customer id"


async def held_about(tx: UnitOfWork, customer: Customer) -> tuple[Json, frozenset[str]]:
    """Everything the store holds about a customer, as JSON; and the conversations whose memory Rasa has."""
    held: Held = await tx.people.held(customer.id)
    rows = {name: [_readable(row) for row in found] for name, found in held.rows.items()}
    return rows, held.conversations


def _readable(row: Mapping[str, Any]) -> Json:
    return {name: _plain(value) for name, value in row.items() if name not in _KEPT_BACK}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, Enum):
        return value.value
    return str(value) if isinstance(value, Decimal) else value


async def erase(
    store: Store, customer_id: str, *, conversations: frozenset[str], by: str, now: datetime
) -> tuple[Erased, list[Seal]]:
    """Erase a customer in one transaction; what went, and the marks that stay.

    `conversations` are those that Rasa has forgotten already. Raises Conflict when there is another one by now: then
    it has to be forgotten first. Raises NotFound when there is no such customer, Refused when marks cannot be made.
    """
    for _ in range(_TRIES - 1):
        try:
            return await _erase_once(store, customer_id, conversations, by, now)
        except _Grown:
            raise
        except Conflict:
            # A turn of the bot or an agent was at it in the same moment: now it is over.
            continue
    return await _erase_once(store, customer_id, conversations, by, now)


class _Grown(Conflict):
    """The customer has a conversation by now that Rasa has not forgotten."""


async def _erase_once(
    store: Store, customer_id: str, conversations: frozenset[str], by: str, now: datetime
) -> tuple[Erased, list[Seal]]:
    async with store() as tx:
        customer = await tx.get(Customer, customer_id)
        erased, seals = await erase_in(tx, customer, now=now)
        if not erased.conversations <= conversations:
            raise _Grown("another conversation of this customer began meanwhile; erase again")
        tx.add(AuditEntry(at=now, who=by, action="erased", subject="erased", detail={"rows": dict(erased.rows)}))
        tx.changed("desk")
        await tx.commit()
        return erased, seals


async def erase_in(tx: UnitOfWork, customer: Customer, *, now: datetime) -> tuple[Erased, list[Seal]]:
    """Erase inside a transaction that is already open; an opt-out stays, as a mark."""
    points = await tx.all(ContactPoint, customer_id=customer.id, medium=Medium.SMS)
    seals = [await tx.seals.keep(CUSTOMER, customer.id, erased_at=now)]
    if customer.external_id:
        seals.append(await tx.seals.keep(EXTERNAL, customer.external_id, erased_at=now))
    for point in points:
        kept = await tx.seals.keep(point.medium.value, point.address, erased_at=now, opted_out_at=point.opted_out_at)
        seals.append(kept)
    return await tx.people.erase(customer.id), seals


async def erase_again(tx: UnitOfWork, *, since: datetime, now: datetime) -> list[Erased]:
    """In a store that was restored as it was `since`: erase whoever was erased after that."""
    marks = {seal.mark for seal in await tx.seals.all() if seal.erased_at and seal.erased_at > since}
    if not marks:
        return []
    customers, points = await tx.all(Customer), await tx.all(ContactPoint, medium=Medium.SMS)
    named = [(one.id, CUSTOMER, one.id) for one in customers]
    named += [(one.id, EXTERNAL, one.external_id) for one in customers if one.external_id]
    named += [(one.customer_id, Medium.SMS.value, one.address) for one in points]
    again = {id for id, kind, value in named if tx.seals.mark(kind, value) in marks}
    return [(await erase_in(tx, await tx.get(Customer, id), now=now))[0] for id in sorted(again)]


async def suppress_again(tx: UnitOfWork) -> int:
    """In a store that was restored: whoever has opted out by the marks is not written to; how many that concerns."""
    since = {seal.mark: seal.opted_out_at for seal in await tx.seals.all() if seal.opted_out_at}
    reachable = await tx.all(ContactPoint, medium=Medium.SMS, opted_out_at=None) if since else []
    concerned = [point for point in reachable if tx.seals.mark(point.medium.value, point.address) in since]
    for point in concerned:
        point.opted_out_at = since[tx.seals.mark(point.medium.value, point.address)]
    return len(concerned)
