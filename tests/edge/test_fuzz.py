"""Whatever arrives, the edge answers it: it never falls over. On both kinds of database, whose limits differ."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator
from yarl import URL

from tests.edge.conftest import PUBLIC, TWILIO_TOKEN, Edge
from tests.edge.samples import LUNCH

unhurried = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    # One edge for all examples: they must not disturb each other either.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
texts = st.text(st.characters(codec="utf-8"), max_size=300)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts
anything = st.recursive(scalars, lambda part: st.lists(part) | st.dictionaries(texts, part), max_leaves=8)
paths = st.sampled_from(
    [(name,) for name in LUNCH]
    + [("customer", name) for name in LUNCH["customer"]]
    + [("facts", name) for name in (*LUNCH["facts"], "unknown")]
    + [("check_in", "delay_minutes"), ("customer", "consent", "sms")]
)


@unhurried
@given(sid=texts, sender=texts, body=texts, media=texts, more=st.dictionaries(texts, texts, max_size=3))
async def test_any_signed_form_is_answered(
    edge: Edge, sid: str, sender: str, body: str, media: str, more: dict[str, str]
) -> None:
    """Kept or refused; the provider is never told that we broke."""
    form = more | {"MessageSid": sid, "From": sender, "To": "+15005550006", "Body": body, "NumMedia": media}

    assert await posted(edge, "/webhooks/twilio/sms", form) in (200, 400)


@unhurried
@given(sid=texts, status=texts, code=texts, message=texts)
async def test_any_signed_status_is_answered(edge: Edge, sid: str, status: str, code: str, message: str) -> None:
    """Known or not."""
    form = {"MessageSid": sid, "MessageStatus": status, "ErrorCode": code}

    assert await posted(edge, f"/webhooks/twilio/status?message={quote(message)}", form) in (200, 400)


@unhurried
@given(raw=st.binary(max_size=400))
async def test_any_bytes_are_answered(edge: Edge, raw: bytes) -> None:
    """Unsigned, so refused, whatever they are."""
    headers = {"Content-Type": "application/x-www-form-urlencoded; charset=nothing"}
    async with edge.client.post("/webhooks/twilio/sms", data=raw, headers=headers) as response:
        assert response.status in (400, 403)


@unhurried
@given(changes=st.lists(st.tuples(paths, anything), min_size=1, max_size=3))
async def test_any_service_event_is_recorded_or_refused(api: Edge, changes: list[tuple[Any, Any]]) -> None:
    """What it says may be nonsense; the answer is not, and names a field."""
    body = json.loads(json.dumps(LUNCH))
    for path, value in changes:
        place = body
        for name in path[:-1]:
            place = place.get(name) if isinstance(place, dict) else None
        if isinstance(place, dict):
            place[path[-1]] = value
    raw = json.dumps(body).encode()

    async with api.client.post("/api/v1/service-events", data=raw, headers=api.headers) as response:
        answer = await response.json(content_type=None)

    assert response.status in (200, 201, 400, 409, 422), answer
    if response.status == 422:
        assert answer["errors"]


async def posted(edge: Edge, path: str, form: dict[str, str]) -> int:
    """The status of a signed form; address and bytes leave exactly as they are here."""
    raw = "&".join(f"{quote(name)}={quote(value)}" for name, value in form.items())
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Twilio-Signature": RequestValidator(TWILIO_TOKEN).compute_signature(PUBLIC + path, form),
    }
    address = URL(str(edge.client.make_url("/")).rstrip("/") + path, encoded=True)
    async with edge.client.session.post(address, data=raw.encode(), headers=headers) as response:
        return response.status
