"""The JSON API: who may do what, repeated requests, cases and their work, the contract."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from openapi_spec_validator import validate

from bot.core.dialogue import DialogueUnavailable
from bot.core.vocabulary import HandoffReason, Medium
from bot.edge.api.answers import Assessed, CaseLine, CaseView, ConversationView
from bot.edge.api.routes import OPERATIONS
from bot.services.entities import Agent, Case, KeptAnswer, Site
from bot.services.inbound import Received, receive_sms
from bot.services.recovery import Recovery
from bot.services.workshop import Workshop
from tests.conftest import Clock, FakeDialogue
from tests.edge.conftest import Edge, on_sqlite
from tests.edge.samples import LUNCH, lunch

EVENTS, CASES = "/api/v1/service-events", "/api/v1/cases"
pytestmark = on_sqlite


async def unhappy_customer(shop: Workshop, phone: str = "+15005550001") -> str:
    """A customer has asked for a person; the case's id."""
    message = await receive_sms(shop, phone, Received("can someone call me", provider_id=f"SM{phone}"))
    recovery = Recovery(shop)
    handed = await recovery.hand_off(message.conversation_id, message.id, HandoffReason.ASKED_FOR_PERSON)
    return handed.case_id


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
async def test_nothing_is_answered_without_a_key(edge: Edge, operation: Any) -> None:
    """Nor with one that nobody made."""
    path = "/api/v1" + operation.path.format(id="x", step="act", phone="+15005550001")

    problem = await edge.call(operation.method, path, 401)
    await edge.with_key("aw_nobody").call(operation.method, path, 401)

    assert problem["title"] == "Unauthorized"


async def test_a_key_of_another_scope_may_not_act_for_agents(api: Edge, shop: Workshop, sam: Agent) -> None:
    """It may read the case, and no more."""
    case_id = await unhappy_customer(shop)

    await api.get(f"{CASES}/{case_id}")
    problem = await api.post(f"{CASES}/{case_id}/claim", {"agent": sam.id}, 403)

    assert "desk" in problem["detail"]


async def test_a_case_carries_its_whole_context(api: Edge, shop: Workshop) -> None:
    """Every field that the API promises is there, so that nobody has to ask the customer again."""
    case_id = await unhappy_customer(shop)

    case = await api.get(f"{CASES}/{case_id}")

    promised = "id state opened_at reason severity owner sla customer service_event transcript assessment failure"
    promised += " hidden_costs promises playbook steps language channel timeline"
    assert set(case) >= set(promised.split())
    assert set(case["steps"]) == {"apologise", "act", "compassion", "compensate", "follow_up"}
    assert all(set(step) == {"state", "at", "by", "note"} for step in case["steps"].values())
    assert set(case["sla"]) == {"first_response_due", "resolution_due", "breached"}
    assert set(case["customer"]["history"]) == {"service_events", "cases", "compensation"}
    assert [message["text"] for message in case["transcript"]] == ["can someone call me"]
    CaseView.model_validate(case, extra="forbid")


async def test_a_conversation_shows_every_message_and_who_owns_it(api: Edge, shop: Workshop) -> None:
    """The shape that the API promises."""
    case = await api.get(f"{CASES}/{await unhappy_customer(shop)}")

    conversation = await api.get(f"/api/v1/conversations/{case['conversation']['id']}")

    assert set(conversation) >= {"id", "channel", "language", "owner", "owner_name", "version", "messages"}
    (message,) = conversation["messages"]
    assert set(message) >= {"id", "direction", "author", "text", "at", "delivery"}
    assert (message["direction"], message["author"], conversation["channel"]) == ("in", "customer", Medium.SMS)
    ConversationView.model_validate(conversation, extra="forbid")
    await api.get("/api/v1/conversations/nothing", 404)


async def test_cases_are_listed_a_page_at_a_time_and_by_state_and_site(
    desk_api: Edge, shop: Workshop, clock: Clock, sam: Agent
) -> None:
    """Newest first; the cursor leads through all of them once."""
    made = []
    for n in range(5):
        made.append(await unhappy_customer(shop, f"+1500555001{n}"))
        clock.forward(minutes=1)
    await desk_api.post(f"{CASES}/{made[0]}/claim", {"agent": sam.email})

    first = await desk_api.get(CASES, params={"limit": "2"})
    second = await desk_api.get(CASES, params={"limit": "2", "cursor": first["next"]})
    third = await desk_api.get(CASES, params={"limit": "2", "cursor": second["next"]})

    pages = [first, second, third]
    assert [line["id"] for page in pages for line in page["items"]] == made[::-1]
    assert third["next"] is None
    for line in first["items"]:
        CaseLine.model_validate(line, extra="forbid")
    claimed = await desk_api.get(CASES, params={"state": "claimed"})
    assert [line["id"] for line in claimed["items"]] == [made[0]]
    assert (await desk_api.get(CASES, params={"site": "nowhere"}))["items"] == []


@pytest.mark.parametrize(
    ("query", "field"),
    [({"state": "lost"}, "state"), ({"limit": "0"}, "limit"), ({"limit": "²"}, "limit"), ({"cursor": "x"}, "cursor")],
)
async def test_a_wrong_filter_is_refused_by_its_name(api: Edge, query: dict[str, str], field: str) -> None:
    """Rather than answered with something else."""
    problem = await api.get(CASES, 422, params=query)

    assert problem["errors"][0]["field"] == field


async def test_an_agent_works_a_case_to_its_end_over_the_api(
    desk_api: Edge, shop: Workshop, sam: Agent, kim: Agent
) -> None:
    """Claim, reply, the five steps, a gesture, a transfer, the resolution, and back: each answers the case as it is."""
    case = f"{CASES}/{await unhappy_customer(shop)}"

    claimed = await desk_api.post(f"{case}/claim", {"agent": sam.email})
    assert (claimed["state"], claimed["owner"]["name"]) == ("claimed", "Sam")
    conflict = await desk_api.post(f"{case}/claim", {"agent": kim.id}, 409)
    assert "Sam" in conflict["detail"]

    replied = await desk_api.post(f"{case}/replies", {"agent": sam.id, "text": "I am so sorry."})
    assert replied["transcript"][-1]["text"] == "I am so sorry."
    early = await desk_api.post(f"{case}/resolve", {"agent": sam.id, "summary": "done"}, 422)
    assert early["errors"][0]["field"] == "steps"

    for step in ("apologise", "act", "compassion"):
        done = await desk_api.post(f"{case}/steps/{step}", {"agent": sam.id, "state": "done", "note": "by phone"})
        assert done["steps"][step]["state"] == "done"
    grant = {"agent": sam.id, "kind": "voucher", "amount": {"value": "20.00", "currency": "EUR"}, "note": "lunch"}
    granted = await desk_api.post(f"{case}/grants", grant)
    assert granted["grants"][0]["amount"] == {"value": "20.00", "currency": "EUR"}
    assert granted["steps"]["compensate"]["state"] == "done"

    transferred = await desk_api.post(f"{case}/transfer", {"agent": sam.id, "to": kim.email, "brief": "Call at five."})
    assert (transferred["owner"]["name"], transferred["brief"]) == ("Kim", "Call at five.")
    back = await desk_api.post(f"{case}/handback", {"agent": kim.id})
    assert back["conversation"]["owner"] == "bot"
    resolved = await desk_api.post(f"{case}/resolve", {"agent": kim.id, "summary": "Voucher given."})
    assert resolved["state"] == "resolved"
    reopened = await desk_api.post(f"{case}/reopen", {"agent": kim.id, "reason": "They wrote again."})
    assert reopened["state"] == "reopened"


async def test_a_gesture_beyond_the_agents_authority_is_refused(desk_api: Edge, shop: Workshop, sam: Agent) -> None:
    """By the name of the field, and recorded."""
    case = f"{CASES}/{await unhappy_customer(shop)}"
    await desk_api.post(f"{case}/claim", {"agent": sam.id})
    async with shop.store() as tx:
        (await tx.get(Case, case.rsplit("/", 1)[1])).site_id = (await tx.get(Site, "harbour")).id
        await tx.commit()

    grant = {"agent": sam.id, "kind": "refund", "amount": {"value": "5000", "currency": "EUR"}}
    problem = await desk_api.post(f"{case}/grants", grant, 422)

    assert problem["errors"][0]["field"] == "amount"
    assert "grant refused" in [entry["what"] for entry in (await desk_api.get(case))["timeline"]]


@pytest.mark.parametrize(
    ("action", "body", "status", "field"),
    [
        ("claim", {"agent": "nobody@example.org"}, 422, "agent"),
        ("claim", {}, 422, "agent"),
        ("replies", {"agent": "sam@example.org", "text": ""}, 422, "text"),
        ("steps/act", {"agent": "sam@example.org", "state": "half"}, 422, "state"),
        ("steps/dance", {"agent": "sam@example.org", "state": "done"}, 404, None),
        ("steps/act", {"agent": "sam@example.org", "state": "waived"}, 422, "note"),
        (
            "grants",
            {"agent": "sam@example.org", "kind": "gold", "amount": {"value": "1", "currency": "EUR"}},
            422,
            "kind",
        ),
        ("transfer", {"agent": "sam@example.org", "to": "nobody", "brief": "x"}, 422, "to"),
        ("reopen", {"agent": "sam@example.org", "reason": " "}, 422, "reason"),
    ],
)
async def test_a_wrong_action_is_refused_by_the_name_of_its_field(
    desk_api: Edge, shop: Workshop, sam: Agent, action: str, body: dict[str, Any], status: int, field: str | None
) -> None:
    """And the case stays as it was."""
    case = f"{CASES}/{await unhappy_customer(shop)}"

    problem = await desk_api.post(f"{case}/{action}", body, status)

    if field:
        assert problem["errors"][0]["field"] == field
    assert (await desk_api.get(case))["state"] == "open"


async def test_a_case_that_does_not_exist_is_not_found(desk_api: Edge, sam: Agent) -> None:
    """For reading and for acting."""
    await desk_api.get(f"{CASES}/nothing", 404)
    await desk_api.post(f"{CASES}/nothing/claim", {"agent": sam.id}, 404)


async def test_a_request_repeated_with_its_key_is_worked_off_once(desk_api: Edge, shop: Workshop, sam: Agent) -> None:
    """The same answer comes back, and the customer gets one reply."""
    case = f"{CASES}/{await unhappy_customer(shop)}"
    words = {"agent": sam.id, "text": "I am so sorry."}

    first = await desk_api.post(f"{case}/replies", words, headers={"Idempotency-Key": "k1"})
    again = await desk_api.post(f"{case}/replies", words, headers={"Idempotency-Key": "k1"})

    assert again == first
    texts = [message["text"] for message in (await desk_api.get(case))["transcript"]]
    assert texts.count("I am so sorry.") == 1


async def test_two_equal_requests_at_once_are_worked_off_once(desk_api: Edge, shop: Workshop, sam: Agent) -> None:
    """Whoever comes second gets the same answer or is told that the first is still being answered."""
    case = f"{CASES}/{await unhappy_customer(shop)}"

    async def reply() -> int:
        options = {"json": {"agent": sam.id, "text": "Sorry."}, "headers": {**desk_api.headers, "Idempotency-Key": "k"}}
        async with desk_api.client.post(f"{case}/replies", **options) as response:
            return response.status

    statuses = await asyncio.gather(*(reply() for _ in range(4)))

    assert 200 in statuses
    assert set(statuses) <= {200, 409}
    texts = [message["text"] for message in (await desk_api.get(case))["transcript"]]
    assert texts.count("Sorry.") == 1


async def test_a_key_used_for_another_request_is_refused(api: Edge) -> None:
    """It would otherwise be answered with something that was not asked."""
    await api.post(EVENTS, LUNCH, 201, headers={"Idempotency-Key": "k1"})

    problem = await api.post(EVENTS, lunch(external_id="order-2"), 422, headers={"Idempotency-Key": "k1"})
    repeated = await api.post(EVENTS, LUNCH, 201, headers={"Idempotency-Key": "k1"})

    assert problem["errors"][0]["field"] == "Idempotency-Key"
    assert repeated["external_id"] == "order-1001"


async def test_a_refused_request_may_be_corrected_under_the_same_key(api: Edge) -> None:
    """Only what was done is remembered."""
    await api.post(EVENTS, lunch(site="moon"), 422, headers={"Idempotency-Key": "k1"})

    await api.post(EVENTS, LUNCH, 201, headers={"Idempotency-Key": "k1"})


async def test_a_kept_answer_is_forgotten_after_a_day_and_an_abandoned_one_after_a_minute(
    api: Edge, shop: Workshop, clock: Clock
) -> None:
    """A process that died while answering does not block its caller for good."""
    await api.post(EVENTS, LUNCH, 201, headers={"Idempotency-Key": "k1"})
    clock.forward(hours=25)
    await api.post(EVENTS, lunch(external_id="order-2"), 201, headers={"Idempotency-Key": "k1"})
    async with shop.store() as tx:
        (kept,) = await tx.all(KeptAnswer)
        kept.status, kept.at = 0, clock.now
        await tx.commit()

    await api.post(EVENTS, lunch(external_id="order-2"), 409, headers={"Idempotency-Key": "k1"})
    clock.forward(minutes=2)
    await api.post(EVENTS, lunch(external_id="order-2"), 200, headers={"Idempotency-Key": "k1"})


async def test_a_text_is_assessed_without_storing_anything(api: Edge, dialogue: FakeDialogue) -> None:
    """One text, or many in their order."""
    dialogue.p = 0.83
    text = {"text": "fine I guess", "question": "How was everything?", "rating": 4, "facts": {}, "reply_seconds": 40}

    one = await api.post("/api/v1/assess", text)
    many = await api.post("/api/v1/assess", {"items": [text, {"text": "lovely"}]})

    assert set(one) >= {"verdict", "probability", "threshold", "signals", "language", "intent"}
    assert set(one["intent"]) == {"name", "confidence"}
    assert len(many["items"]) == 2
    assert (await api.post("/api/v1/assess", {"items": []})) == {"items": []}
    for assessed in (one, *many["items"]):
        Assessed.model_validate(assessed, extra="forbid")


async def test_what_cannot_be_assessed_is_refused_by_its_place(api: Edge) -> None:
    """In a list, with its number."""
    problem = await api.post("/api/v1/assess", {"items": [{"text": "ok"}, {"text": "ok", "rating": 6}]}, 422)
    too_many = await api.post("/api/v1/assess", {"items": [{"text": "ok"}] * 501}, 422)

    assert problem["errors"][0]["field"] == "items.1.rating"
    assert too_many["errors"][0]["field"] == "items"


async def test_while_the_dialogue_is_away_the_caller_is_told_when_to_come_back(
    api: Edge, dialogue: FakeDialogue
) -> None:
    """503 with Retry-After, and none of its inner words."""
    dialogue.broken = DialogueUnavailable("connect to 10.1.2.3 failed")

    async with api.client.post("/api/v1/assess", json={"text": "ok"}, headers=api.headers) as response:
        problem = await response.json(content_type=None)

    assert (response.status, response.headers["Retry-After"]) == (503, "5")
    assert response.content_type == "application/problem+json"
    assert "10.1.2.3" not in problem["detail"]


async def test_an_error_nobody_expected_says_nothing_about_itself(api: Edge, dialogue: FakeDialogue) -> None:
    """It may quote a customer or a secret."""
    dialogue.broken = RuntimeError("+905321234567 said this")

    problem = await api.post("/api/v1/assess", {"text": "ok"}, 500)

    assert "+9053" not in str(problem)


async def test_the_contract_is_valid_and_names_every_operation(edge: Edge) -> None:
    """OpenAPI 3.1, readable without a key."""
    document = await edge.get("/api/v1/openapi.json")

    validate(document)
    assert document["openapi"].startswith("3.1")
    declared = {(path, method.upper()) for path, methods in document["paths"].items() for method in methods}
    assert declared == {(f"/api/v1{operation.path}", operation.method) for operation in OPERATIONS}
    for methods in document["paths"].values():
        for described in methods.values():
            assert {"401"} <= set(described["responses"])


async def test_an_address_that_does_not_exist_is_a_problem_for_programs(api: Edge) -> None:
    """And a wrong method says which are right."""
    missing = await api.get("/api/v1/nothing", 404)
    wrong = await api.call("DELETE", CASES, 405)

    assert missing["status"] == 404
    assert "GET" in wrong["detail"]


async def test_the_silence_ledger_holds_every_service_event_in_exactly_one_state(api: Edge, shop: Workshop) -> None:
    """The counts add up to all of them, and a page of lines says where each stands and why."""
    for number in range(3):
        await api.post("/api/v1/service-events", {**LUNCH, "external_id": f"ledger-{number}"}, 201)

    ledger = await api.get("/api/v1/silence-ledger?limit=2")
    rest = await api.get(f"/api/v1/silence-ledger?limit=2&cursor={ledger['next']}")

    assert ledger["total"] == sum(ledger["counts"].values()) == 3
    assert ledger["counts"]["pending"] == 3
    assert len({line["id"] for line in (*ledger["items"], *rest["items"])}) == 3
    assert rest["next"] is None
    assert (await api.get("/api/v1/silence-ledger?verdict=complaint"))["items"] == []
    assert (await api.get("/api/v1/silence-ledger?verdict=furious", 422))["errors"][0]["field"] == "verdict"
