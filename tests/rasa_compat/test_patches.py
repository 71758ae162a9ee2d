"""Where Rasa would go on silently, it stops."""

from types import SimpleNamespace
from typing import Any

import pytest
from jsonschema import ValidationError
from rasa.core.actions.action import RemoteAction
from rasa.core.agent import Agent
from rasa.core.channels.channel import InputChannel
from rasa.core.constants import DEFAULT_SERVER_INTERFACE
from rasa.core.lock_store import InMemoryLockStore
from rasa.core.tracker_store import FailSafeTrackerStore, InMemoryTrackerStore, TrackerStore
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import Event, UserUttered
from rasa.shared.exceptions import RasaException
from rasa.utils.endpoints import EndpointConfig

from bot.rasa_compat.channel import TOKEN, AfterwordInput, refuse_to_forget
from bot.rasa_compat.errors import StoreNotFound
from bot.rasa_compat.lock_store import ConversationLocks
from bot.rasa_compat.tracker_store import EventTableStore


def app_with(tracker_store: Any, lock_store: Any) -> Any:
    """A server that has just started with these stores."""
    agent = SimpleNamespace(tracker_store=tracker_store, lock_store=lock_store, is_ready=lambda: True)
    return SimpleNamespace(ctx=SimpleNamespace(agent=agent))


def test_a_tracker_store_that_cannot_be_imported_is_an_error() -> None:
    """Rasa would keep conversations in memory instead."""
    with pytest.raises(StoreNotFound, match=r"no\.such\.Store"):
        TrackerStore.create(EndpointConfig(type="no.such.Store"))


def test_errors_of_our_store_are_heard() -> None:
    """Rasa wraps other stores so that their errors continue in memory; ours it uses as it is."""
    ours = EventTableStore(Domain.empty(), url="sqlite:///:memory:")

    assert Agent(tracker_store=ours).tracker_store is ours
    assert isinstance(Agent(tracker_store=InMemoryTrackerStore(Domain.empty())).tracker_store, FailSafeTrackerStore)


async def test_the_server_does_not_start_with_other_stores() -> None:
    """Rasa falls back to memory without a word, so the start asks what it really uses."""
    ours = EventTableStore(Domain.empty(), url="sqlite:///:memory:")

    with pytest.raises(StoreNotFound, match="InMemoryTrackerStore"):
        await refuse_to_forget(app_with(InMemoryTrackerStore(Domain.empty()), ConversationLocks()))
    with pytest.raises(StoreNotFound, match="InMemoryLockStore"):
        await refuse_to_forget(app_with(ours, InMemoryLockStore()))
    await refuse_to_forget(app_with(ours, ConversationLocks()))
    await ours.close()


def test_the_channel_needs_its_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a secret there is no channel, rather than an open one."""
    monkeypatch.delenv(TOKEN, raising=False)

    with pytest.raises(RasaException, match=TOKEN):
        AfterwordInput.from_credentials(None)
    assert issubclass(AfterwordInput, InputChannel)


def test_rasa_listens_on_loopback() -> None:
    """Nothing outside this machine reaches Rasa by default."""
    assert DEFAULT_SERVER_INTERFACE == "127.0.0.1"


def test_answers_of_the_action_server_are_still_validated() -> None:
    """The validator is compiled once and finds what it always found."""
    action = RemoteAction("action_any", None)

    assert action._validate_action_result({"events": [{"event": "slot", "name": "a", "value": 1}], "responses": []})
    with pytest.raises(ValidationError):
        action._validate_action_result({"events": "none", "responses": []})


def test_event_types_are_found_as_before() -> None:
    """The remembered types are Rasa's, and an unknown one is an error or the default."""
    assert Event.resolve_by_type("user") is Event.resolve_by_type("user") is UserUttered
    assert Event.resolve_by_type("unheard of", UserUttered) is UserUttered
    with pytest.raises(ValueError, match="unheard of"):
        Event.resolve_by_type("unheard of")
