"""A whole workshop on a fresh database of each kind, with hand-written ports that tell what they were asked."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from bot.core.dialogue import Intent, Parsed, Turn, Utterance
from bot.core.vocabulary import Medium
from bot.services.entities import Site
from bot.services.ports import Accepted, Listed, Outbound, SentMessage
from bot.services.workshop import Rules, Workshop
from bot.store.unit_of_work import SqlStore
from tests.databases import database_url, empty_database_url, prepared_postgres, prepared_sqlite, store

__all__ = ["database_url", "empty_database_url", "prepared_postgres", "prepared_sqlite", "store"]

POSTGRES = os.environ.get("AFTERWORD_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")
NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
"""A Wednesday at noon in London: nobody's quiet hours, everybody's opening hours."""


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        """The time it was set to."""
        return self.now

    def forward(self, **delta: float) -> datetime:
        """Let time pass."""
        self.now += timedelta(**delta)
        return self.now


@dataclass
class FakeDialogue:
    """Says what it was told to say, and remembers what it was asked. `broken` is raised instead while it is set."""

    says: list[str] = field(default_factory=lambda: ["How was everything?"])
    intent: str = "satisfied"
    p: float = 0.1
    broken: Exception | None = None
    asked: list[dict[str, Any]] = field(default_factory=list)
    during_turn: Any = None

    async def turn(self, conversation_id: str, message_id: str, text: str, metadata: Mapping[str, Any]) -> Turn:
        """Answers with `says`; `during_turn` runs meanwhile, as the actions do."""
        self.asked.append({"turn": text, "message_id": message_id, **metadata})
        if self.broken:
            raise self.broken
        if self.during_turn:
            await self.during_turn(conversation_id, message_id)
        return Turn(tuple(Utterance(text) for text in self.says), Intent(self.intent, 0.9), None)

    async def trigger(self, conversation_id: str, occasion: str, intent: str, slots: Mapping[str, Any]) -> Turn:
        """Answers with `says`."""
        self.asked.append({"trigger": intent, **slots})
        if self.broken:
            raise self.broken
        return Turn(tuple(Utterance(text) for text in self.says))

    async def parse(self, items: Sequence[Mapping[str, Any]]) -> list[Parsed]:
        """Reads every text the same way."""
        if self.broken:
            raise self.broken
        found = {"p": self.p, "signals": [], "failure": "", "failure_words": ""}
        return [Parsed(Intent(self.intent, 0.9), "en", found) for _ in items]

    async def resume(self, conversation_id: str) -> None:
        """Remembers that it was told."""
        self.asked.append({"resume": conversation_id})
        if self.broken:
            raise self.broken

    async def ready(self) -> bool:
        """Ready unless broken."""
        return self.broken is None


class FakeWords:
    """Renders a response as its own name, language and slots, so that a test sees which words were chosen."""

    def render(
        self, name: str, language: str | None, channel: str | None = None, slots: Mapping[str, Any] | None = None
    ) -> str:
        """`utter_help[en]`."""
        return f"{name}[{language}]"


@dataclass
class FakeChannel:
    """Takes every text, or raises what it was told to."""

    sent: list[Outbound] = field(default_factory=list)
    fails_with: list[Exception] = field(default_factory=list)
    lists: list[SentMessage] = field(default_factory=list)
    missed: list[Listed] = field(default_factory=list)
    asked_since: list[datetime] = field(default_factory=list)

    async def reconcile(self, to: str, since: datetime) -> list[SentMessage]:
        """What it says it took."""
        return self.lists

    async def listed_since(self, since: datetime) -> list[Listed]:
        """Everything it knows of."""
        self.asked_since.append(since)
        return self.missed

    async def send(self, outbound: Outbound) -> Accepted:
        """Accept, after the failures that were asked for."""
        if self.fails_with:
            raise self.fails_with.pop(0)
        self.sent.append(outbound)
        return Accepted(f"SM{outbound.message_id}", "queued")

    @property
    def texts(self) -> list[str]:
        """What left, in order."""
        return [outbound.text for outbound in self.sent]


@pytest.fixture(scope="session")
def postgres() -> str | None:
    """The URL of a PostgreSQL server to make databases in, or None when none answers."""

    async def answers() -> bool:
        try:
            connection = await asyncpg.connect(POSTGRES, timeout=3)
        except (OSError, asyncpg.PostgresError, TimeoutError):
            return False
        await connection.close()
        return True

    return POSTGRES if asyncio.run(answers()) else None


@pytest.fixture
def clock() -> Clock:
    """Noon, until a test moves it."""
    return Clock()


@pytest.fixture
def dialogue() -> FakeDialogue:
    """A bot that says one thing."""
    return FakeDialogue()


@pytest.fixture
def sms() -> FakeChannel:
    """A channel that takes every text."""
    return FakeChannel()


@pytest.fixture
async def shop(store: SqlStore, clock: Clock, dialogue: FakeDialogue, sms: FakeChannel) -> Workshop:
    """The workshop of a business with one site, open 09:00-21:00 every day in London."""
    async with store() as tx:
        weekly = {day: [["09:00", "21:00"]] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}
        tx.add(Site(id="harbour", name="Harbour", zone="Europe/London", weekly=weekly))
        await tx.commit()
    return Workshop(
        store=store,
        clock=clock,
        dialogue=dialogue,
        words=FakeWords(),
        channels={Medium.SMS: sms, Medium.WEBCHAT: sms},
        rules=Rules(languages=frozenset({"en", "tr"}), check_in_delay=timedelta(0)),
    )
