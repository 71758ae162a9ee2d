"""One turn of a conversation at a time."""

import asyncio

import pytest

from bot.rasa_compat.lock_store import ConversationLocks


async def test_turns_of_one_conversation_keep_their_order() -> None:
    """Whoever came first goes first, and nobody begins before the one before has ended."""
    locks, steps = ConversationLocks(), []

    async def turn(number: int) -> None:
        async with locks.lock("c"):
            steps.append(f"begin {number}")
            await asyncio.sleep(0)
            steps.append(f"end {number}")

    await asyncio.gather(*(turn(number) for number in range(4)))

    assert steps == [f"{word} {number}" for number in range(4) for word in ("begin", "end")]


async def test_conversations_do_not_wait_for_each_other() -> None:
    """A turn of one conversation can begin inside a turn of another."""
    locks = ConversationLocks()

    async with locks.lock("a"), locks.lock("b"):
        assert len(locks) == 2


async def test_a_failed_or_abandoned_turn_lets_the_next_one_begin() -> None:
    """Neither an error nor a caller who went away holds the conversation."""
    locks = ConversationLocks()
    with pytest.raises(RuntimeError):
        async with locks.lock("c"):
            raise RuntimeError

    async with locks.lock("c"):
        waiting = asyncio.create_task(locks.lock("c").__aenter__())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    async with locks.lock("c"):
        pass
    assert len(locks) == 0
