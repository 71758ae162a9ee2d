"""Whoever speaks, one at a time: more than a thousand random interleavings of a customer, a bot, and two agents.

Whatever the order: nothing of the bot's leaves once a person has taken over, until they hand back; each message of
the customer is kept and heard once, in order; nothing is sent twice and what leaves keeps its order; nothing is lost
without a reason, no task is stuck, and every case that is not settled has somebody who speaks.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

import pytest
import structlog

from bot.core.cases import LIVE
from bot.core.check_in import ContactDecision, Outcome
from bot.core.vocabulary import Author, CaseState, Direction, Owner
from bot.services import outbox
from bot.services.entities import Case, ContactPoint, Conversation, Message, Task
from bot.store import tables
from bot.store.unit_of_work import SqlStore
from tests.services.interleaving import Day

INTERLEAVINGS = {"sqlite": 900, "postgresql": 120}
BATCHES = 5
SETTLED = {"queued", "sending", "sent", "delivered", "undelivered", "read", "withheld", "failed"}


@pytest.fixture(autouse=True)
def in_silence() -> Iterator[None]:
    """Hundreds of deaths in the middle of a turn need no report each."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.configure(**before)


async def one_day(store: SqlStore, seed: int) -> Day:
    """A day in the order the seed decides, of a customer nobody knew; what other days left to be done is gone."""
    async with store.engine.begin() as connection:
        await connection.execute(tables.tasks.delete())
    day = Day(store, seed)
    await day.begins()
    await day.goes_on()
    await day.ends()
    return day


async def wrongs(day: Day) -> list[str]:
    """Everything that is not as it should be at the end of a day."""
    async with day.store(read_only=True) as tx:
        threads = await tx.all(Conversation, id=(day.sms, day.web))
        ids = [thread.id for thread in threads]
        messages = await tx.all(Message, conversation_id=ids, order_by="position")
        cases = await tx.all(Case, conversation_id=ids)
        points = await tx.all(ContactPoint, id=[thread.contact_point_id for thread in threads])
        tasks = await tx.all(Task)
    found = list(day.channel.wrong)
    for thread in threads:
        own = [message for message in messages if message.conversation_id == thread.id]
        live = [case for case in cases if case.conversation_id == thread.id and case.state in LIVE]
        out = next(point for point in points if point.id == thread.contact_point_id).opted_out_at is not None
        found += _lost(day, own, thread.id, opted_out=out)
        found += _disordered(day, own)
        found += _unowned(thread, live)
    found += [f"{task.kind} is stuck: {task.last_error}" for task in tasks if task.state == "failed"]
    found += [f"{task.kind} waits for ever" for task in await day.waiting()]
    return found


def _lost(day: Day, messages: Sequence[Message], thread_id: str, *, opted_out: bool) -> Iterator[str]:
    inbound = [message for message in messages if message.direction is Direction.IN]
    if [message.text for message in inbound] != day.written[thread_id]:
        yield "the customer's words were not kept once and in order"
    bots = [
        message.text for message in messages if message.author is Author.BOT and message.text.endswith((" one", " two"))
    ]
    if len(bots) != len(set(bots)):
        yield "a message was answered twice"
    for message in messages:
        if message.direction is Direction.OUT and message.delivery not in SETTLED:
            yield f"{message.text} is {message.delivery} at the end of the day"
        if message.delivery in ("withheld", "failed") and not message.delivery_error:
            yield f"{message.text} is {message.delivery} and nobody knows why"
        lost = message.id in day.replied and message.id not in day.channel.taken and message.delivery != "failed"
        if lost and not opted_out:
            yield f"an agent's words were lost: {message.delivery} {message.delivery_error}"


def _disordered(day: Day, messages: Sequence[Message]) -> Iterator[str]:
    place = {message.id: message.position for message in messages}
    if sorted(place.values()) != list(range(1, len(place) + 1)):
        yield "positions have gaps"
    first = {id: number for number, id in reversed(list(enumerate(day.channel.begun)))}
    left = sorted((id for id in first if id in place), key=first.__getitem__)
    if [place[id] for id in left] != sorted(place[id] for id in left):
        yield "what left did not keep its order"
    heard = [place[id] for id in dict.fromkeys(day.dialogue.heard) if id in place]
    if heard != sorted(heard):
        yield "the bot heard the customer out of order"


def _unowned(thread: Conversation, live: Sequence[Case]) -> Iterator[str]:
    if len(live) > 1:
        yield "two live cases in one conversation"
    if thread.owner is Owner.AGENT and [case.id for case in live] != [thread.case_id]:
        yield "a person has the conversation, and no case says so"
    if thread.owner is Owner.BOT and any(case.state is not CaseState.CLAIMED for case in live):
        yield "a case waits for a person while the bot speaks"


@pytest.mark.parametrize("batch", range(BATCHES))
async def test_nobody_is_talked_over_and_nothing_is_lost(batch: int, store: SqlStore) -> None:
    """Each day in another order, which its seed repeats."""
    for seed in range(batch, INTERLEAVINGS[store.engine.dialect.name], BATCHES):
        day = await one_day(store, seed)

        assert await wrongs(day) == [], f"seed {seed}: {day.done}"


async def test_without_the_precondition_the_bot_is_caught_talking_over_people(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """These days would notice: with the gate left open, some of them go wrong."""
    monkeypatch.setattr(outbox, "may_leave", lambda leaving, now, window: ContactDecision(Outcome.PASS, now, ()))
    monkeypatch.setattr("bot.services.desk.withhold_waiting", _nothing)

    caught = [wrong for seed in range(25, 75) for wrong in (await one_day(store, seed)).channel.wrong]

    assert any("left after a person had spoken" in wrong for wrong in caught)
    assert any("left while a person owns the conversation" in wrong for wrong in caught)


async def _nothing(*_: object, **__: object) -> None:
    """In place of settling what waits."""
