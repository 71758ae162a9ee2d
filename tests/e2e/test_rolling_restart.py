"""Each process is stopped and started anew while customers write: nothing is lost, doubled or out of order."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import sqlalchemy as sa

from bot.core.vocabulary import Direction, HandoffReason, Medium
from bot.launch.training import ensure_model
from bot.services.conversing import handling_key
from bot.services.entities import Case, ContactPoint, Conversation, Message, Task
from tests.e2e.business import LATE, finished
from tests.e2e.house import ROOT
from tests.e2e.street import Street, two_of_everything

pytestmark = pytest.mark.e2e

AT_ONCE = 3
AT_LEAST = 40
PATIENCE = 240.0


@pytest.fixture
async def empty_postgres(postgres: str | None) -> AsyncIterator[str]:
    """The URL of an empty database, gone after the test."""
    if postgres is None:
        pytest.skip("no PostgreSQL answers; set AFTERWORD_TEST_POSTGRES to test on one")
    name = f"afterword_test_{uuid.uuid4().hex[:12]}"
    server = await asyncpg.connect(postgres)
    await server.execute(f'CREATE DATABASE "{name}"')
    await server.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
    yield f"{postgres.rsplit('/', 1)[0]}/{name}"
    await server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    await server.close()


@pytest.fixture
async def street(empty_postgres: str, tmp_path: Path) -> AsyncIterator[Street]:
    """Two edges, two workers, two Rasa servers, two action servers."""
    ensure_model(ROOT, tmp_path)
    async with two_of_everything(empty_postgres, tmp_path) as street:
        yield street


class Customer:
    """One customer: what they wrote, in order."""

    def __init__(self, street: Street, number: int) -> None:
        self.street, self.number = street, number
        self.phone = f"+4477009{number:05d}"
        self.wrote: list[str] = []

    async def dines(self, **changed: Any) -> dict[str, Any]:
        """A lunch is reported, and they are asked about it."""
        event: dict[str, Any] = await self.street.api("POST", "/service-events", finished(self.phone, **changed))
        await self.hears(1)
        return event

    async def writes(self, text: str) -> None:
        """One text, until it has been handled."""
        self.wrote.append(text)
        await self.street.text(self.phone, text)
        await eventually(self._all_handled, f"{self.phone} is answered")

    async def hears(self, number: int) -> list[str]:
        """Everything that reached the phone, once it is so many texts."""

        async def texts() -> list[str]:
            received = [item["body"] for item in await self.street.phone(self.phone) if item["direction"] == "out"]
            return received if len(received) >= number else []

        return await eventually(texts, f"{self.phone} hears {number} texts")

    async def _all_handled(self) -> bool:
        async with self.street.store(read_only=True) as tx:
            heard = [m for m in await messages_of(tx, self.phone) if m.direction is Direction.IN]
            tasks = [await tx.one(Task, key=handling_key(message.id)) for message in heard]
        return len(heard) == len(self.wrote) and all(task is not None and task.state == "done" for task in tasks)


async def eventually[T](look: Any, what: str) -> Any:
    """What `look` sees once it sees something."""
    try:
        async with asyncio.timeout(PATIENCE):
            while not (seen := await look()):  # noqa: ASYNC110 - what happens in other processes sets no event here
                await asyncio.sleep(0.2)
            return seen
    except TimeoutError:
        raise AssertionError(f"never: {what}") from None


async def messages_of(tx: Any, phone: str) -> list[Message]:
    """The thread with a phone, in order."""
    point = await tx.one(ContactPoint, medium=Medium.SMS, address=phone)
    conversation = await tx.one(Conversation, contact_point_id=point.id) if point else None
    return await tx.all(Message, conversation_id=conversation.id, order_by="position") if conversation else []


async def content(customer: Customer) -> None:
    """Asked, content, thanked; writes once more."""
    await customer.dines()
    await customer.writes("everything was lovely, thank you")
    await customer.hears(2)
    await customer.writes("see you next week!")


async def unhappy(customer: Customer) -> None:
    """Asked, unhappy, apologised to and handed over; an agent answers, and they thank."""
    event = await customer.dines(facts=LATE)
    await customer.writes("it was fine I guess, bit of a wait though")
    await customer.hears(2)
    case_id = (await customer.street.api("GET", f"/service-events/{event['id']}"))["case_id"]
    await customer.writes("we nearly left")
    words = f"Robin, this is Sam, about lunch {customer.number}."
    reply = {"agent": customer.street.demo["desk"][0]["email"], "text": words}
    await customer.street.api("POST", f"/cases/{case_id}/replies", reply, key=f"reply-{customer.number}")

    async def arrived() -> bool:
        return words in await customer.hears(1)

    await eventually(arrived, "the agent's words arrive")
    await customer.writes("thank you Sam")


async def test_a_rolling_restart_loses_nothing(street: Street) -> None:
    """Customers write all the time; each process in turn is told to stop, leaves in order, and is started anew."""
    customers: list[Customer] = []
    restarted = asyncio.Event()
    async with street.store(read_only=True) as tx:
        of_the_demo = {case.id for case in await tx.all(Case)}

    async def keep_coming() -> None:
        while not restarted.is_set() or len(customers) < AT_LEAST:
            customers.append(Customer(street, len(customers)))
            await (unhappy if customers[-1].number % 2 else content)(customers[-1])

    async def restart_each() -> None:
        for process in street.processes:
            await asyncio.to_thread(process.stop)
            process.start()
            await asyncio.to_thread(process.wait_until_ready)
        restarted.set()

    async with asyncio.TaskGroup() as group:
        group.create_task(restart_each())
        for _ in range(AT_ONCE):
            group.create_task(keep_coming())
    await eventually(lambda: nothing_left(street), "everything due is done")

    for customer in customers:
        await see_that_all_is_well(street, customer)
    await see_what_rasa_remembers(street)
    assert {status for status in street.balancer.answers if status >= 500} == set()
    async with street.store(read_only=True) as tx:
        assert await tx.all(Task, state="failed") == []
        cases = [case for case in await tx.all(Case) if case.id not in of_the_demo]
    assert len(cases) == len(customers) // 2
    assert {case.reason for case in cases} == {HandoffReason.DISSATISFIED}


async def nothing_left(street: Street) -> bool:
    """Whether no task is due."""
    async with street.store(read_only=True) as tx:
        return not await tx.tasks.any_due(datetime.now(UTC)) and not await tx.all(Task, state="doing")


async def see_that_all_is_well(street: Street, customer: Customer) -> None:
    """What they wrote was taken in once and in order; what we wrote reached the phone once and in order."""
    async with street.store(read_only=True) as tx:
        thread = await messages_of(tx, customer.phone)
    assert [m.text for m in thread if m.direction is Direction.IN] == customer.wrote
    ours = [m for m in thread if m.direction is Direction.OUT]
    on_the_phone = [item["body"] for item in await street.phone(customer.phone) if item["direction"] == "out"]
    assert on_the_phone == [m.text for m in ours], customer.phone
    assert {m.delivery for m in ours} <= {"sent", "delivered"}
    answered = [m.in_reply_to for m in ours if m.in_reply_to]
    asked = [m.id for m in thread if m.direction is Direction.IN]
    assert sorted(answered, key=asked.index) == answered


async def see_what_rasa_remembers(street: Street) -> None:
    """Each message that the bot heard is once in its conversation, in the order in which it was written, and the bot
    spoke first once."""
    said = "SELECT conversation_id, data FROM rasa_events WHERE type_name = 'user' ORDER BY conversation_id, position"
    async with street.store.engine.connect() as connection:
        rows = (await connection.execute(sa.text(said))).all()
    heard: dict[str, list[str]] = {}
    spoke: Counter[str] = Counter()
    for conversation_id, data in rows:
        event = json.loads(data)
        if event["metadata"].get("is_external"):
            spoke[conversation_id] += 1
        else:
            heard.setdefault(conversation_id, []).append(event["message_id"])
    async with street.store(read_only=True) as tx:
        for conversation_id, ids in heard.items():
            thread = await tx.all(Message, conversation_id=conversation_id, order_by="position")
            written = [message.id for message in thread if message.direction is Direction.IN]
            assert ids == written[: len(ids)]
    assert len(heard) >= AT_LEAST
    assert set(spoke.values()) == {1}
