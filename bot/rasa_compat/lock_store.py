"""One turn of a conversation at a time, in the order in which the turns arrived.

Rasa's own lock store looks once a second whether it may go on. Here a waiting turn starts as soon as the one before it
is done. The order holds within one process; between processes the worker sends one message of a conversation at a time,
and the tracker store refuses a write that was decided on an outdated conversation.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from rasa.core.lock import TicketLock
from rasa.core.lock_store import LOCK_LIFETIME, LockStore


class ConversationLocks(LockStore):  # type: ignore[misc]
    """A fair asyncio lock for each conversation that somebody is working on or waiting for."""

    def __init__(self, endpoint_config: Any = None) -> None:
        self._locks: dict[str, tuple[asyncio.Lock, int]] = {}

    @asynccontextmanager
    async def lock(
        self, conversation_id: str, lock_lifetime: float = LOCK_LIFETIME, wait_time_in_seconds: float = 1
    ) -> AsyncIterator[TicketLock]:
        """Hold the conversation; first come, first served. The two times are Rasa's and not needed."""
        lock, interested = self._locks.get(conversation_id, (asyncio.Lock(), 0))
        self._locks[conversation_id] = (lock, interested + 1)
        try:
            async with lock:
                yield TicketLock(conversation_id)
        finally:
            self._leave(conversation_id)

    def _leave(self, conversation_id: str) -> None:
        lock, interested = self._locks[conversation_id]
        if interested == 1:
            del self._locks[conversation_id]
        else:
            self._locks[conversation_id] = (lock, interested - 1)

    def __len__(self) -> int:
        """How many conversations are held or waited for."""
        return len(self._locks)

    def get_lock(self, conversation_id: str) -> TicketLock | None:
        """A lock object when somebody holds the conversation, as Rasa's interface asks."""
        return TicketLock(conversation_id) if conversation_id in self._locks else None
