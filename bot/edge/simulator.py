"""The page with the phone on it, and what it asks beyond the look-alike's own endpoints. Never in production."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any

from aiohttp import web
from pydantic import Field

from bot.core.vocabulary import CheckInState, Medium
from bot.edge.api.operation import answer, body_of
from bot.edge.api.requests import Body
from bot.edge.keys import LIVE, SETTINGS, SHOP
from bot.edge.live import ServerEvent, stream
from bot.edge.pages import render, sites
from bot.services import resources
from bot.services.entities import CheckIn, ContactPoint, Customer, Json, ServiceEvent, new_id
from bot.services.intake import FinishedService, ServedCustomer, receive_service_event
from bot.services.phones import e164
from bot.services.trace import traces_of
from bot.services.workshop import Workshop

PhoneNews = Callable[[str], Awaitable[tuple[str, Sequence[Json]]]]
"""Given a cursor (`""`: from now on), the new cursor and the messages that reached or left a phone, or whose status
changed, since; each as `GET /simulator/messages` shows it, oldest first."""

_LOOK_EVERY = 0.25
_MOST_PEOPLE = 100
_PATIENCE = 1.5


class Scenario(StrEnum):
    """What happened during the service."""

    ON_TIME = "on_time"
    LATE = "late"
    REMADE = "remade"

    def facts(self) -> Json:
        """What operations know of it."""
        match self:
            case Scenario.LATE:
                return {"promised_wait_minutes": 20, "wait_minutes": 55, "items": ["fish soup"], "staff": ["Deniz"]}
            case Scenario.REMADE:
                return {"promised_wait_minutes": 20, "wait_minutes": 25, "remade": True, "items": ["grilled mackerel"]}
            case _:
                return {"promised_wait_minutes": 20, "wait_minutes": 15, "items": ["fish soup"], "staff": ["Deniz"]}


class FinishedNow(Body):
    """A service that has just finished."""

    phone: Annotated[str, Field(max_length=64)]
    site: Annotated[str, Field(min_length=1, max_length=64)]
    scenario: Scenario = Scenario.ON_TIME
    channel: Medium = Medium.SMS


def add_simulator(app: web.Application, news: PhoneNews | None) -> None:
    """The page and its endpoints; call this before the look-alike's own application is mounted at /simulator."""
    app.router.add_get("/simulator", _page)
    app.router.add_get("/simulator/people", _people)
    app.router.add_post("/simulator/service-events", _finish)
    if news is not None:
        app.router.add_get("/simulator/events", _events(news))


async def _page(request: web.Request) -> web.Response:
    business = request.config_dict[SHOP].rules.business
    return render(request, "simulator.html", sites=await sites(request), business=business)


async def _people(request: web.Request) -> web.Response:
    shop = request.config_dict[SHOP]
    async with shop.store(read_only=True) as tx:
        points = await tx.all(ContactPoint, medium=Medium.SMS, limit=_MOST_PEOPLE)
        customers = {c.id: c for c in await tx.all(Customer, id=[point.customer_id for point in points])}
        events = await tx.all(ServiceEvent, customer_id=list(customers), order_by="finished_at")
    latest = {event.customer_id: event.site_id for event in events}
    people = [_person(point, customers[point.customer_id], latest) for point in points]
    return answer({"items": sorted(people, key=lambda person: (person["stranger"], person["name"])), "next": None})


def _person(point: ContactPoint, customer: Customer, latest: dict[str, str]) -> Json:
    return {
        "phone": point.address,
        "name": customer.name or "Someone unknown",
        "stranger": not customer.name,
        "language": customer.language or "",
        "site": latest.get(customer.id, ""),
        "time_zone": customer.time_zone or "",
        "external_id": customer.external_id,
        "unread": 0,
    }


async def _finish(request: web.Request) -> web.Response:
    shop, body = request.config_dict[SHOP], await body_of(request, FinishedNow)
    phone = e164(body.phone, zones=(), field="phone")
    event, _ = await receive_service_event(
        shop,
        FinishedService(
            external_id=f"simulated-{new_id()[:12]}",
            kind="restaurant_visit",
            site_id=body.site,
            service="lunch",
            finished_at=shop.clock(),
            customer=await _served(shop, phone),
            medium=body.channel,
            facts=body.scenario.facts(),
            delay=timedelta(0),
        ),
    )
    if request.config_dict[SETTINGS].worker:
        await _decided(shop, event.id)
    async with shop.store(read_only=True) as tx:
        return answer(await resources.service_event(tx, event.id), 201)


async def _served(shop: Workshop, phone: str) -> ServedCustomer:
    """The customer as they are known; a stranger is taken to have agreed to be written to."""
    async with shop.store(read_only=True) as tx:
        point = await tx.one(ContactPoint, medium=Medium.SMS, address=phone)
        customer = await tx.find(Customer, point.customer_id) if point else None
    if customer is None or not customer.external_id:
        agreed = {Medium.SMS: True, Medium.WEBCHAT: True}
        name = customer.name if customer else ""
        return ServedCustomer(external_id=f"simulated-{phone}", name=name or "Guest", phone=phone, consent=agreed)
    return ServedCustomer(
        external_id=customer.external_id,
        name=customer.name,
        phone=phone,
        language=customer.language,
        time_zone=customer.time_zone,
        preferences=tuple(customer.preferences),
    )


async def _decided(shop: Workshop, event_id: str) -> None:
    """Give the worker a moment, so that the page can say whether the customer was asked, and if not, why."""
    for _ in range(int(_PATIENCE / _LOOK_EVERY)):
        await asyncio.sleep(_LOOK_EVERY)
        async with shop.store(read_only=True) as tx:
            check_in = await tx.one(CheckIn, service_event_id=event_id)
            asked = check_in is not None and bool((await traces_of(tx, [check_in]))[check_in.id])
        if check_in is None or check_in.state is not CheckInState.PLANNED or asked:
            return


def _events(news: PhoneNews) -> Any:
    async def events(request: web.Request) -> web.StreamResponse:
        live, topic = request.config_dict[LIVE], f"simulator:{new_id()}"
        cursor, _ = await news("")

        async def look(_: frozenset[str]) -> Sequence[ServerEvent]:
            nonlocal cursor
            cursor, items = await news(cursor)
            return [ServerEvent("message", json.dumps(item, ensure_ascii=False), item["sid"]) for item in items]

        async def remind() -> None:
            # The look-alike keeps a book of its own and tells nobody; it is small, so we simply look often.
            while True:
                await asyncio.sleep(_LOOK_EVERY)
                live.notify(topic)

        reminder = asyncio.create_task(remind())
        try:
            return await stream(request, live, (topic,), look)
        finally:
            reminder.cancel()

    return events
