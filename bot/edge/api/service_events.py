"""Service events: what was done for whom, and what became of it."""

from __future__ import annotations

from datetime import timedelta

from aiohttp import web

from bot.edge.api.answers import ServiceEventView
from bot.edge.api.operation import Answer, Operation, Parameter, answer, body_of
from bot.edge.api.requests import NewServiceEvent, ReportedCustomer
from bot.edge.keys import METRICS, SHOP
from bot.services import resources
from bot.services.entities import Site
from bot.services.intake import FinishedService, ServedCustomer, receive_service_event
from bot.services.phones import e164
from bot.services.workshop import Workshop


async def report_service_event(request: web.Request) -> web.Response:
    """201 for a new event, 200 for one reported before with the same content."""
    shop, body = request.config_dict[SHOP], await body_of(request, NewServiceEvent)
    event, new = await receive_service_event(shop, await _report(shop, body))
    request.config_dict[METRICS].service_events.labels("new" if new else "repeated").inc()
    async with shop.store(read_only=True) as tx:
        return answer(await resources.service_event(tx, event.id), 201 if new else 200)


async def get_service_event(request: web.Request) -> web.Response:
    """By our id or the business's own."""
    async with request.config_dict[SHOP].store(read_only=True) as tx:
        return answer(await resources.service_event(tx, request.match_info["id"]))


async def _report(shop: Workshop, body: NewServiceEvent) -> FinishedService:
    delay = body.check_in.delay_minutes
    return FinishedService(
        external_id=body.external_id,
        kind=body.kind,
        site_id=body.site,
        service=body.service,
        finished_at=body.finished_at,
        customer=await _customer(shop, body.customer, body.site),
        medium=body.channel,
        facts=body.facts.model_dump(mode="json", exclude_unset=True),
        delay=None if delay is None else timedelta(minutes=delay),
    )


async def _customer(shop: Workshop, told: ReportedCustomer, site_id: str) -> ServedCustomer:
    phone = None
    if told.phone:
        async with shop.store(read_only=True) as tx:
            site = await tx.find(Site, site_id)
        phone = e164(told.phone, zones=(told.time_zone, site.zone if site else None), field="customer.phone")
    return ServedCustomer(
        external_id=told.external_id,
        name=told.name,
        phone=phone,
        language=told.language,
        time_zone=told.time_zone,
        consent=told.consent.by_medium(),
        preferences=tuple(told.preferences),
    )


OPERATIONS = (
    Operation(
        "POST",
        "/service-events",
        report_service_event,
        "Report a finished service",
        "Plans a check-in with the customer. Reporting the same `external_id` with the same content again answers the "
        "event already kept; with other content it is refused.",
        "Service events",
        takes=(NewServiceEvent,),
        answers=(
            Answer(201, "The event is recorded and its check-in planned.", ServiceEventView),
            Answer(200, "The same event was reported before.", ServiceEventView),
        ),
        refuses=(409,),
    ),
    Operation(
        "GET",
        "/service-events/{id}",
        get_service_event,
        "Read a service event",
        "With its check-in, the trace of why it was or was not asked, and where it stands in the silence ledger.",
        "Service events",
        parameters=(Parameter("id", "path", "Our id of the event, or your own `external_id`.", {"type": "string"}),),
        answers=(Answer(200, "The event.", ServiceEventView),),
        refuses=(404,),
    ),
)
