"""The demo business: sites, people and two months of history, told into the store as the product would have kept it."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from argon2 import PasswordHasher

from bot.core.check_in import ContactPolicy
from bot.core.errors import Conflict, Unusable
from bot.core.vocabulary import Medium
from bot.services.conversing import conversation_at, known_zone
from bot.services.demo_story import DemoAgent, DemoBusiness, DemoCustomer, Visit, read_business
from bot.services.demo_telling import Telling
from bot.services.entities import Agent, AuditEntry, Consent, ContactPoint, Conversation, Customer, Site
from bot.services.ports import UnitOfWork
from bot.services.workshop import Workshop

_MARK = "demo loaded"
_STRIDE = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class DemoLoaded:
    """The demo's customers, and its logins (`email`, `password`, `role`) on the first load only: we keep hashes."""

    customers: tuple[dict[str, str], ...]
    desk: tuple[dict[str, str], ...] = ()


async def load_demo(shop: Workshop, folder: Path, passwords: Mapping[str, str] | None = None) -> DemoLoaded:
    """Load `folder/business.yml` in one transaction; a second time changes nothing.

    `passwords` by e-mail are used where given, others are made at random. Raises Unusable when the file is wrong or
    the store already knows somebody under the demo's names.
    """
    business = read_business(folder / "business.yml")
    customers = tuple(_introduced(customer) for customer in business.customers)
    if await _is_loaded(shop):
        return DemoLoaded(customers)
    desk = tuple(
        {"email": agent.email, "password": (passwords or {}).get(agent.email) or secrets.token_urlsafe(12)}
        | {"role": agent.role.value}
        for agent in business.agents
    )
    agents = {a.email: _agent(a, login["password"]) for a, login in zip(business.agents, desk, strict=True)}
    try:
        await _load(shop, business, agents)
    except Conflict as error:
        if await _is_loaded(shop):
            return DemoLoaded(customers)
        raise Unusable("the demo's customers, agents or orders are taken; load it into an empty database") from error
    return DemoLoaded(customers, desk)


async def _is_loaded(shop: Workshop) -> bool:
    async with shop.store(read_only=True) as tx:
        return await tx.one(AuditEntry, subject="demo", action=_MARK) is not None


async def _load(shop: Workshop, business: DemoBusiness, agents: Mapping[str, Agent]) -> None:
    now = shop.clock()
    async with shop.store() as tx:
        sites = {site.id: await _site(tx, site.model_dump()) for site in business.sites}
        tx.add(*agents.values())
        await tx.flush()
        known = {spec.external_id: await _customer(tx, spec, now) for spec in business.customers}
        visits = [
            (_finished_at(visit, sites[visit.site], known[visit.customer], now, shop.rules.contact), visit)
            for visit in business.visits
        ]
        for finished_at, visit in sorted(visits, key=lambda timed: timed[0]):
            customer = known[visit.customer]
            await Telling(
                tx=tx,
                shop=shop,
                visit=visit,
                opening=business.openings[customer.language or shop.rules.language],
                site=sites[visit.site],
                customer=customer,
                conversation=await _conversation(tx, customer, visit.channel, finished_at),
                agent=agents.get(visit.agent or ""),
                now=finished_at,
            ).tell()
        tx.add(AuditEntry(at=now, who="afterword", action=_MARK, subject="demo"))
        tx.changed("desk")
        await tx.commit()


async def _site(tx: UnitOfWork, spec: dict[str, object]) -> Site:
    """The site, as it is known already or else as the file has it."""
    site = await tx.find(Site, str(spec["id"]))
    if site is None:
        site = Site(**spec)  # type: ignore[arg-type]
        tx.add(site)
    return site


def _agent(spec: DemoAgent, password: str) -> Agent:
    return Agent(
        email=spec.email,
        name=spec.name,
        password_hash=PasswordHasher().hash(password),
        role=spec.role,
        site_id=spec.site,
        languages=list(spec.languages),
    )


async def _customer(tx: UnitOfWork, spec: DemoCustomer, now: datetime) -> Customer:
    since = now - timedelta(days=spec.since_days)
    customer = Customer(
        name=spec.name,
        external_id=spec.external_id,
        language=spec.language,
        time_zone=spec.time_zone,
        preferences=list(spec.preferences),
        created_at=since,
    )
    tx.add(customer)
    await tx.flush()
    medium = Medium.SMS if spec.phone else Medium.WEBCHAT
    tx.add(
        ContactPoint(customer_id=customer.id, medium=medium, address=spec.phone or f"customer:{customer.id}"),
        Consent(customer_id=customer.id, medium=medium, granted=True, source="booking form", at=since),
    )
    await tx.flush()
    return customer


async def _conversation(tx: UnitOfWork, customer: Customer, medium: Medium, at: datetime) -> Conversation:
    point = await tx.one(ContactPoint, customer_id=customer.id, medium=medium)
    if point is None:
        raise Unusable(f"customer {customer.external_id} cannot be reached by {medium}; give them a phone or not")
    return await conversation_at(tx, medium, point.address, at)


def _finished_at(visit: Visit, site: Site, customer: Customer, now: datetime, policy: ContactPolicy) -> datetime:
    """When it was: the latest moment not after the wanted one at which the site is open and may ask in good time.

    So the history holds whatever the hour and the day at which it is loaded.
    """
    hours, zone = site.opening_hours(), known_zone(customer.time_zone)
    assert zone is not None
    if visit.days_ago is not None and visit.at is not None:
        day = now.astimezone(hours.zone).date() - timedelta(days=visit.days_ago)
        moment, stride = datetime.combine(day, visit.at, tzinfo=hours.zone), timedelta(days=1)
    else:
        moment, stride = now - (visit.ago or timedelta(0)), _STRIDE
    for back in range(7 * 24 * 4):
        finished = moment - back * stride
        asked = finished + visit.asked_after
        if hours.is_open(finished) and (asked > now or policy.window.allows(asked, zone)):
            return finished
    raise Unusable(f"visit {visit.id}: {site.id} is never open then, or the customer may never be asked")


def _introduced(spec: DemoCustomer) -> dict[str, str]:
    return {
        "external_id": spec.external_id,
        "name": spec.name,
        "language": spec.language,
        "phone": spec.phone or "",
    }
