"""Twelve random fortnights of ten customers: whatever happens, nobody is written to first when they must not be.

People in zones of half hours and of clocks that jump, and some whose zone nobody knows, are served, answer, complain,
opt out and come back, on two channels; agents answer and resolve; the channel is down for hours. Whatever leaves is
looked at in the instant it leaves.
"""

from __future__ import annotations

import contextlib
import random
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from bot.core.check_in import ContactPolicy
from bot.core.errors import AfterwordError, ChannelError
from bot.core.vocabulary import Author, CheckInState, Decided, Direction, Medium, MessageKind, Purpose
from bot.services.entities import (
    Agent,
    CheckIn,
    ContactPoint,
    Conversation,
    Decision,
    Message,
    Site,
)
from bot.services.inbound import Received, receive_sms
from bot.services.intake import FinishedService, ServedCustomer, receive_service_event
from bot.services.ports import Accepted, Outbound
from bot.services.workshop import Rules, Workshop
from bot.store.unit_of_work import SqlStore, create_engine
from bot.work.loop import Worker
from tests.conftest import Clock, FakeChannel, FakeDialogue, FakeWords
from tests.core.clocks import jumps
from tests.services.house import CONTENT, UNHAPPY, House

FORTNIGHTS = 12
BATCHES = 4
POLICY = ContactPolicy()
FIRST = (Purpose.CHECK_IN, Purpose.FOLLOW_UP, Purpose.PROGRESS)
LONDON = ("Europe/London",)

PEOPLE: dict[str, tuple[str | None, tuple[str, ...]]] = {
    # phone: the recorded zone, and every zone in which it must be a waking hour
    "+447700900001": ("Europe/London", LONDON),
    "+989121234567": ("Asia/Tehran", ("Asia/Tehran",)),
    "+9779812345678": ("Asia/Kathmandu", ("Asia/Kathmandu",)),
    "+61412345678": ("Australia/Lord_Howe", ("Australia/Lord_Howe",)),
    "+12025550101": ("America/St_Johns", ("America/St_Johns",)),
    "+6421234567": ("Pacific/Chatham", ("Pacific/Chatham",)),
    "+905321234567": (None, (*LONDON, "Europe/Istanbul")),
    "+34612345678": (None, (*LONDON, "Europe/Madrid", "Atlantic/Canary")),
    "+18005551234": (None, LONDON),  # forty zones share no waking hour, so the number tells nothing
    "+447700900002": (None, LONDON),  # nobody knows where this number lives
}


@dataclass
class Watched:
    """A channel that looks, in the instant it is asked, at whom it is asked to write to; now and then it is down."""

    chance: random.Random
    store: SqlStore
    clock: Clock
    left: list[tuple[datetime, Message, ContactPoint]] = field(default_factory=list)

    async def send(self, outbound: Outbound) -> Accepted:
        """Accept most."""
        if self.chance.random() < 0.15:
            raise ChannelError("down", retry_after=self.chance.choice([60, 3600, 8 * 3600]))
        async with self.store(read_only=True) as tx:
            message = await tx.get(Message, outbound.message_id)
            conversation = await tx.get(Conversation, outbound.conversation_id)
            point = await tx.get(ContactPoint, conversation.contact_point_id)
        self.left.append((self.clock(), message, point))
        return Accepted(f"SM{outbound.message_id}", "queued", sender="+15005550006")


class Fortnight:
    """Two weeks in an order that only the seed decides."""

    def __init__(self, house: House, chance: random.Random, sam: Agent) -> None:
        self.house, self.chance, self.sam = house, chance, sam
        self.served = 0

    async def act(self) -> None:
        """Somebody does something, and time passes."""
        options: list[Callable[[], Awaitable[object]]] = [
            self.a_service_ends,
            self.a_service_ends,
            self.two_services_end,
            self.customer_writes,
            self.agent_acts,
        ]
        # The desk refuses what is not possible just now, and there may be no case yet.
        with contextlib.suppress(AfterwordError, IndexError):
            await self.chance.choice(options)()
        for _ in range(self.chance.choice([1, 1, 2, 6])):
            self.house.later(minutes=self.chance.choice([1, 20, 70, 300, 900]))
            await self.house.worker.drain()

    async def a_service_ends(self, phone: str | None = None, ago: timedelta | None = None) -> None:
        """By phone or on the web; most agreed to be asked."""
        phone = phone or self.chance.choice(list(PEOPLE))
        self.served += 1
        medium = self.chance.choice([Medium.SMS, Medium.SMS, Medium.WEBCHAT])
        agreed = {Medium.SMS: self.chance.random() < 0.9}
        customer = ServedCustomer(f"c-{phone}", "Robin", phone, "en", PEOPLE[phone][0], agreed)
        ended = self.house.clock.now - (ago or timedelta(hours=self.chance.choice([0, 1, 30])))
        report = FinishedService(f"order-{self.served}", "visit", "harbour", "lunch", ended, customer, medium)
        await receive_service_event(self.house.shop, report)

    async def two_services_end(self) -> None:
        """The same customer, twice at once."""
        phone = self.chance.choice(list(PEOPLE))
        for _ in range(2):
            await self.a_service_ends(phone)

    async def customer_writes(self) -> None:
        """Glad, unhappy, enough of it, or back again."""
        self.house.reading = self.chance.choice([CONTENT, UNHAPPY, UNHAPPY])
        words = self.chance.choice(["lovely", "an hour for a soup", "an hour for a soup", "STOP", "START", "HELP"])
        await receive_sms(self.house.shop, self.chance.choice(list(PEOPLE)), Received(words))

    async def agent_acts(self) -> None:
        """Answers or resolves some case."""
        case = self.chance.choice(await self.house.cases())
        if self.chance.random() < 0.4:
            await self.house.desk.reply(case.id, self.sam.id, "Sam here.")
        else:
            await self.house.resolves(case, self.sam)


@pytest.fixture
async def empty(prepared_sqlite: Path) -> AsyncIterator[Callable[[int], SqlStore]]:
    """Makes empty stores on SQLite, in memory where the machine lets us."""
    engines = []

    def make(seed: int) -> SqlStore:
        path = prepared_sqlite.with_name(f"restraint-{seed}.sqlite")
        shutil.copy(prepared_sqlite, path)
        engines.append((create_engine(f"sqlite+aiosqlite:///{path}"), path))
        return SqlStore(engines[-1][0])

    yield make
    for engine, path in engines:
        await engine.dispose()
        path.unlink()


async def lived(store: SqlStore, seed: int) -> tuple[House, Watched]:
    """A fortnight that begins close to a jump of somebody's clock, and then a week in which all is worked off."""
    chance = random.Random(seed)
    jumping = [jump for zone in ("Europe/London", "Australia/Lord_Howe", "America/St_Johns") for jump in jumps(zone)]
    clock = Clock(chance.choice(jumping) - timedelta(hours=chance.randrange(24 * 10)))
    dialogue, watched = FakeDialogue(), Watched(chance, store, clock)
    rules = Rules(check_in_delay=timedelta(minutes=30))
    shop = Workshop(store, clock, dialogue, FakeWords(), {Medium.SMS: watched, Medium.WEBCHAT: watched}, rules)  # type: ignore[dict-item]
    house = House(shop, Worker(shop), clock, dialogue, FakeChannel())
    weekly = {day: [["00:00", "00:00"]] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}
    async with store() as tx:
        tx.add(Site(id="harbour", name="Harbour", zone="Europe/London", weekly=weekly))
        await tx.commit()
    fortnight = Fortnight(house, chance, await house.hires())
    for phone in PEOPLE:
        await fortnight.a_service_ends(phone, ago=timedelta(days=4))  # too long ago to ask, but now they are known
    for _ in range(30):
        await fortnight.act()
    watched.chance = random.Random(0)
    watched.chance.random = lambda: 0.5  # type: ignore[method-assign]  # the last week is calm
    for _ in range(40):
        house.later(hours=8)
        await house.worker.drain()
    return house, watched


@pytest.mark.parametrize("batch", range(BATCHES))
async def test_nobody_is_written_to_first_at_night_too_often_or_after_an_opt_out(
    batch: int, empty: Callable[[int], SqlStore]
) -> None:
    """And each decision, either way, has its line in the trace."""
    proactive = 0
    for seed in range(batch, FORTNIGHTS, BATCHES):
        house, watched = await lived(empty(seed), seed)
        proactive += await check_what_left(house, watched, seed)
        await check_the_trace(house, seed)
    assert proactive > 20, "the fortnights were too quiet to prove anything"


async def check_what_left(house: House, watched: Watched, seed: int) -> int:
    """How many messages were written first; each at a good hour, within the cap, to somebody who had not opted out."""
    customers = {one.id: one.customer_id for one in await house.all(Conversation)}
    phones = {one.customer_id: one.address for one in await house.all(ContactPoint, medium=Medium.SMS)}
    first: dict[str, list[datetime]] = {}
    for at, message, point in watched.left:
        assert message.kind is MessageKind.COMPLIANCE or point.opted_out_at is None, f"seed {seed}: opted out"
        if message.author is Author.BOT and message.in_reply_to is None:
            customer = customers[message.conversation_id]
            # Whoever waits for an answer that was promised is told, whatever the cap.
            if message.purpose is not Purpose.PROGRESS:
                first.setdefault(customer, []).append(at)
            for zone in PEOPLE[phones[customer]][1]:
                assert POLICY.window.allows(at, ZoneInfo(zone)), f"seed {seed}: {message.purpose} {at} in {zone}"
    for instants in first.values():
        for at in instants:
            week = [one for one in instants if at - POLICY.cap_window < one <= at]
            assert len(week) <= POLICY.cap, f"seed {seed}: {week}"
    return sum(len(instants) for instants in first.values())


async def check_the_trace(house: House, seed: int) -> None:
    """Nothing happened without a line that says why, and no line names a phone."""
    lines: list[Decision] = await house.all(Decision, order_by="id")
    settled = {line.message_id for line in lines if line.outcome in (Decided.SENT, Decided.WITHHELD, Decided.FAILED)}
    ours = await house.all(Message, direction=Direction.OUT)
    assert {message.id for message in ours} <= settled, f"seed {seed}: a message without a line"
    for message in await house.all(Message, direction=Direction.IN):
        answered = any(one.in_reply_to == message.id for one in ours)
        told = any(line.message_id == message.id for line in lines)
        assert answered or told, f"seed {seed}: silence without a line"
    for check_in in await house.all(CheckIn):
        outcomes = [line.outcome for line in lines if line.check_in_id == check_in.id]
        last = Decided.ALLOWED if check_in.sent_at else (Decided.SKIPPED, Decided.CANCELLED)
        assert outcomes[0] is Decided.PLANNED, f"seed {seed}"
        assert check_in.state is not CheckInState.PLANNED, f"seed {seed}: deferred and never asked again"
        assert outcomes[-1] in (last if isinstance(last, tuple) else (last,)), f"seed {seed}: {outcomes}"
    for line in lines:
        assert not any(phone in f"{line.reason}{line.rules}{line.facts}" for phone in PEOPLE), f"seed {seed}"
        if line.outcome is Decided.POSTPONED:
            assert line.next_at is not None and line.next_at > line.at, f"seed {seed}: put off to no time"
