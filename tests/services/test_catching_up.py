"""Webhooks that never came: the provider's own list makes up for them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.core.errors import ChannelError
from bot.core.vocabulary import Direction
from bot.services.catching_up import keep_catching_up
from bot.services.entities import Message, Task
from bot.services.ports import Listed
from tests.services.house import House

PHONE = "+447700900001"


def text(words: str, sid: str, *, inbound: bool = True, status: str = "received") -> Listed:
    """One message as the provider lists it."""
    return Listed(sid, inbound, PHONE, words, status)


@pytest.fixture
async def caught(house: House) -> House:
    """A house whose worker has begun."""
    await keep_catching_up(house.shop)
    await house.worker.drain()
    return house


async def inbound(house: House) -> list[str]:
    """What customers wrote, in order."""
    return [m.text for m in await house.all(Message, direction=Direction.IN, order_by="position")]


async def test_a_text_whose_webhook_never_came_is_heard_and_answered(caught: House) -> None:
    """The edge was down when it was written."""
    caught.sms.missed = [text("hello", "SM1"), text("anybody there?", "SM2")]
    caught.later(seconds=61)
    await caught.worker.drain()

    assert await inbound(caught) == ["hello", "anybody there?"]
    assert len(caught.sms.sent) == 2


async def test_what_is_known_is_not_heard_twice(caught: House) -> None:
    """However often the list shows it."""
    caught.sms.missed = [text("hello", "SM1")]
    for _ in range(3):
        caught.later(seconds=61)
        await caught.worker.drain()

    assert await inbound(caught) == ["hello"]
    assert len(caught.sms.sent) == 1


async def test_a_status_whose_callback_never_came_is_taken_over(caught: House) -> None:
    """Forward only, as a callback would."""
    await caught.writes("hello")
    sent = await caught.one(Message, direction=Direction.OUT)
    caught.sms.missed = [text(sent.text, str(sent.provider_id), inbound=False, status="delivered")]
    caught.later(seconds=61)
    await caught.worker.drain()
    caught.sms.missed = [text(sent.text, str(sent.provider_id), inbound=False, status="sent")]
    caught.later(seconds=61)
    await caught.worker.drain()

    assert (await caught.one(Message, direction=Direction.OUT)).delivery == "delivered"


async def test_what_others_send_from_the_account_is_left_alone(caught: House) -> None:
    """A message we did not write is not ours."""
    caught.sms.missed = [text("your code is 1234", "SM9", inbound=False, status="delivered")]
    caught.later(seconds=61)
    await caught.worker.drain()

    assert await caught.all(Message) == []


async def test_after_an_outage_the_list_is_read_from_before_it(caught: House) -> None:
    """Nobody worked for a day; the last look was before that."""
    last = caught.shop.clock()
    caught.later(days=1)
    await caught.worker.drain()

    assert caught.sms.asked_since[-1] == last - caught.shop.rules.listed_within


async def test_a_provider_that_cannot_be_asked_is_asked_from_the_same_moment_again(caught: House) -> None:
    """No look is skipped by a failure."""
    last = caught.shop.clock()
    listed = caught.sms.listed_since

    async def away(since: object) -> list[Listed]:
        raise ChannelError("Twilio could not be asked")

    caught.sms.listed_since = away  # type: ignore[method-assign]
    for _ in range(30):
        caught.later(seconds=61)
        await caught.worker.drain()
    caught.sms.listed_since = listed  # type: ignore[method-assign]
    caught.later(seconds=61)
    await caught.worker.drain()

    assert caught.sms.asked_since[-1] == last - caught.shop.rules.listed_within


async def test_there_is_one_look_however_many_workers_begin(caught: House) -> None:
    """And one that was given up goes on where it stopped."""
    await keep_catching_up(caught.shop)
    async with caught.shop.store() as tx:
        [task] = await tx.all(Task, kind="catch_up")
        task.state = "failed"
        await tx.commit()
    await keep_catching_up(caught.shop)

    [task] = await caught.all(Task, kind="catch_up")
    assert (task.state, task.due_at) == ("todo", caught.shop.clock())
    assert task.due_at - caught.shop.clock() < timedelta(seconds=1)
