"""Corrections of what takes most of a turn's time in Rasa 3.6.21; each does what the code it replaces does."""

from __future__ import annotations

import asyncio
import copy
import functools
import json
from collections.abc import Mapping, Sequence
from types import SimpleNamespace, TracebackType
from typing import Any, Self
from uuid import uuid4

import aiohttp

from bot.servers import Servers

_MOST_STATES = 5_000
ANSWER_SECONDS = 10.0
"""How long an action may take; less than the worker waits for its turn."""


def event_types(module: Any) -> None:
    """Rasa walks every subclass of Event for every event it reads; the answer never changes."""
    resolve = module.Event.resolve_by_type
    known: dict[str, Any] = {}

    def resolve_by_type(type_name: str, default: Any = None) -> Any:
        if type_name in known:
            return known[type_name]
        found = resolve(type_name, default)
        if found is not None and found is not default:
            known[type_name] = found
        return found

    module.Event.resolve_by_type = staticmethod(resolve_by_type)


def action_results(module: Any) -> None:
    """Rasa checks its own schema again with each answer of the action server, 20 ms a time: compile it once.

    What is plainly in order (slots that were set, and nothing unusual beside them) is not shown to it at all.
    """

    @functools.cache
    def validator() -> Any:
        from jsonschema.validators import validator_for  # type: ignore[import-untyped]

        schema = module.RemoteAction.action_response_format_spec()
        return validator_for(schema)(schema)

    def validate(self: Any, result: Any) -> bool:
        if is_plain(result):
            return True
        from jsonschema.exceptions import best_match  # type: ignore[import-untyped]

        error = best_match(validator().iter_errors(result))
        if error is not None:
            raise error
        return True

    module.RemoteAction._validate_action_result = validate


def is_plain(result: Any) -> bool:
    """Whether an answer of the action server holds nothing but set slots and responses: the schema allows all such."""
    return (
        isinstance(result, dict)
        and result.keys() == {"events", "responses"}
        and isinstance(result["events"], list)
        and all(_sets_a_slot(event) for event in result["events"])
        and isinstance(result["responses"], list)
        and all(isinstance(response, dict) for response in result["responses"])
    )


def _sets_a_slot(event: Any) -> bool:
    return (
        isinstance(event, dict)
        and event.keys() == {"event", "timestamp", "name", "value"}
        and event["event"] == "slot"
        and isinstance(event["name"], str)
        and isinstance(event["timestamp"], int | float | None)
    )


def graph_runner(module: Any) -> None:
    """Rasa hands its few components to a scheduler for clusters, for every text and every prediction: call them."""
    module.dask = SimpleNamespace(get=call_in_order)


def call_in_order(graph: Mapping[str, Any], targets: Sequence[str]) -> list[Any]:
    """The values of `targets`; each entry of the graph is a value, or a callable followed by the names it needs."""
    known: dict[str, Any] = {}

    def value_of(name: str) -> Any:
        if name not in known:
            entry = graph[name]
            is_call = isinstance(entry, tuple) and entry and callable(entry[0])
            known[name] = entry[0](*(value_of(need) for need in entry[1:])) if is_call else entry
        return known[name]

    return [value_of(name) for name in targets]


class _KeptOpen:
    """A session as `async with` wants it, which stays open for the next request."""

    def __init__(self, session: Any) -> None:
        self._session = session

    async def __aenter__(self) -> Any:
        return self._session

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> Self | None:
        return None


def action_endpoint(module: Any) -> None:
    """Rasa opens a session and a connection for each call of an action: keep one session for each endpoint and loop."""
    open_session = module.EndpointConfig.session

    def session(self: Any) -> Any:
        loop = asyncio.get_running_loop()
        used_in, kept = vars(self).get("_afterword_session", (None, None))
        if used_in is not loop or kept.closed:
            kept = open_session(self)
            self._afterword_session = loop, kept
        return _KeptOpen(kept)

    module.EndpointConfig.session = session
    several_servers(module.EndpointConfig)


def several_servers(config: Any) -> None:
    """An endpoint may have several addresses, separated by commas: where one cannot be connected to, nothing has been
    sent, and the next is asked at once. Any other failure fails the call, a silence of `ANSWER_SECONDS` included (Rasa
    would wait for minutes): the turn is given back, and when it is tried again the silent one is asked last.
    """
    request = config.request

    async def request_one_of(self: Any, *args: Any, **kwargs: Any) -> Any:
        if "_afterword_copies" not in vars(self):
            addresses = [address.strip() for address in (self.url or "").split(",")]
            self._afterword_servers = Servers(addresses)
            self._afterword_copies = {
                address: _with_url(self, address) for address in self._afterword_servers.addresses
            }
        servers: Servers = self._afterword_servers
        last: Exception | None = None
        for address in servers.in_order(uuid4().hex):
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    answer = await request(self._afterword_copies[address], *args, **kwargs)
            except aiohttp.ClientConnectorError as error:
                servers.failed(address)
                last = error
            except (aiohttp.ClientConnectionError, TimeoutError):
                servers.failed(address)
                raise
            else:
                servers.answered(address)
                return answer
        assert last is not None
        raise last

    config.request = request_one_of


def _with_url(config: Any, url: str) -> Any:
    """The same endpoint at one of its addresses, with a session of its own."""
    one = copy.copy(config)
    one.url = url or None
    return one


def rule_policy(module: Any) -> None:
    """For each prediction Rasa compares every rule's states with the conversation's, reading the rules anew each time.

    How the latest state narrows the rules down depends on that state alone, and there are few: remember it. Only the
    rules that are left are compared with the states before, as far back as they reach.
    """
    policy = module.RulePolicy

    @functools.lru_cache(maxsize=10_000)
    def reach(rule: str) -> int:
        return len(policy._rule_key_to_state(rule))

    def by_latest_state(self: Any, lookup: Mapping[str, str], state: Any) -> frozenset[str]:
        known, narrowed = vars(self).setdefault("_afterword_narrowed", {}).setdefault(id(lookup), (lookup, {}))
        seen = len(known), json.dumps(state, sort_keys=True)
        if seen not in narrowed:
            if len(narrowed) >= _MOST_STATES:
                narrowed.clear()
            narrowed[seen] = frozenset(rule for rule in lookup if self._is_rule_applicable(rule, 0, state))
        found: frozenset[str] = narrowed[seen]
        return found

    def _get_possible_keys(self: Any, lookup: Mapping[str, str], states: list[Any]) -> set[str]:
        if not states:
            return set(lookup)
        left = set(by_latest_state(self, lookup, states[-1]))
        for back, state in enumerate(reversed(states[:-1]), 1):
            if not any(reach(rule) > back for rule in left):
                break
            left = {rule for rule in left if self._is_rule_applicable(rule, back, state)}
        return left

    policy._get_possible_keys = _get_possible_keys
