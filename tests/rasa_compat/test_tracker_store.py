"""Conversations in a table, on SQLite and on PostgreSQL."""

import os
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import ActionExecuted, SessionStarted, SlotSet, UserUttered
from rasa.shared.core.trackers import DialogueStateTracker

from bot.rasa_compat.errors import ConversationErased, ConversationMoved
from bot.rasa_compat.event_table import async_url, erase, events_of, open_engine
from bot.rasa_compat.tracker_store import DATABASE_URL, EventTableStore

SERVER = os.environ.get("AFTERWORD_TEST_POSTGRES_URL", "postgresql://postgres@127.0.0.1:5432/postgres")
DOMAIN = Domain.from_yaml(
    "slots: {language: {type: text, influence_conversation: false, mappings: [{type: custom}]}}\nintents: [hello]"
)


@pytest.fixture(params=["sqlite", "postgresql"])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """An empty database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/rasa.sqlite"
        return
    name = f"afterword_test_{uuid4().hex[:12]}"
    try:
        server = await asyncpg.connect(SERVER, timeout=2)
    except (OSError, TimeoutError, asyncpg.PostgresError):
        pytest.skip("No PostgreSQL answers at AFTERWORD_TEST_POSTGRES_URL.")
    await server.execute(f"CREATE DATABASE {name}")
    yield f"{SERVER.rpartition('/')[0]}/{name}"
    await server.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await server.close()


@pytest.fixture
async def stores(url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[EventTableStore, EventTableStore]]:
    """Two Rasa processes' stores of one database."""
    monkeypatch.delenv(DATABASE_URL, raising=False)
    both = (EventTableStore(DOMAIN, url=url), EventTableStore(DOMAIN, url=url))
    yield both
    for store in both:
        await store.close()


def texts(tracker: DialogueStateTracker | None) -> list[str]:
    """What the customer said, in order."""
    assert tracker is not None
    return [event.text for event in tracker.events if isinstance(event, UserUttered)]


async def say(store: EventTableStore, conversation: str, *words: str) -> None:
    """Read, add the customer's words, save."""
    tracker = await store.get_or_create_tracker(conversation, append_action_listen=False)
    for word in words:
        tracker.update(UserUttered(word, message_id=word))
    await store.save(tracker)


async def test_what_was_saved_is_read_again(stores: tuple[EventTableStore, EventTableStore]) -> None:
    """Events and slots come back, in the same process and in another one."""
    here, there = stores
    await say(here, "c", "one", "two")
    tracker = await here.retrieve("c")
    assert tracker is not None
    tracker.update(SlotSet("language", "tr"))
    await here.save(tracker)

    for store in (here, there):
        read = await store.retrieve("c")
        assert texts(read) == ["one", "two"]
        assert read is not None
        assert read.get_slot("language") == "tr"


async def test_an_unknown_conversation_is_none(stores: tuple[EventTableStore, EventTableStore]) -> None:
    """A conversation that nobody wrote to does not exist."""
    store, _ = stores

    assert await store.retrieve("c") is None
    assert not await store.exists("c")
    assert list(await store.keys()) == []


async def test_processes_take_turns(stores: tuple[EventTableStore, EventTableStore]) -> None:
    """Each process sees what the other one wrote, although it keeps the conversation in memory."""
    here, there = stores

    for number in range(4):
        await say((here, there)[number % 2], "c", f"message {number}")

    assert texts(await here.retrieve("c")) == [f"message {number}" for number in range(4)]
    assert list(await here.keys()) == ["c"]


async def test_a_decision_on_an_outdated_conversation_is_refused(
    stores: tuple[EventTableStore, EventTableStore],
) -> None:
    """When both processes read and both write, the second write fails whole and the first one stands."""
    here, there = stores
    await say(here, "c", "one")
    first, second = await here.retrieve("c"), await there.retrieve("c")
    assert first is not None
    assert second is not None

    first.update(UserUttered("two"))
    await here.save(first)
    second.update_with_events([UserUttered("also two"), ActionExecuted("action_listen")], DOMAIN)
    with pytest.raises(ConversationMoved):
        await there.save(second)

    assert texts(await there.retrieve("c")) == ["one", "two"]


async def test_two_processes_begin_the_same_conversation(stores: tuple[EventTableStore, EventTableStore]) -> None:
    """A conversation can only be begun once."""
    here, there = stores
    first, second = await here.get_or_create_tracker("c"), await there.get_or_create_tracker("c")
    first.update(UserUttered("one"))
    await here.save(first)

    second.update(UserUttered("other"))
    with pytest.raises(ConversationMoved):
        await there.save(second)


async def test_what_was_not_saved_is_forgotten(stores: tuple[EventTableStore, EventTableStore]) -> None:
    """A turn that was given up leaves no trace in the tracker kept in memory."""
    store, _ = stores
    await say(store, "c", "one")
    abandoned = await store.retrieve("c")
    assert abandoned is not None
    abandoned.update(UserUttered("never saved"))

    assert texts(await store.retrieve("c")) == ["one"]


async def test_a_replaced_conversation_is_replaced_everywhere(
    stores: tuple[EventTableStore, EventTableStore],
) -> None:
    """A tracker from outside takes the place of the whole conversation, also where the old one is in memory."""
    here, there = stores
    await say(here, "c", "one")
    await say(there, "c", "two")

    replacement = DialogueStateTracker.from_events("c", [UserUttered("new"), UserUttered("again")], DOMAIN.slots)
    await here.save(replacement)

    assert texts(await there.retrieve("c")) == ["new", "again"]
    await say(there, "c", "more")
    assert texts(await here.retrieve("c")) == ["new", "again", "more"]


async def test_a_session_begins_anew(stores: tuple[EventTableStore, EventTableStore]) -> None:
    """Only the latest session is read for a turn; all of them are there for whoever asks."""
    store, other = stores
    await say(store, "c", "old")
    tracker = await store.retrieve("c")
    assert tracker is not None
    tracker.update_with_events([SessionStarted(), UserUttered("new")], DOMAIN)
    await store.save(tracker)

    assert texts(await store.retrieve("c")) == texts(await other.retrieve("c")) == ["new"]
    await say(store, "c", "newer")
    assert texts(await other.retrieve("c")) == ["new", "newer"]
    assert texts(await store.retrieve_full_tracker("c")) == ["old", "new", "newer"]


async def test_a_forgotten_conversation_begins_again(stores: tuple[EventTableStore, EventTableStore]) -> None:
    """After erasure nothing of before is left, also where it was in memory."""
    here, there = stores
    await say(there, "c", "secret", "secret too")
    assert await here.forget("c") == 2
    assert await there.retrieve("c") is None

    await say(here, "c", "hello", "again")

    assert texts(await there.retrieve("c")) == ["hello", "again"]


async def test_an_erased_conversation_never_begins_again(
    stores: tuple[EventTableStore, EventTableStore], url: str
) -> None:
    """Erased without asking any Rasa: none finds it again, also where it was in memory, and none begins it anew."""
    here, there = stores
    await say(here, "c", "secret")
    await say(there, "c", "secret too")
    await say(here, "d", "another's")
    engine = await open_engine(async_url(url))
    assert await erase(engine, ["c", "never heard of"]) == 2
    assert await erase(engine, ["c"]) == 0

    for store in stores:
        for conversation in ("c", "never heard of"):
            with pytest.raises(ConversationErased):
                await say(store, conversation, "hello")
            with pytest.raises(ConversationErased):
                await store.retrieve_full_tracker(conversation)
    assert list(await here.keys()) == ["d"]
    assert texts(await here.retrieve("d")) == ["another's"]
    await engine.dispose()


@pytest.mark.parametrize("before", [(), ("one",)], ids=["the first turn", "a later turn"])
async def test_a_turn_under_way_cannot_bring_an_erased_conversation_back(
    stores: tuple[EventTableStore, EventTableStore], url: str, before: tuple[str, ...]
) -> None:
    """It was read before the erasure and is saved after it, by a process that hears of no erasure."""
    here, _ = stores
    if before:
        await say(here, "c", *before)
    tracker = await here.get_or_create_tracker("c", append_action_listen=False)
    tracker.update(UserUttered("too late"))
    engine = await open_engine(async_url(url))

    await erase(engine, ["c"])

    with pytest.raises(ConversationMoved):
        await here.save(tracker)
    assert await events_of(engine, ["c"]) == []
    with pytest.raises(ConversationErased):
        await here.retrieve("c")
    await engine.dispose()


async def test_a_new_model_brings_its_slots(stores: tuple[EventTableStore, EventTableStore]) -> None:
    """Trackers in memory have the slots of the model that they were read with, so they are let go."""
    store, _ = stores
    await say(store, "c", "one")

    store.domain = Domain.from_yaml("slots: {site: {type: any, mappings: [{type: custom}]}}")

    tracker = await store.retrieve("c")
    assert tracker is not None
    assert "site" in tracker.slots


def test_a_database_of_another_kind_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The setting's name is in the error."""
    monkeypatch.setenv(DATABASE_URL, "mysql://somewhere/rasa")

    with pytest.raises(ValueError, match=DATABASE_URL):
        EventTableStore(DOMAIN)
