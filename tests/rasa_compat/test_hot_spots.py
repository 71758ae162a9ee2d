"""What was made faster does what it did."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web
from dask.local import get_sync
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator
from rasa.core.actions.action import RemoteAction
from rasa.core.policies.rule_policy import RulePolicy
from rasa.utils.endpoints import EndpointConfig

from bot.rasa_compat.hot_spots import call_in_order, is_plain
from tests.e2e.house import free_port

VALUES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(), st.lists(st.text()))
SLOTS = st.fixed_dictionaries(
    {
        "event": st.sampled_from(["slot", "slot", "slot", "pause", "nothing"]),
        "timestamp": st.one_of(st.none(), st.integers(), st.floats(allow_nan=False), st.text()),
        "name": st.one_of(st.text(), st.integers()),
        "value": VALUES,
    }
)
RESPONSES = st.dictionaries(st.sampled_from(["text", "response", "image"]), VALUES)


@given(st.fixed_dictionaries({"events": st.lists(SLOTS), "responses": st.lists(RESPONSES)}))
def test_what_passes_without_the_schema_would_have_passed_it(result: dict[str, Any]) -> None:
    """The short cut lets nothing through that Rasa would refuse."""
    if is_plain(result):
        Draft7Validator(RemoteAction.action_response_format_spec()).validate(result)


def test_a_plain_answer_of_an_action_takes_the_short_cut() -> None:
    """As rasa-sdk writes it."""
    slot = {"event": "slot", "timestamp": None, "name": "language", "value": "tr"}
    assert is_plain({"events": [slot], "responses": [{"response": "utter_thanks"}]})
    assert not is_plain({"events": [{"event": "pause", "timestamp": None}], "responses": []})


@given(st.integers(1, 9), st.data())
def test_a_graph_gives_the_scheduler_s_values(size: int, data: st.DataObject) -> None:
    """Inputs, calls, and calls of calls; each is called once."""
    graph: dict[str, Any] = {"input": ("input", 7)}
    called: list[str] = []
    for n in range(size):
        needs = data.draw(st.lists(st.sampled_from(sorted(graph)), max_size=3, unique=True))

        def add(*given: Any, name: str = f"node {n}") -> tuple[str, int]:
            called.append(name)
            return name, sum(value for _, value in given) + 1

        graph[f"node {n}"] = (add, *needs)
    targets = data.draw(st.lists(st.sampled_from(sorted(graph)), min_size=1, unique=True))

    found = call_in_order(graph, targets)

    assert len(called) == len(set(called))
    assert tuple(found) == tuple(get_sync(graph, targets))


STATES = st.fixed_dictionaries(
    {"prev_action": st.fixed_dictionaries({"action_name": st.sampled_from(["listen", "assess", "say"])})},
    optional={
        "user": st.fixed_dictionaries({"intent": st.sampled_from(["thanks", "complaint"])}),
        "slots": st.fixed_dictionaries({"next_step": st.sampled_from([[1.0, 0.0], [0.0, 1.0]])}),
    },
)
RULES = st.lists(st.lists(STATES, min_size=1, max_size=3), min_size=1, max_size=8)


def as_in_conversation(state: dict[str, Any]) -> dict[str, Any]:
    """Rules are read from JSON and have lists where conversations have tuples."""
    slots = {name: tuple(value) for name, value in state.get("slots", {}).items()}
    return {**state, "slots": slots} if slots else state


@given(RULES, st.lists(STATES, max_size=5))
def test_the_rules_that_apply_are_those_that_rasa_finds(
    rules: list[list[dict[str, Any]]], conversation: list[dict[str, Any]]
) -> None:
    """Rasa asks every rule about every state; asking again gives the same."""
    policy = object.__new__(RulePolicy)
    lookup = {json.dumps(rule): "action" for rule in rules}
    states = [as_in_conversation(state) for state in conversation]
    expected = {
        rule
        for rule in lookup
        if all(policy._is_rule_applicable(rule, back, state) for back, state in enumerate(reversed(states)))
    }

    assert policy._get_possible_keys(lookup, states) == expected
    assert policy._get_possible_keys(lookup, states) == expected


async def test_calls_of_actions_share_a_connection() -> None:
    """And an endpoint that was restarted is reached again."""
    peers: list[Any] = []

    async def answer(request: web.Request) -> web.Response:
        peers.append(request.transport.get_extra_info("peername") if request.transport else None)
        return web.json_response({"events": [], "responses": []})

    async def serve(port: int) -> web.AppRunner:
        app = web.Application()
        app.router.add_post("/webhook", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        return runner

    port = free_port()
    endpoint = EndpointConfig(f"http://127.0.0.1:{port}/webhook")
    runner = await serve(port)
    for _ in range(3):
        await endpoint.request(json={})
    assert len(set(peers)) == 1

    await runner.cleanup()
    runner = await serve(port)
    assert await endpoint.request(json={}) == {"events": [], "responses": []}
    await runner.cleanup()
    async with endpoint.session() as session:
        await session.close()
