"""A service event arrives: who was served, where, what operations know, and the check-in it plans."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from bot.core.errors import Conflict, Refused
from bot.core.vocabulary import Decided, Medium, Purpose
from bot.services.conversing import UNKNOWN_CUSTOMER, add_contact_point, conversation_at
from bot.services.entities import (
    Case,
    CheckIn,
    Consent,
    ContactPoint,
    Conversation,
    Customer,
    Json,
    ServiceEvent,
    Site,
    Task,
)
from bot.services.ports import UnitOfWork
from bot.services.trace import note
from bot.services.workshop import Workshop


@dataclass(frozen=True, slots=True)
class ServedCustomer:
    """The customer as the business's own system knows them. `phone` is E.164; `consent` is by medium."""

    external_id: str | None = None
    name: str = ""
    phone: str | None = None
    language: str | None = None
    time_zone: str | None = None
    consent: dict[Medium, bool] = field(default_factory=dict)
    preferences: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FinishedService:
    """One finished service as it was reported to us. `delay` overrides when to ask."""

    external_id: str
    kind: str
    site_id: str
    service: str
    finished_at: datetime
    customer: ServedCustomer
    medium: Medium
    facts: Json = field(default_factory=dict)
    delay: timedelta | None = None

    def fingerprint(self) -> str:
        """Equal for equal reports, so that a repeated one is recognised and a contradicting one refused."""
        content = {name: getattr(self, name) for name in ("kind", "site_id", "service", "medium", "facts", "delay")}
        content["finished_at"] = self.finished_at.timestamp()
        content["customer"] = {name: getattr(self.customer, name) for name in self.customer.__slots__}
        return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


async def receive_service_event(shop: Workshop, report: FinishedService) -> tuple[ServiceEvent, bool]:
    """Record a finished service and plan its check-in; the event, and whether it is new.

    Raises Conflict when the same `external_id` came before with other content, Refused when the site is unknown or
    the customer cannot be told apart from others.
    """
    try:
        return await _record(shop, report)
    except Conflict:
        # Perhaps the same report arrived twice at once: then the first one stands and answers for both.
        async with shop.store(read_only=True) as tx:
            known = await tx.one(ServiceEvent, external_id=report.external_id)
        if known is None:
            return await _record(shop, report)
        return _same(known, report), False


async def _record(shop: Workshop, report: FinishedService) -> tuple[ServiceEvent, bool]:
    now = shop.clock()
    async with shop.store() as tx:
        known = await tx.one(ServiceEvent, external_id=report.external_id)
        if known is not None:
            return _same(known, report), False
        if await tx.find(Site, report.site_id) is None:
            sites = ", ".join(site.id for site in await tx.all(Site, order_by="id"))
            raise Refused(f"there is no site {report.site_id!r}; the sites are: {sites}", field="site")
        customer = await recognise(tx, report.customer, now)
        conversation = await _conversation_for(tx, customer, report)
        event = ServiceEvent(
            external_id=report.external_id,
            fingerprint=report.fingerprint(),
            kind=report.kind,
            site_id=report.site_id,
            service=report.service,
            finished_at=report.finished_at,
            customer_id=customer.id,
            medium=report.medium,
            facts=report.facts,
            created_at=now,
        )
        tx.add(event)
        await tx.flush()
        _plan_check_in(tx, event, conversation, report, shop.rules.check_in_delay, now)
        tx.changed("desk")
        await tx.commit()
        return event, True


def _plan_check_in(
    tx: UnitOfWork,
    event: ServiceEvent,
    conversation: Conversation,
    report: FinishedService,
    default_delay: timedelta,
    now: datetime,
) -> None:
    due_at = max(now, report.finished_at + (default_delay if report.delay is None else report.delay))
    check_in = CheckIn(service_event_id=event.id, conversation_id=conversation.id, due_at=due_at)
    purpose, reason = Purpose.CHECK_IN, "a service was reported"
    note(tx, conversation.id, purpose, Decided.PLANNED, at=now, reason=reason, next_at=due_at, check_in_id=check_in.id)
    tx.add(
        check_in,
        Task(
            kind="send_check_in",
            payload={"check_in_id": check_in.id},
            key=f"check_in:{check_in.id}",
            due_at=due_at,
            created_at=now,
        ),
    )


async def recognise(tx: UnitOfWork, served: ServedCustomer, now: datetime) -> Customer:
    """The customer this is, known by their own number in the business's system or by their phone; else a new one.

    What is reported now replaces what was known. A consent is added to the record whenever it is stated.
    """
    customer = await tx.one(Customer, external_id=served.external_id) if served.external_id else None
    point = await tx.one(ContactPoint, medium=Medium.SMS, address=served.phone) if served.phone else None
    if customer is None and point is not None:
        owner = await tx.get(Customer, point.customer_id)
        if owner.external_id is None or served.external_id in (None, owner.external_id):
            customer = owner
    if customer is None:
        customer = Customer(name=served.name, created_at=now)
        tx.add(customer)
    _update(customer, served)
    await tx.flush()
    if served.phone and point is None:
        await add_contact_point(tx, customer.id, Medium.SMS, served.phone)
    elif point is not None and point.customer_id != customer.id:
        await _adopt(tx, customer, await tx.get(Customer, point.customer_id))
    for medium, granted in served.consent.items():
        tx.add(Consent(customer_id=customer.id, medium=medium, granted=granted, source="service event", at=now))
    await tx.flush()
    return customer


async def _adopt(tx: UnitOfWork, customer: Customer, other: Customer) -> None:
    """Someone who wrote to us before we knew whose phone it was: their thread and their case become the customer's."""
    if other.external_id is not None or other.name != UNKNOWN_CUSTOMER:
        raise Refused("this phone number belongs to another customer; correct one of the two", field="customer.phone")
    kinds: tuple[type[Any], ...] = (ContactPoint, Conversation, Consent, Case)
    for kind in kinds:
        for theirs in await tx.all(kind, customer_id=other.id):
            theirs.customer_id = customer.id
    await tx.flush()
    await tx.delete(other)


def _update(customer: Customer, served: ServedCustomer) -> None:
    known: dict[str, Any] = {
        "external_id": served.external_id,
        "name": served.name,
        "language": served.language,
        "time_zone": served.time_zone,
        "preferences": list(served.preferences),
    }
    for name, value in known.items():
        if value:
            setattr(customer, name, value)


async def _conversation_for(tx: UnitOfWork, customer: Customer, report: FinishedService) -> Conversation:
    if report.medium is Medium.WEBCHAT:
        return await web_conversation(tx, customer, report.finished_at)
    if report.customer.phone:
        return await conversation_at(tx, Medium.SMS, report.customer.phone, report.finished_at)
    point = await tx.one(ContactPoint, customer_id=customer.id, medium=Medium.SMS)
    if point is None:
        raise Refused("an SMS check-in needs the customer's phone number", field="customer.phone")
    return await conversation_at(tx, Medium.SMS, point.address, report.finished_at)


async def web_conversation(tx: UnitOfWork, customer: Customer, now: datetime) -> Conversation:
    """The customer's own thread on the website, begun when there is none."""
    point = await tx.one(ContactPoint, customer_id=customer.id, medium=Medium.WEBCHAT)
    if point is None:
        point = await add_contact_point(tx, customer.id, Medium.WEBCHAT, f"customer:{customer.id}")
    return await conversation_at(tx, Medium.WEBCHAT, point.address, now)


def _same(known: ServiceEvent, report: FinishedService) -> ServiceEvent:
    if known.fingerprint != report.fingerprint():
        raise Conflict(f"{report.external_id!r} was reported before with other content; use a new external_id")
    return known
