"""Many customers write at once: everything is kept once, in its order, and one bad message harms no other."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from bot.core.errors import Conflict
from bot.core.vocabulary import Medium
from bot.services.entities import ContactPoint, Conversation, Customer, Message, Task
from bot.services.inbound import Received
from bot.services.reception import Reception
from tests.services.house import PHONE, House


def phone(number: int) -> str:
    """One of many."""
    return f"+4477009001{number:02d}"


async def test_what_arrives_together_is_kept_each_in_its_own_thread(house: House) -> None:
    """Forty strangers: as many customers, conversations, messages and tasks."""
    reception = Reception(house.shop)

    kept = await asyncio.gather(
        *(reception.receive(phone(n), Received(f"hello {n}", provider_id=f"SM{n}")) for n in range(40))
    )

    assert [message.text for message in kept] == [f"hello {n}" for n in range(40)]
    assert len({message.conversation_id for message in kept}) == 40
    for kind in (Customer, Conversation, Message, Task):
        assert len(await house.all(kind)) == 40


async def test_one_customer_s_messages_keep_their_order(house: House) -> None:
    """Numbered as they came, and handled as they are numbered."""
    reception = Reception(house.shop)

    await asyncio.gather(*(reception.receive(PHONE, Received(f"{n}", provider_id=f"SM{n}")) for n in range(10)))

    messages = await house.all(Message, order_by="position")
    assert [(message.position, message.text) for message in messages] == [(n + 1, f"{n}") for n in range(10)]
    tasks = await house.all(Task, order_by="id")
    assert [task.payload["message_id"] for task in tasks] == [message.id for message in messages]


async def test_a_repetition_among_them_is_answered_with_what_is_kept(house: House) -> None:
    """Whether it was kept before or comes in the same moment."""
    reception = Reception(house.shop)
    first = await reception.receive(PHONE, Received("hello", provider_id="SM0"))

    again, other, twin, twin_again = await asyncio.gather(
        reception.receive(PHONE, Received("hello", provider_id="SM0")),
        reception.receive(phone(1), Received("hi", provider_id="SM1")),
        reception.receive(phone(2), Received("hey", provider_id="SM2")),
        reception.receive(phone(2), Received("hey", provider_id="SM2")),
    )

    assert again.id == first.id
    assert twin.id == twin_again.id
    assert len({first.id, other.id, twin.id}) == len(await house.all(Message)) == 3


async def test_an_opt_out_that_outlived_an_erasure_holds_in_a_crowd_too(house: House) -> None:
    """Whoever opted out and was erased since is a stranger who is not written to."""
    async with house.shop.store() as tx:
        await tx.seals.keep(Medium.SMS.value, phone(1), opted_out_at=house.clock.now)
        await tx.commit()

    reception = Reception(house.shop)
    await asyncio.gather(*(reception.receive(phone(n), Received("hello", provider_id=f"SM{n}")) for n in range(3)))

    points = await house.all(ContactPoint, order_by="address")
    assert [point.opted_out_at for point in points] == [None, house.clock.now, None]


async def test_when_they_cannot_be_kept_together_each_is_kept_alone(house: House) -> None:
    """Only what is in the way itself is refused."""
    store = house.shop.store
    transactions = []

    def refusing(*, read_only: bool = False):  # type: ignore[no-untyped-def]
        transactions.append(read_only)
        if len(transactions) == 1:
            raise Conflict("someone else was first")
        return store(read_only=read_only)

    reception = Reception(replace(house.shop, store=refusing))
    await asyncio.gather(*(reception.receive(phone(n), Received("hello", provider_id=f"SM{n}")) for n in range(3)))

    assert len(transactions) == 4
    assert len(await house.all(Message)) == 3
