"""The simulator's page over the real look-alike: a phone that hears and is heard."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestClient, TestServer, unused_port

from bot.channels.simulator import LOOKALIKE, create_lookalike, create_simulator
from bot.channels.twilio.inbound import parse_inbound, parse_status
from bot.channels.twilio.signature import verify
from bot.edge.app import create_app
from bot.edge.twilio_port import TwilioPort
from bot.services.agents import add_api_key
from bot.services.entities import Message
from bot.services.workshop import Workshop
from bot.settings import Settings
from tests.edge.conftest import IDENTITY_SECRET, TWILIO_TOKEN, Edge, on_sqlite
from tests.edge.samples import LUNCH
from tests.edge.test_webchat import events, next_of

pytestmark = on_sqlite
PHONE = "+905321234567"


@pytest.fixture
async def town(shop: Workshop, tmp_path: Path) -> AsyncIterator[Edge]:
    """An edge with the look-alike mounted, as in development."""
    port = unused_port()
    url = f"http://127.0.0.1:{port}"
    settings = Settings(
        port=port, twilio_auth_token=TWILIO_TOKEN, identity_secret=IDENTITY_SECRET, worker=False, data_dir=tmp_path
    )
    async with aiohttp.ClientSession() as session:
        lookalike = create_lookalike(
            tmp_path / "book.sqlite3",
            "AC" + "0" * 32,
            TWILIO_TOKEN,
            "+15005550006",
            f"{url}/webhooks/twilio/sms",
            f"{url}/webhooks/twilio/status",
            session,
            pace=0.001,
        )

        async def news(cursor: str) -> tuple[str, Sequence[dict[str, Any]]]:
            entries = await lookalike[LOOKALIKE].book.page([("updated_at > ?", cursor)], limit=100, offset=0)
            newest = max([cursor, *(entry.updated_at for entry in entries)])
            items = [{"sid": e.sid, "from": e.from_, "to": e.to, "body": e.body} for e in reversed(entries)]
            return newest, items

        port_of = TwilioPort(partial(verify, auth_token=TWILIO_TOKEN), parse_inbound, parse_status)
        simulator = create_simulator(lookalike)
        app = create_app(shop, settings, twilio=port_of, mounts={"/simulator": simulator}, phone_news=news)
        async with TestClient(TestServer(app, port=port)) as client:
            yield Edge(client)


async def test_the_page_knows_the_sites(town: Edge) -> None:
    """As JSON in an attribute: no script may stand in the page."""
    page = await town.get("/simulator")

    assert "Harbour" in page
    assert "data-sites=" in page


async def test_a_phone_writes_through_the_real_signed_webhook(town: Edge, shop: Workshop) -> None:
    """What it wrote is in our store, and its person among the people."""
    await town.post("/simulator/messages", {"from": PHONE, "body": "fine i guess"}, 201)

    async with shop.store(read_only=True) as tx:
        (message,) = await tx.all(Message)
    assert message.text == "fine i guess"
    (person,) = (await town.get("/simulator/people"))["items"]
    assert (person["phone"], person["name"], person["stranger"]) == (PHONE, "Someone unknown", True)


@pytest.mark.parametrize(
    ("scenario", "fact", "value"),
    [("on_time", "wait_minutes", 15), ("late", "wait_minutes", 55), ("remade", "remade", True)],
)
async def test_a_service_finishes_as_the_scenario_says(town: Edge, scenario: str, fact: str, value: object) -> None:
    """Reported like any other, with a check-in at once."""
    body = {"phone": PHONE, "site": "harbour", "scenario": scenario, "channel": "sms"}

    event = await town.post("/simulator/service-events", body, 201)

    assert event["facts"][fact] == value
    assert event["check_in"]["due_at"] == event["finished_at"]


async def test_a_known_customer_stays_who_they_are(town: Edge, shop: Workshop) -> None:
    """Their name, number and site are those the business reported."""
    await town.with_key(await add_api_key(shop, "tests", "api")).post("/api/v1/service-events", LUNCH, 201)

    await town.post("/simulator/service-events", {"phone": PHONE, "site": "harbour", "scenario": "late"}, 201)

    (person,) = (await town.get("/simulator/people"))["items"]
    assert (person["name"], person["language"], person["site"]) == ("Ayşe", "tr", "harbour")
    assert (person["time_zone"], person["external_id"]) == ("Europe/Istanbul", "c-77")


@pytest.mark.parametrize(
    ("changes", "field"), [({"phone": "x"}, "phone"), ({"site": "moon"}, "site"), ({"scenario": "odd"}, "scenario")]
)
async def test_a_service_that_cannot_be_is_refused(town: Edge, changes: dict[str, str], field: str) -> None:
    """By the name of the field."""
    body = {"phone": PHONE, "site": "harbour", "scenario": "late", **changes}

    problem = await town.post("/simulator/service-events", body, 422)

    assert problem["errors"][0]["field"] == field


async def test_the_live_line_tells_what_reaches_and_leaves_a_phone(town: Edge) -> None:
    """From now on: the page reads what was before by itself."""
    async with await town.open("/simulator/events") as response:
        stream = events(response)
        await town.post("/simulator/messages", {"from": PHONE, "body": "hello"}, 201)

        message = await next_of(stream, "message")

    assert (message["from"], message["body"]) == (PHONE, "hello")
