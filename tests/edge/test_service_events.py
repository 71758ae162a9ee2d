"""Service events: lenient where people write, exact where a mistake would be kept, safe to send again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bot.core.vocabulary import Medium
from bot.edge.api.answers import ServiceEventView
from bot.services.entities import Consent, ContactPoint, Customer, ServiceEvent
from bot.services.workshop import Workshop
from tests.edge.conftest import Edge, on_sqlite
from tests.edge.samples import GONE, LUNCH, lunch

EVENTS = "/api/v1/service-events"


@on_sqlite
async def test_a_reported_service_is_recorded_and_a_check_in_planned(api: Edge) -> None:
    """The answer has the shape that the API promises, field by field."""
    event = await api.post(EVENTS, LUNCH, 201)

    assert set(event) >= {"id", "external_id", "kind", "site", "facts", "customer_id", "conversation_id", "case_id"}
    assert event["case_id"] is None
    assert event["facts"] == LUNCH["facts"]
    assert set(event["check_in"]) >= {"id", "state", "due_at", "sent_at", "trace"}
    assert (event["check_in"]["state"], event["check_in"]["sent_at"]) == ("planned", None)
    assert event["assessment"] == {"verdict": "pending", "probability": None, "threshold": None, "signals": []}
    assert event["finished_at"] == "2026-03-04T11:05:00+00:00"
    ServiceEventView.model_validate(event, extra="forbid")
    assert await api.get(f"{EVENTS}/{event['id']}") == event
    assert await api.get(f"{EVENTS}/order-1001") == event


async def test_the_same_report_again_answers_the_event_already_kept(api: Edge, shop: Workshop) -> None:
    """A system that is unsure whether it got through simply sends it again, even at the same time."""
    answers = await asyncio.gather(*(raw(api, LUNCH) for _ in range(4)))

    statuses = sorted(status for status, _ in answers)
    assert statuses == [200, 200, 200, 201]
    assert len({body["id"] for _, body in answers}) == 1
    async with shop.store(read_only=True) as tx:
        assert len(await tx.all(ServiceEvent)) == 1


@on_sqlite
async def test_the_same_number_with_other_content_is_a_conflict(api: Edge) -> None:
    """Nothing that was recorded is changed silently."""
    await api.post(EVENTS, LUNCH, 201)

    problem = await api.post(EVENTS, lunch(facts__wait_minutes=10), 409)

    assert "order-1001" in problem["detail"]


@on_sqlite
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"external_id": GONE}, "external_id"),
        ({"external_id": ""}, "external_id"),
        ({"site": "moon"}, "site"),
        ({"finished_at": "2026-03-04T13:05:00"}, "finished_at"),
        ({"finished_at": "yesterday"}, "finished_at"),
        ({"finished_at": 1772622300}, "finished_at"),
        ({"finished_at": "0001-01-01T00:00:00+14:00"}, "finished_at"),
        ({"channel": "fax"}, "channel"),
        ({"customer": "Ayşe"}, "customer"),
        ({"customer__phone": "call me"}, "customer.phone"),
        ({"customer__phone": "+90 1"}, "customer.phone"),
        ({"customer__phone": GONE}, "customer.phone"),
        ({"customer__language": "turkish please"}, "customer.language"),
        ({"customer__time_zone": "Mars/Olympus"}, "customer.time_zone"),
        ({"customer__time_zone": "../../etc/passwd"}, "customer.time_zone"),
        ({"customer__consent": {"sms": "perhaps"}}, "customer.consent.sms"),
        ({"customer": {"name": "Nobody"}}, "customer"),
        ({"facts__wait_minutes": "long"}, "facts.wait_minutes"),
        ({"facts__wait_minutes": -5}, "facts.wait_minutes"),
        ({"facts__amount": {"value": "4.2.0", "currency": "EUR"}}, "facts.amount.value"),
        ({"facts__items": "soup"}, "facts.items"),
        ({"facts__note": "nul \x00"}, "facts"),
        ({"check_in__delay_minutes": -1}, "check_in.delay_minutes"),
        ({"kind": "x" * 101}, "kind"),
        ({"finishd_at": "2026-03-04T13:05:00Z"}, "finishd_at"),
    ],
)
async def test_what_is_wrong_is_refused_by_the_name_of_its_field(
    api: Edge, shop: Workshop, changes: dict[str, Any], field: str
) -> None:
    """As a dotted path, in the words and as data; and nothing is kept."""
    problem = await api.post(EVENTS, lunch(**changes), 422)

    assert field in [error["field"] for error in problem["errors"]]
    assert field in problem["detail"]
    assert set(problem) >= {"type", "title", "status", "detail", "errors"}
    async with shop.store(read_only=True) as tx:
        assert await tx.all(ServiceEvent) == []


@on_sqlite
@pytest.mark.parametrize("body", [b"", b"{", b"not json", b"\xff\xfe", b'{"external_id": "\\ud800"}'])
async def test_what_is_not_json_is_refused_as_such(api: Edge, body: bytes) -> None:
    """With 400: there is no field to name."""
    problem = await api.call("POST", EVENTS, 400, data=body)

    assert "JSON" in problem["detail"]


@on_sqlite
@pytest.mark.parametrize("body", [b"[]", b"null", b"7", b'"text"'])
async def test_json_that_is_no_object_is_refused(api: Edge, body: bytes) -> None:
    """The body itself is what is wrong."""
    problem = await api.call("POST", EVENTS, 422, data=body)

    assert problem["errors"][0]["field"] == "body"


@on_sqlite
async def test_a_number_that_is_none_is_refused(api: Edge) -> None:
    """Some writers of JSON produce NaN; databases refuse it."""
    body = '{"external_id":"a","kind":"k","site":"harbour","finished_at":"2026-03-04T13:05:00Z",'
    body += '"customer":{"external_id":"c"},"facts":{"odd":NaN}}'

    problem = await api.call("POST", EVENTS, 422, data=body.encode())

    assert problem["errors"][0]["field"] == "facts"


@on_sqlite
async def test_a_number_of_the_customers_country_needs_no_prefix(api: Edge, shop: Workshop) -> None:
    """People write phones as they dial them: the customer's time zone, else the site's, says in which country."""
    await api.post(EVENTS, lunch(customer__phone="0532 123 45 67"), 201)
    british = {"external_id": "c-2", "phone": "020 7946 0018"}
    await api.post(EVENTS, lunch(external_id="order-2", customer=british), 201)

    async with shop.store(read_only=True) as tx:
        points = await tx.all(ContactPoint, medium=Medium.SMS)
    assert sorted(point.address for point in points) == ["+442079460018", "+905321234567"]


@on_sqlite
async def test_facts_we_do_not_know_are_kept_and_shown(api: Edge) -> None:
    """Operations know more than we ask for."""
    odd = {"table": 7, "weather": {"rain": True}, "nothing": None, "words": ["<b>", "ağ", "غ"]}

    event = await api.post(EVENTS, lunch(facts=odd), 201)

    assert event["facts"] == odd


@on_sqlite
async def test_what_is_reported_about_the_customer_is_remembered(api: Edge, shop: Workshop) -> None:
    """Their name, their language, their clock, what they like and what they agreed to."""
    event = await api.post(EVENTS, LUNCH, 201)

    async with shop.store(read_only=True) as tx:
        customer = await tx.get(Customer, event["customer_id"])
        consents = await tx.all(Consent, customer_id=customer.id)
    assert (customer.name, customer.language, customer.time_zone) == ("Ayşe", "tr", "Europe/Istanbul")
    assert customer.preferences == ["window table"]
    assert [(one.medium, one.granted) for one in consents] == [(Medium.SMS, True)]


@on_sqlite
async def test_an_event_nobody_reported_is_not_found(api: Edge) -> None:
    """404 as problem details."""
    problem = await api.get(f"{EVENTS}/nothing", 404)

    assert problem["title"] == "Not Found"


async def raw(api: Edge, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """Status and body of one report."""
    async with api.client.post(EVENTS, json=body, headers=api.headers) as response:
        return response.status, await response.json()
