"""What the actions need of the services, and where they find it.

The services are built on first use, so importing an action opens nothing. A test hands in its own with `use`.
"""

from __future__ import annotations

from typing import Any, Protocol

from bot.core.assessment import Reading
from bot.core.vocabulary import HandoffReason


class Recovery(Protocol):
    """The use cases that the dialogue drives; each names the conversation and the message it answers.

    The result types belong to the services; the actions read the attributes named here:
    assess_reply -> verdict, next_step, failure, failure_words, wait_minutes, language, known_failure;
    hand_off -> case_id, agent_name, expected_by, opens_at, already; follow_up_answered -> outcome.
    """

    async def assess_reply(self, conversation_id: str, message_id: str, reading: Reading) -> Any:
        """Judge a reply, record the verdict and say what to do next."""

    async def hand_off(self, conversation_id: str, message_id: str, reason: HandoffReason) -> Any:
        """Give the conversation to a person, or say when there will be one. Asking twice changes nothing."""

    async def follow_up_answered(self, conversation_id: str, message_id: str, fixed: bool | None) -> Any:
        """Record whether the fix worked (`None`: the answer does not say)."""

    async def opt_out(self, conversation_id: str, message_id: str) -> None:
        """Withdraw consent for this contact point."""

    async def wrong_person(self, conversation_id: str, message_id: str) -> None:
        """Record that this contact point belongs to somebody else."""

    async def ready(self) -> bool:
        """Whether all this can be done now."""


_recovery: Recovery | None = None


async def recovery() -> Recovery:
    """The services of this process, built once."""
    global _recovery
    if _recovery is None:
        from bot.app import build_recovery

        _recovery = await build_recovery()
    return _recovery


async def ready() -> bool:
    """Whether the services answer now."""
    return await (await recovery()).ready()


def use(fake: Recovery | None) -> None:
    """Answer `recovery()` with this object from now on; `None` builds the real one again."""
    global _recovery
    _recovery = fake
