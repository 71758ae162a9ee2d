"""What everybody may see, and what every answer carries."""

from __future__ import annotations

import jwt
import pytest
from aiohttp.test_utils import TestClient, TestServer

from bot.edge.app import create_app
from bot.edge.pages import STATIC
from bot.edge.twilio_port import TwilioPort
from bot.services.entities import Task
from bot.services.workshop import Workshop
from bot.settings import Settings
from tests.conftest import Clock, FakeDialogue
from tests.edge.conftest import IDENTITY_SECRET, Edge, on_sqlite
from tests.edge.samples import LUNCH

pytestmark = on_sqlite
PAGES = ["/", "/docs", "/demo", "/simulator", "/desk/login"]


@pytest.mark.parametrize("path", [*PAGES, "/nothing", "/livez", "/api/v1/openapi.json", "/static/css/base.css"])
async def test_every_answer_carries_a_strict_policy(edge: Edge, path: str) -> None:
    """Errors and files included: no script, style or frame from anywhere else, and none inline."""
    response = await edge.open(path)

    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "max-age" in response.headers["Strict-Transport-Security"]


@pytest.mark.parametrize("path", PAGES)
async def test_every_page_is_drawn_without_inline_script_or_style(edge: Edge, path: str) -> None:
    """The policy would refuse both."""
    page = await edge.get(path)

    assert "<!doctype html>" in page
    assert "<style" not in page
    assert " style=" not in page
    assert " onclick=" not in page
    assert "<script>" not in page


async def test_a_missing_page_is_a_page_for_people(edge: Edge) -> None:
    """Readable, with a way back."""
    response = await edge.open("/nothing", Accept="text/html")

    assert (response.status, response.content_type) == (404, "text/html")
    assert "<h1>" in await response.text()


async def test_the_docs_show_every_operation_with_examples(edge: Edge) -> None:
    """From the operations themselves."""
    page = await edge.get("/docs")

    assert "/api/v1/service-events" in page
    assert "order-1001" in page
    assert "transfer" in page


async def test_the_widget_may_be_embedded_by_other_sites(edge: Edge) -> None:
    """One script, cached shortly and revalidated."""
    if not (STATIC / "dist" / "widget.js").exists():
        pytest.skip("the widget has not been built")

    response = await edge.open("/widget.js")
    again = await edge.open("/widget.js", **{"If-None-Match": response.headers["ETag"]})

    assert response.content_type == "text/javascript"
    assert response.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert again.status == 304


async def test_a_versioned_file_is_kept_for_good_and_another_is_not(edge: Edge) -> None:
    """The version changes with the content."""
    versioned, plain = await edge.open("/static/css/base.css?v=1"), await edge.open("/static/css/base.css")

    assert "immutable" in versioned.headers["Cache-Control"]
    assert "immutable" not in plain.headers["Cache-Control"]
    await edge.get("/static/../app.py", 404)


async def test_the_demo_signs_in_as_a_customer_it_knows(api: Edge) -> None:
    """As a real site's server would."""
    await api.post("/api/v1/service-events", LUNCH, 201)

    signed = await api.get("/demo/identity", params={"customer": "c-77"})
    await api.get("/demo/identity", 404, params={"customer": "nobody"})

    assert jwt.decode(signed["identity"], IDENTITY_SECRET, algorithms=["HS256"])["sub"] == "c-77"
    assert "Ayşe" in await api.get("/demo")


async def test_in_production_there_is_no_simulator_and_no_demo(
    shop: Workshop, settings: Settings, twilio: TwilioPort
) -> None:
    """Whatever is mounted."""
    app = create_app(shop, settings.model_copy(update={"production": True}), twilio=twilio)
    async with TestClient(TestServer(app)) as client:
        edge = Edge(client)

        for path in ("/simulator", "/simulator/people", "/demo", "/demo/identity"):
            await edge.get(path, 404)
        start = await edge.get("/")

    assert 'href="/simulator"' not in start


async def test_the_edge_is_ready_when_everything_it_needs_is(edge: Edge, dialogue: FakeDialogue) -> None:
    """Each check is named, so that one knows where to look."""
    ready = await edge.get("/readyz")
    dialogue.broken = RuntimeError("away")
    failing = await edge.get("/readyz", 503)

    assert ready["ready"] is True
    assert set(ready["checks"]) >= {"store", "dialogue"}
    assert failing["checks"] == {"store": "ok", "dialogue": "failing"}
    assert (await edge.get("/livez"))["alive"] is True


async def test_metrics_count_without_naming_anybody(edge: Edge, shop: Workshop, clock: Clock) -> None:
    """No number, no word, no identifier becomes a label."""
    form = {"MessageSid": "SM1", "From": "+15005550001", "To": "+15005550006", "Body": "my secret"}
    await edge.twilio("/webhooks/twilio/sms", form)
    async with shop.store() as tx:
        tx.add(Task(kind="later", due_at=clock.forward(hours=1), created_at=clock.now))
        await tx.commit()
    clock.forward(hours=-1)
    await edge.get("/api/v1/cases/abcdef", 401)

    metrics = await edge.get("/metrics")

    assert 'afterword_inbound_total{medium="sms"} 1.0' in metrics
    assert "afterword_tasks_due 1.0" in metrics
    assert 'route="/api/v1/cases/{id}"' in metrics
    for private in ("+1500", "secret", "abcdef", "SM1"):
        assert private not in metrics
