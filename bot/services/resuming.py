"""After a handback the bot's own memory of the conversation is told, before it hears the customer's next message."""

from __future__ import annotations

from datetime import datetime

from bot.core.dialogue import DialogueRejected, DialogueUnavailable
from bot.core.vocabulary import Owner
from bot.services.entities import Conversation, Task
from bot.services.workshop import Workshop


def resumption_of(conversation: Conversation, *, now: datetime) -> Task:
    """The task that tells it, in turn with the customer's messages."""
    return Task(
        kind="resume_dialogue",
        payload={"conversation_id": conversation.id},
        lock=f"in:{conversation.id}",
        key=f"resume:{conversation.id}:{conversation.version}",
        due_at=now,
        created_at=now,
    )


async def resume_dialogue(shop: Workshop, task: Task) -> None:
    """Work off one `resume_dialogue` task. Raises DialogueUnavailable, so that the worker tries again for a while.

    Not for longer than a message waits for a bot that does not answer: the customer's next words are behind this.
    """
    async with shop.store(read_only=True) as tx:
        conversation = await tx.get(Conversation, task.payload["conversation_id"])
    if conversation.owner is Owner.BOT:
        try:
            await shop.dialogue.resume(conversation.id)
        except DialogueUnavailable:
            if shop.clock() - task.created_at < shop.rules.bot_may_fail_for:
                raise
        except DialogueRejected:
            pass  # it knows no such conversation: there is nothing to resume
    async with shop.store() as tx:
        await tx.tasks.finish(task)
        await tx.commit()
