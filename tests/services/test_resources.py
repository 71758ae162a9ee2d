"""What others rely on: the shapes of docs/api.md, field by field, on a case that has everything."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from bot.core.authority import Money
from bot.core.errors import NotFound
from bot.core.vocabulary import GrantKind, Verdict
from bot.services import resources
from bot.services.entities import Case, HiddenCost
from tests.services.house import PHONE, House

SERVICE_EVENT = {
    *("id", "external_id", "kind", "site", "facts", "customer_id", "conversation_id", "case_id"),
    *("check_in", "assessment"),
}
CHECK_IN = {"id", "state", "due_at", "sent_at", "trace"}
TRACE = {"at", "rule", "outcome", "reason"}
ASSESSMENT = {"verdict", "probability", "threshold", "signals"}
CONVERSATION = {"id", "channel", "language", "owner", "owner_name", "version", "messages"}
MESSAGE = {"id", "direction", "author", "text", "at", "delivery"}
CASE = {
    *("id", "state", "opened_at", "reason", "severity", "owner", "sla", "customer", "service_event", "transcript"),
    *("assessment", "failure", "hidden_costs", "promises", "playbook", "steps", "language", "channel", "timeline"),
}
STEPS = ["apologise", "act", "compassion", "compensate", "follow_up"]


@pytest.fixture
async def case(house: House) -> Case:
    """Robin's lunch, complained about, answered by Sam with a voucher."""
    sam = await house.hires()
    await house.serve(facts={"wait_minutes": 55, "promised_wait_minutes": 20, "items": ["soup"]})
    house.later(minutes=3)
    case = await house.complains()
    await house.desk.reply(case.id, sam.id, "Robin, Sam here.")
    await house.desk.grant(case.id, sam.id, GrantKind.VOUCHER, Money(Decimal("12.5"), "EUR"), "lunch")
    async with house.shop.store() as tx:
        tx.add(HiddenCost(case_id=case.id, words="the taxi", at=house.clock.now))
        await tx.commit()
    await house.worker.drain()
    return case


def has(shape: set[str], value: dict[str, Any]) -> bool:
    """Whether every promised field is there; fields may be added, never renamed."""
    return shape <= set(value)


def instant(written: str) -> datetime:
    """RFC 3339 with an offset."""
    at = datetime.fromisoformat(written)
    assert at.tzinfo is not None
    return at


async def test_a_service_event(house: House, case: Case) -> None:
    """Found by our identifier and by the business's own."""
    async with house.shop.store(read_only=True) as tx:
        view = await resources.service_event(tx, "order-1")
        assert await resources.service_event(tx, view["id"]) == view
        with pytest.raises(NotFound):
            await resources.service_event(tx, "order-404")

    assert has(SERVICE_EVENT, view)
    assert (view["external_id"], view["kind"], view["site"]) == ("order-1", "restaurant_visit", "harbour")
    assert view["facts"] == {"wait_minutes": 55, "promised_wait_minutes": 20, "items": ["soup"]}
    assert (view["case_id"], view["conversation_id"]) == (case.id, case.conversation_id)
    assert has(CHECK_IN, view["check_in"])
    assert view["check_in"]["state"] == "answered"
    assert all(set(entry) == TRACE and instant(entry["at"]) for entry in view["check_in"]["trace"])
    assert has(ASSESSMENT, view["assessment"])
    assert (view["assessment"]["verdict"], view["assessment"]["threshold"]) == ("complaint", 0.5)
    assert {"name", "weight", "evidence"} == set(view["assessment"]["signals"][0])


async def test_a_service_event_that_nobody_has_answered_yet(house: House) -> None:
    """Pending, without a probability, and with nothing invented."""
    await house.serve()
    async with house.shop.store(read_only=True) as tx:
        view = await resources.service_event(tx, "order-1")

    assert view["assessment"] == {
        "verdict": Verdict.PENDING.value,
        "probability": None,
        "threshold": None,
        "signals": [],
    }
    assert view["case_id"] is None


async def test_a_conversation(house: House, case: Case) -> None:
    """The whole thread in order, who wrote what, and who owns it."""
    async with house.shop.store(read_only=True) as tx:
        view = await resources.conversation(tx, case.conversation_id)

    assert has(CONVERSATION, view)
    assert (view["channel"], view["language"], view["owner"], view["owner_name"]) == ("sms", "en", "agent", "Sam")
    assert all(has(MESSAGE, message) and instant(message["at"]) for message in view["messages"])
    assert [(m["direction"], m["author"], m["text"], m["delivery"]) for m in view["messages"]] == [
        ("out", "bot", "How was everything?", "queued"),
        ("in", "customer", "an hour for a soup", "received"),
        ("out", "bot", "How was everything?", "queued"),
        ("out", "agent", "Robin, Sam here.", "queued"),
    ]


async def test_a_case_with_its_whole_story(house: House, case: Case) -> None:
    """Nobody has to ask the customer again (P28)."""
    async with house.shop.store(read_only=True) as tx:
        view = await resources.case_snapshot(tx, case.id, house.clock.now)

    assert has(CASE, view)
    assert (view["state"], view["reason"], view["severity"]) == ("claimed", "dissatisfied", "high")
    assert set(view["owner"]) == {"id", "name", "email"}
    assert set(view["sla"]) == {"first_response_due", "resolution_due", "breached"}
    assert view["sla"]["breached"] is False
    assert instant(view["sla"]["first_response_due"]) == case.first_response_due
    assert view["failure"] == {"code": "wait", "words": ""}
    assert list(view["steps"]) == STEPS
    assert all(set(step) == {"state", "at", "by", "note"} for step in view["steps"].values())
    assert view["steps"]["compensate"]["state"] == "done"
    assert all(set(entry) == {"at", "who", "what", "why"} for entry in view["timeline"])
    assert [entry["what"] for entry in view["timeline"]] == ["opened", "claimed", "replied", "granted"]
    assert view["hidden_costs"][0]["words"] == "the taxi"
    assert view["promises"][0]["kept_at"] is not None
    assert view["grants"][0]["amount"] == {"value": "12.50", "currency": "EUR"}
    assert (view["language"], view["channel"], view["playbook"]) == ("en", "sms", "wait/high")
    assert len(view["transcript"]) == 4


async def test_the_customer_in_a_case_has_a_history(house: House, case: Case) -> None:
    """Events, check-ins, cases and compensation, the newest first."""
    async with house.shop.store(read_only=True) as tx:
        customer = (await resources.case_snapshot(tx, case.id, house.clock.now))["customer"]

    assert (customer["name"], customer["external_id"], customer["time_zone"]) == ("Robin", "c-1", "Europe/London")
    assert customer["contact_points"][0]["address"] == PHONE
    assert customer["consents"][0]["granted"] is True
    assert [event["verdict"] for event in customer["history"]["service_events"]] == ["complaint"]
    assert customer["history"]["service_events"][0]["check_in"] == "answered"
    assert [past["id"] for past in customer["history"]["cases"]] == [case.id]
    assert customer["history"]["compensation"][0]["amount"] == {"value": "12.50", "currency": "EUR"}


async def test_everything_shown_is_json(house: House, case: Case) -> None:
    """No type of ours leaks out."""
    async with house.shop.store(read_only=True) as tx:
        views = [
            await resources.case_snapshot(tx, case.id, house.clock.now),
            await resources.case_summary(tx, await tx.get(Case, case.id), house.clock.now),
            await resources.conversation(tx, case.conversation_id),
            await resources.service_event(tx, "order-1"),
        ]

    assert json.loads(json.dumps(views)) == views


async def test_a_missed_time_stays_missed_and_a_kept_one_kept(house: House, case: Case) -> None:
    """Late from the moment it passes; settled in time stays in time however long ago."""
    sam = case.agent_id or (await house.case()).agent_id
    assert sam is not None
    for days in (0, 30):
        settled = await house.case()
        settled.resolved_at = house.clock.now
        house.later(days=days)
        assert resources.sla(settled, house.clock.now)["breached"] is False

    open_still = await house.case()
    assert resources.sla(open_still, open_still.resolution_due)["breached"] is False
    assert resources.sla(open_still, house.clock.now)["breached"] is True


async def test_the_api_shows_what_the_documents_promise(house: House) -> None:
    """A stranger's case has no event, no site and no assessment of one, and still has every field."""
    case = await house.complains()
    async with house.shop.store(read_only=True) as tx:
        view = await resources.case_snapshot(tx, case.id, house.clock.now)

    assert has(CASE, view)
    assert (view["service_event"], view["site"], view["owner"]) == (None, None, None)
    assert view["customer_name"] == PHONE
