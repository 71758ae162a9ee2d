"""Many customers write at once: what waits is kept together, in one transaction, and each is answered for itself."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from bot.core.vocabulary import Medium
from bot.services.conversing import conversations_at
from bot.services.entities import Message
from bot.services.inbound import Received, kept_of, receive_sms
from bot.services.workshop import Workshop

_MOST = 32
"""How many are kept together: on SQLite nothing else happens in the process meanwhile."""


@dataclass(frozen=True, slots=True)
class _Arrival:
    """One SMS, and who waits to hear that it is kept."""

    address: str
    received: Received
    kept: asyncio.Future[Message]


class Reception:
    """Takes in the SMS of one process. Alone, an SMS is kept at once, by `receive_sms`."""

    def __init__(self, shop: Workshop) -> None:
        self._shop = shop
        self._waiting: list[_Arrival] = []
        self._at_work: asyncio.Task[None] | None = None

    async def receive(self, address: str, received: Received) -> Message:
        """Keep one SMS; promises and raises what `receive_sms` does."""
        arrival = _Arrival(address, received, asyncio.get_running_loop().create_future())
        self._waiting.append(arrival)
        if self._at_work is None:
            self._at_work = asyncio.create_task(self._work())
        return await arrival.kept

    async def _work(self) -> None:
        try:
            while self._waiting:
                together, self._waiting = self._waiting[:_MOST], self._waiting[_MOST:]
                if not await self._keep_together(together):
                    await asyncio.gather(*map(self._keep_alone, together))
        finally:
            self._at_work = None

    async def _keep_together(self, arrivals: Sequence[_Arrival]) -> bool:
        """Whether they could be kept in one transaction; if not, none of them is."""
        if len(arrivals) == 1 or not _all_different(arrivals):
            return False
        try:
            messages = await _keep_all(self._shop, arrivals)
        except Exception:
            # Perhaps one of them is in the way of the others: alone, each raises what is its own.
            return False
        for arrival, message in zip(arrivals, messages, strict=True):
            _tell(arrival, message)
        return True

    async def _keep_alone(self, arrival: _Arrival) -> None:
        try:
            _tell(arrival, await receive_sms(self._shop, arrival.address, arrival.received))
        except Exception as error:
            if not arrival.kept.done():
                arrival.kept.set_exception(error)


def _tell(arrival: _Arrival, message: Message) -> None:
    if not arrival.kept.done():
        arrival.kept.set_result(message)


def _all_different(arrivals: Sequence[_Arrival]) -> bool:
    ids = [arrival.received.provider_id for arrival in arrivals]
    return None not in ids and len(set(ids)) == len(ids)


async def _keep_all(shop: Workshop, arrivals: Sequence[_Arrival]) -> list[Message]:
    async with shop.store() as tx:
        ids = {arrival.received.provider_id for arrival in arrivals}
        messages = {message.provider_id: message for message in await tx.all(Message, provider_id=ids)}
        new = [arrival for arrival in arrivals if arrival.received.provider_id not in messages]
        now = shop.clock()
        conversations = await conversations_at(tx, Medium.SMS, [arrival.address for arrival in new], now)
        positions = await tx.conversations.next_positions(Counter(conversations[arrival.address].id for arrival in new))
        for arrival in new:
            conversation = conversations[arrival.address]
            message = kept_of(tx, conversation, arrival.received, positions[conversation.id], now)
            positions[conversation.id] += 1
            messages[message.provider_id] = message
        await tx.commit()
        return [messages[arrival.received.provider_id] for arrival in arrivals]
