"""Whoever speaks, one at a time: two hundred random interleavings of a bot, an agent and a customer.

Every turn, send and desk action is cut into the pieces between which others may act, and a seeded chance decides who
goes next. Whatever the order: nothing the bot says in dialogue is accepted by the channel once a person has taken
over, no message of the customer is lost, what leaves keeps its order, and a conversation that a person owns has a case
that somebody works on.
"""

from __future__ import annotations

import contextlib
import logging
import random
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from bot.core.cases import LIVE
from bot.core.errors import AfterwordError, ChannelError
from bot.core.vocabulary import Author, Direction, MessageKind, Owner, Step, StepState
from bot.services.entities import Agent, Case, Conversation, Message, Task
from bot.services.ports import Accepted, Outbound
from bot.services.workshop import Workshop
from bot.store.unit_of_work import SqlStore, create_engine
from bot.work.loop import Worker
from tests.conftest import Clock, FakeDialogue, FakeWords
from tests.services.house import CONTENT, UNHAPPY, House

INTERLEAVINGS = 200
BATCHES = 10
ROUNDS = 12


class Watched:
    """A channel that looks, in the instant it is asked, at who owns the conversation; now and then it is busy."""

    def __init__(self, chance: random.Random, store: SqlStore) -> None:
        self.chance, self.store = chance, store
        self.sent: list[Outbound] = []
        self.fails_with: list[Exception] = []
        self.talked_over: list[str] = []

    async def send(self, outbound: Outbound) -> Accepted:
        """Accept most; note every word of dialogue that is handed over while a person owns the conversation."""
        if self.chance.random() < 0.15:
            raise ChannelError("busy", retry_after=1)
        async with self.store(read_only=True) as tx:
            message = await tx.get(Message, outbound.message_id)
            conversation = await tx.get(Conversation, outbound.conversation_id)
        if message.kind is MessageKind.DIALOGUE and conversation.owner is Owner.AGENT:
            self.talked_over.append(outbound.text)
        self.sent.append(outbound)
        return Accepted(f"SM{outbound.message_id}", "queued")

    @property
    def texts(self) -> list[str]:
        """What left, in order."""
        return [outbound.text for outbound in self.sent]


class Day:
    """One day at the Harbour, in an order that only the seed decides."""

    def __init__(self, house: House, watched: Watched, chance: random.Random, sam: Agent) -> None:
        self.house, self.watched, self.chance, self.sam = house, watched, chance, sam
        self.written: list[str] = []

    async def act(self) -> None:
        """Somebody does something."""
        house = self.house
        options: list[Callable[[], Awaitable[Any]]] = [
            self.customer_writes,
            self.customer_writes,
            house.worker.drain,
            self.one_task,
            self.one_task,
            self.agent_replies,
            self.agent_claims,
            self.agent_hands_back,
            self.agent_resolves,
        ]
        # The desk refuses what is not possible just now, and there may be no case yet.
        with contextlib.suppress(AfterwordError, IndexError):
            await self.chance.choice(options)()
        house.later(seconds=self.chance.choice([0, 1, 5, 61]))

    async def customer_writes(self) -> None:
        """Happy or not; sometimes in two texts."""
        self.house.reading = self.chance.choice([CONTENT, UNHAPPY])
        for _ in range(self.chance.choice([1, 1, 2])):
            self.written.append(f"text {len(self.written)}")
            await self.house.arrives(self.written[-1])

    async def one_task(self) -> None:
        """A worker gets no further than one piece of work, and sometimes dies having claimed it."""
        tasks = await self.house.worker._claim(1)
        if tasks and self.chance.random() < 0.9:
            await self.house.worker._work(tasks[0])

    async def agent_replies(self) -> None:
        """Whatever the state, a person may try to speak."""
        await self.house.desk.reply((await self.house.case()).id, self.sam.id, f"Sam {self.chance.random()}")

    async def agent_claims(self) -> None:
        """Take it."""
        await self.house.desk.claim((await self.house.case()).id, self.sam.id)

    async def agent_hands_back(self) -> None:
        """Let the bot go on."""
        await self.house.desk.hand_back((await self.house.case()).id, self.sam.id)

    async def agent_resolves(self) -> None:
        """Every step, and done."""
        case = await self.house.case()
        for step in (Step.ACT, Step.COMPASSION, Step.COMPENSATE):
            await self.house.desk.step(case.id, self.sam.id, step, StepState.DONE, "")
        await self.house.desk.resolve(case.id, self.sam.id, "done")

    async def meanwhile(self, conversation_id: str, message_id: str) -> None:
        """What happens inside a turn of the bot: the actions, and perhaps a person before or after them."""
        await self.perhaps_a_person()
        await self.house.hear(conversation_id, message_id)
        await self.perhaps_a_person()
        if self.chance.random() < 0.1:
            raise RuntimeError("the worker died in the middle of the turn")

    async def perhaps_a_person(self) -> None:
        """An agent acts while the bot is thinking."""
        if self.chance.random() < 0.25:
            with contextlib.suppress(AfterwordError, IndexError):
                await self.chance.choice([self.agent_replies, self.agent_hands_back, self.agent_resolves])()


@pytest.fixture(autouse=True)
def in_silence() -> Iterator[None]:
    """Hundreds of deaths in the middle of a turn need no report each."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.configure(**before)


@pytest.fixture
async def empty(prepared_sqlite: Path) -> AsyncIterator[Callable[[int], Awaitable[SqlStore]]]:
    """Makes empty stores on SQLite, in memory where the machine lets us."""
    engines = []

    async def make(seed: int) -> SqlStore:
        path = prepared_sqlite.with_name(f"ownership-{seed}.sqlite")
        shutil.copy(prepared_sqlite, path)
        engines.append((create_engine(f"sqlite+aiosqlite:///{path}"), path))
        return SqlStore(engines[-1][0])

    yield make
    for engine, path in engines:
        await engine.dispose()
        path.unlink()


async def one_day(store: SqlStore, seed: int) -> tuple[House, Watched, Day]:
    """A day in the order the seed decides, worked off to its end."""
    chance = random.Random(seed)
    clock, dialogue = Clock(), FakeDialogue(says=["bot one", "bot two"])
    watched = Watched(chance, store)
    shop = Workshop(store, clock, dialogue, FakeWords(), dict.fromkeys(("sms", "webchat"), watched))  # type: ignore[arg-type]
    house = House(shop, Worker(shop), clock, dialogue, watched)  # type: ignore[arg-type]
    day = Day(house, watched, chance, await house.hires("Sam", site_id=None))
    dialogue.during_turn = day.meanwhile
    for _ in range(ROUNDS):
        await day.act()
    dialogue.during_turn = house.hear
    chance.random = lambda: 0.5  # type: ignore[method-assign]  # the evening is calm
    for _ in range(40):
        if not await house.worker.drain() and not await pending(store):
            break
        house.later(seconds=65)
    return house, watched, day


async def pending(store: SqlStore) -> bool:
    """Whether a message still waits to be handled or sent."""
    async with store(read_only=True) as tx:
        return bool(await tx.all(Task, kind=("handle_message", "send_message"), state=("todo", "doing")))


@pytest.mark.parametrize("batch", range(BATCHES))
async def test_nobody_is_talked_over_and_nothing_is_lost(
    batch: int, empty: Callable[[int], Awaitable[SqlStore]]
) -> None:
    """Twenty days a batch, each in another order."""
    for seed in range(batch, INTERLEAVINGS, BATCHES):
        house, watched, day = await one_day(await empty(seed), seed)

        messages = await house.all(Message, order_by="position")
        assert watched.talked_over == [], f"seed {seed}"
        kept = [m.text for m in messages if m.direction is Direction.IN]
        assert kept == day.written, f"seed {seed}: every text once, in order"
        assert [m.position for m in messages] == list(range(1, len(messages) + 1))
        left = [outbound.message_id for outbound in watched.sent]
        assert len(left) == len(set(left)), f"seed {seed}: nothing left twice"
        in_order = [m.id for m in messages if m.id in set(left)]
        assert left == in_order, f"seed {seed}: what left kept its order"
        said = [m for m in messages if m.author is Author.AGENT]
        assert {m.id for m in said} <= set(left), f"seed {seed}: a person's words leave"
        assert {m.delivery for m in messages} <= {"received", "queued", "withheld"}, f"seed {seed}"
        for conversation in await house.all(Conversation, owner=Owner.AGENT):
            live = await house.all(Case, conversation_id=conversation.id, state=LIVE)
            assert [case.id for case in live] == [conversation.case_id], f"seed {seed}: somebody is in charge"
