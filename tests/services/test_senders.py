"""Our sender: its pace is shared by every worker, answers go first, and its provider's anger holds it back."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from itertools import pairwise

import pytest

from bot.core.delivery import Hold, problem
from bot.core.errors import ChannelError
from bot.core.pace import Pace
from bot.core.vocabulary import Medium
from bot.services.entities import Message, Sender, Task
from bot.services.intake import receive_service_event
from bot.services.senders import Notice, back_off, declare, find_room, notices, pause, resume
from bot.store.unit_of_work import SqlStore, create_engine
from tests.conftest import NOON
from tests.services.house import House, lunch, robin

LONG_TEXT = "How was everything? " * 12
"""Two segments."""


async def paced(house: House, pace: Pace) -> None:
    """From now on texts have a sender that is this fast."""
    await declare(house.shop.store, Medium.SMS, "+15005550006", pace, now=house.clock.now)


async def ask(house: House, guests: int, *, first: int = 0) -> None:
    """So many guests of their own are to be asked how it was."""
    for n in range(first, first + guests):
        guest = robin(external_id=f"guest-{n}", phone=f"+4477001{n:05}")
        await receive_service_event(house.shop, lunch(f"order-{n}", customer=guest))
    await house.worker.drain()


async def seconds_pass(house: House, seconds: int) -> None:
    """Time passes, and the worker looks every second."""
    for _ in range(seconds):
        house.later(seconds=1)
        await house.worker.drain()


async def held(house: House) -> list[Notice]:
    """What holds senders back."""
    async with house.shop.store(read_only=True) as tx:
        return await notices(tx, house.clock.now)


async def test_a_backlog_of_questions_leaves_at_the_pace_and_loses_nobody(house: House) -> None:
    """Twenty questions of two segments at one a second: two at once, then one every other second."""
    await paced(house, Pace(1, 10))
    house.dialogue.says = [LONG_TEXT]
    await ask(house, 20)
    left = [len(house.sms.sent)]
    while len(house.sms.sent) < 20:
        house.later(seconds=2)
        await house.worker.drain()
        left.append(len(house.sms.sent))

    assert left[0] == 2
    assert all(later - earlier <= 2 for earlier, later in pairwise(left))
    assert len(left) < 25
    assert len({outbound.to for outbound in house.sms.sent}) == 20


async def test_waiting_for_room_is_not_an_attempt(house: House) -> None:
    """However often a question had to wait, it may still fail a dozen times on its own account."""
    await paced(house, Pace(1, 2))
    await ask(house, 6)

    waiting = [task for task in await house.all(Task, kind="send_message") if task.state == "todo"]
    assert len(waiting) >= 4
    assert {task.attempts for task in waiting} == {0}
    await seconds_pass(house, 10)
    assert len(house.sms.sent) == 6


async def test_a_reply_of_an_agent_overtakes_every_waiting_question(house: House) -> None:
    """And so does the answer to STOP."""
    await paced(house, Pace(1, 10))
    sam = await house.hires()
    case = await house.complains()
    house.dialogue.says = [LONG_TEXT]
    await ask(house, 40)
    before = len(house.sms.sent)

    await house.desk.reply(case.id, sam.id, "Robin, Sam here. I am sorry about the soup.")
    await house.worker.drain()
    await house.writes("STOP")

    assert before < 20
    assert house.sms.texts[before:] == ["Robin, Sam here. I am sorry about the soup.", "utter_opt_out[en]"]


async def test_answers_that_wait_keep_their_order_and_go_before_questions(house: House) -> None:
    """A saturated sender works off the answers first, each conversation in its order."""
    await paced(house, Pace(1, 4))
    house.dialogue.says = [f"{n}. {LONG_TEXT}" for n in range(5)]
    await house.writes("hello")
    assert [text[:2] for text in house.sms.texts] == ["0.", "1."]
    house.dialogue.says = ["How was it?"]
    await ask(house, 3)
    await seconds_pass(house, 25)

    assert [text[:2] for text in house.sms.texts[:5]] == ["0.", "1.", "2.", "3.", "4."]
    assert house.sms.texts[5:] == ["How was it?"] * 3


async def test_a_question_of_several_texts_keeps_its_order_while_it_waits(house: House) -> None:
    """The second text does not slip through where the first found no room."""
    await paced(house, Pace(1, 4))
    house.dialogue.says = [LONG_TEXT, "first", "second"]
    await ask(house, 2)
    await seconds_pass(house, 20)

    assert len(house.sms.sent) == 6
    for address in {outbound.to for outbound in house.sms.sent}:
        assert [o.text for o in house.sms.sent if o.to == address] == [LONG_TEXT.strip(), "first", "second"]


async def test_a_question_that_waits_is_withheld_when_the_customer_writes_first(house: House) -> None:
    """It holds back no answer, and has lost its point."""
    await paced(house, Pace(1, 2))
    house.dialogue.says = [LONG_TEXT]
    await ask(house, 1)
    await house.serve("order-of-robin")
    house.dialogue.says = ["Lovely."]
    await house.writes("lunch was lovely")
    await seconds_pass(house, 10)

    assert [o.text for o in house.sms.sent if o.to == "+447700900001"] == ["Lovely."]


async def test_a_medium_without_a_pace_is_not_held_up(house: House) -> None:
    """The web chat has no carrier."""
    await paced(house, Pace(1, 2))
    async with house.shop.store() as tx:
        rooms = [await find_room(tx, Medium.WEBCHAT, segments=9, first=False, placed=False, now=NOON) for _ in range(9)]

    assert [(room.at, room.counted) for room in rooms] == [(None, False)] * 9


@pytest.fixture
async def workers(database_url: str, store: SqlStore) -> AsyncIterator[list[SqlStore]]:
    """The same database as four processes see it."""
    async with AsyncExitStack() as stack:
        engines = [create_engine(database_url) for _ in range(4)]
        for engine in engines:
            stack.push_async_callback(engine.dispose)
        yield [SqlStore(engine) for engine in engines]


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_many_workers_share_one_meter(workers: list[SqlStore], store: SqlStore, seed: int) -> None:
    """Whoever asks, in whatever order: no window carries more than the pace and one burst."""
    pace, dice = Pace(2, 10), random.Random(seed)
    await declare(store, Medium.SMS, "+15005550006", pace, now=NOON)
    left: list[tuple[float, int]] = []

    async def ask_at(second: float, worker: SqlStore, size: int) -> None:
        now = NOON + timedelta(seconds=second)
        async with worker() as tx:
            room = await find_room(tx, Medium.SMS, segments=size, first=False, placed=True, now=now)
            await tx.commit(durable=False)
        if room.at is None:
            left.append((second, size))

    for second in range(0, 30, 3):
        burst = [(dice.choice(workers), dice.randint(1, 4)) for _ in range(dice.randint(0, 12))]
        await asyncio.gather(*(ask_at(float(second), worker, size) for worker, size in burst))

    assert left
    for begin, _ in left:
        for length in (1, 3, 9, 30):
            carried = sum(size for at, size in left if begin <= at < begin + length)
            assert carried <= pace.segments_per_second * length + pace.burst


async def test_a_sender_that_is_declared_again_keeps_its_meter_unless_it_is_another(house: House) -> None:
    """A restart must not give a fresh burst; another number starts fresh; the pace is what was said last."""
    await paced(house, Pace(1, 2))
    await ask(house, 1)
    busy = (await house.one(Sender)).busy_until

    await paced(house, Pace(3, 15))
    again = await house.one(Sender)
    await declare(house.shop.store, Medium.SMS, "+15005550009", Pace(3, 15), now=house.clock.now)
    other = await house.one(Sender)

    assert busy > house.clock.now
    assert (again.busy_until, again.segments_per_second) == (busy, 3)
    assert (other.name, other.busy_until) == ("+15005550009", house.clock.now)


async def test_a_pause_for_questions_lets_answers_through(house: House) -> None:
    """The carrier filters us: questions wait for the hour, an answer tries its luck, and the notice tells why."""
    await paced(house, Pace(10, 50))
    async with house.shop.store() as tx:
        await pause(tx, Medium.SMS, problem("30007"), now=house.clock.now)
        await tx.commit()
    await ask(house, 3)
    await house.writes("hello")

    assert len(house.sms.sent) == 1
    [notice] = await held(house)
    assert (notice.problem.code, notice.hold, notice.until) == (
        "30007",
        Hold.FIRSTS,
        house.clock.now + timedelta(hours=1),
    )
    assert "filters" in notice.words
    house.later(hours=1, seconds=5)
    await house.worker.drain()
    assert len(house.sms.sent) == 4
    assert await held(house) == []


async def test_a_message_that_waits_for_a_pause_says_so(house: House) -> None:
    """The agent sees the provider's reason at the message, and not after it left."""
    await paced(house, Pace(10, 50))
    async with house.shop.store() as tx:
        await pause(tx, Medium.SMS, problem("63038"), now=house.clock.now)
        await tx.commit()
    await house.writes("hello")

    waiting = await house.one(Message, direction="out")
    assert (waiting.delivery, waiting.delivery_error, house.sms.sent) == ("queued", "63038", [])
    house.later(hours=24, seconds=1)
    await house.worker.drain()
    gone = await house.one(Message, direction="out")
    assert (len(house.sms.sent), gone.delivery_error) == (1, None)


async def test_the_stronger_pause_stands(house: House) -> None:
    """And the same one again makes it longer, never shorter."""
    await paced(house, Pace(1, 10))

    async def after(code: str) -> tuple[str, float]:
        async with house.shop.store() as tx:
            await pause(tx, Medium.SMS, problem(code), now=house.clock.now)
            await tx.commit()
        [notice] = await held(house)
        return notice.problem.code, (notice.until - NOON) / timedelta(hours=1)

    assert await after("30007") == ("30007", 1)
    house.later(minutes=30)
    assert await after("30007") == ("30007", 1.5)
    assert await after("63038") == ("63038", 24.5)
    assert await after("30034") == ("63038", 24.5)


async def test_a_pause_can_be_ended_by_hand(house: House) -> None:
    """When what was wrong is put right; what waited asks for room at its own time, new words at once."""
    await paced(house, Pace(10, 50))
    async with house.shop.store() as tx:
        await pause(tx, Medium.SMS, problem("63038"), now=house.clock.now)
        await tx.commit()

    assert await resume(house.shop.store, Medium.SMS, now=house.clock.now)
    assert not await resume(house.shop.store, Medium.SMS, now=house.clock.now)
    await house.writes("hello")

    assert (await held(house), len(house.sms.sent)) == ([], 1)


async def test_a_busy_provider_is_left_alone_by_everybody(house: House) -> None:
    """One 429 with Retry-After: nobody else tries before that time, and then one after the other."""
    await paced(house, Pace(1, 10))
    house.sms.fails_with = [ChannelError("busy", code="20429", retry_after=60)]
    await house.writes("hello")
    await ask(house, 3)
    house.later(seconds=59)
    await house.worker.drain()
    assert house.sms.sent == []

    for _ in range(40):
        house.later(seconds=2)
        await house.worker.drain()
    assert len(house.sms.sent) == 4
    assert await held(house) == []


async def test_backing_off_needs_a_sender(house: House) -> None:
    """Where there is none, there is nothing to hold back."""
    async with house.shop.store() as tx:
        await back_off(tx, Medium.WEBCHAT, timedelta(hours=1), now=NOON)
        await pause(tx, Medium.WEBCHAT, problem("63038"), now=NOON)
        assert await notices(tx, NOON) == []
