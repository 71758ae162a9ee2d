"""One message of a customer, handled: a command is obeyed, an agent's thread is left alone, else the bot answers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from bot.core.dialogue import DialogueRejected, DialogueUnavailable, Turn
from bot.core.keywords import Command, Keyword, read_keyword
from bot.core.languages import requested_language, with_script
from bot.core.vocabulary import AwaitedAnswer, HandoffReason, MessageKind, Owner
from bot.services import consent
from bot.services.conversing import Thread, load_thread, load_turn, say
from bot.services.entities import AuditEntry, HiddenCost, Message, Task, TimelineEntry
from bot.services.handoff import hand_off_in, handoff_words
from bot.services.ports import UnitOfWork
from bot.services.workshop import Workshop


async def handle_message(shop: Workshop, task: Task) -> None:
    """Work off one `handle_message` task.

    Raises DialogueUnavailable, so that the worker tries again, until the message has waited too long: then a case is
    opened for a human, because the customer must not wait for our repair.
    """
    async with shop.store() as tx:
        message, thread = await load_turn(tx, task.payload["message_id"])
        asked_for = requested_language(message.text)
        followed = _follow_language(thread, message, asked_for)
        settled = await _settled_without_the_bot(shop, tx, thread, message, asked_for)
        if settled:
            await tx.tasks.finish(task)
        if settled or followed:
            await tx.commit()
    if not settled:
        await _converse(shop, task, thread, message)


async def _settled_without_the_bot(
    shop: Workshop, tx: UnitOfWork, thread: Thread, message: Message, asked_for: str | None
) -> bool:
    """Do what needs no understanding; False leaves the message to the bot."""
    command = read_keyword(message.text, opted_out=thread.contact_point.opted_out_at is not None)
    if command is not None:
        await _obey(shop, tx, thread, message, command)
    elif thread.conversation.owner is Owner.AGENT:
        await _leave_to_agent(shop, tx, thread, message)
    elif not message.text.strip():
        await _answer_wordless(shop, tx, thread, message)
    elif asked_for is not None:
        await _say_in_words(shop, tx, thread, message, "utter_still_here")
    else:
        return False
    return True


async def _converse(shop: Workshop, task: Task, thread: Thread, message: Message) -> None:
    version = thread.conversation.version
    try:
        turn = await shop.dialogue.turn(thread.conversation.id, message.id, message.text, _metadata(shop, thread))
    except (DialogueUnavailable, DialogueRejected) as error:
        waited = shop.clock() - message.at
        if waited < shop.rules.bot_may_fail_for and isinstance(error, DialogueUnavailable):
            raise
        return await _give_to_human(shop, task, message)
    async with shop.store() as tx:
        thread = await load_thread(tx, message.conversation_id)
        if turn.language and thread.conversation.language is None and thread.customer.language is None:
            thread.conversation.language = turn.language
        await _speak(tx, thread, message, turn, version, now=shop.clock())
        await tx.tasks.finish(task)
        await tx.commit()


def _metadata(shop: Workshop, thread: Thread) -> dict[str, Any]:
    conversation = thread.conversation
    return {
        "language": conversation.language or thread.customer.language,
        "default_language": shop.rules.language,
        "channel": conversation.medium.value,
        "context": conversation.awaited.value,
        "business": shop.rules.business,
        "site": thread.site.name if thread.site else "",
        "customer_name": thread.customer.name,
    }


async def _speak(tx: UnitOfWork, thread: Thread, message: Message, turn: Turn, version: int, *, now: datetime) -> None:
    """Write the bot's words if the bot may still speak.

    The turn that handed the conversation over may say so; what any other turn has to say after a person took over is
    withheld, and the record says that it was.
    """
    conversation = thread.conversation
    handed_over = conversation.owner is Owner.AGENT and conversation.handoff_message_id == message.id
    if await consent.withdrew(tx, thread, source=f"message {message.id}"):
        # The turn itself recorded an opt-out phrased freely: its one confirmation must not be swallowed by it.
        kind = MessageKind.COMPLIANCE
    elif conversation.owner is Owner.BOT and conversation.version == version:
        kind = MessageKind.DIALOGUE
    elif handed_over and conversation.version == version + 1:
        kind = MessageKind.LIFECYCLE
    else:
        detail = {"message_id": message.id, "withheld": len(turn.utterances)}
        tx.add(AuditEntry(at=now, who="bot", action="withheld", subject=conversation.id, detail=detail))
        return
    for utterance in turn.utterances:
        await say(tx, conversation, utterance.text, kind=kind, now=now, in_reply_to=message.id)


async def _obey(shop: Workshop, tx: UnitOfWork, thread: Thread, message: Message, command: Command) -> None:
    now = shop.clock()
    language = command.language or thread.language(shop.rules)
    already_out = thread.contact_point.opted_out_at is not None
    if command.keyword is Keyword.STOP:
        await consent.withdraw(tx, thread, source=f"message {message.id}", now=now)
        if already_out:
            return
        name = "utter_opt_out"
    elif command.keyword is Keyword.START:
        await consent.restore(tx, thread, source=f"message {message.id}", now=now)
        name = "utter_resubscribed"
    else:
        name = "utter_help"
    text = shop.words.render(name, language, thread.conversation.medium.value, {"business": shop.rules.business})
    await consent.confirm(tx, thread, text, message, now=now)


async def _leave_to_agent(shop: Workshop, tx: UnitOfWork, thread: Thread, message: Message) -> None:
    conversation = thread.conversation
    if conversation.handoff_message_id == message.id:
        # An earlier try handed over and was cut off before it could say so.
        return await _acknowledge(shop, tx, thread, message, HandoffReason.DISSATISFIED)
    if conversation.case_id and conversation.awaited is AwaitedAnswer.HIDDEN_COST:
        conversation.awaited = AwaitedAnswer.NOTHING
        words = HiddenCost(case_id=conversation.case_id, words=message.text, message_id=message.id, at=message.at)
        tx.add(words)
    if conversation.case_id:
        tx.add(TimelineEntry(case_id=conversation.case_id, at=message.at, who="customer", what="wrote"))
    tx.changed(f"conversation:{conversation.id}", "desk")


def _follow_language(thread: Thread, message: Message, asked_for: str | None) -> bool:
    """The language a customer asks for is theirs from here on; Serbian follows the script they write in.

    Whether that changed anything.
    """
    conversation = thread.conversation
    known = asked_for or conversation.language or thread.customer.language
    if known is not None:
        followed = with_script(known, message.text)
        if asked_for is not None or followed != known:
            conversation.language = followed
            return True
    return False


async def _answer_wordless(shop: Workshop, tx: UnitOfWork, thread: Thread, message: Message) -> None:
    await _say_in_words(shop, tx, thread, message, "utter_media_only" if message.media else "utter_empty")


async def _say_in_words(shop: Workshop, tx: UnitOfWork, thread: Thread, message: Message, name: str) -> None:
    """One response of the domain, said without asking Rasa."""
    slots = {"business": shop.rules.business}
    text = shop.words.render(name, thread.language(shop.rules), thread.conversation.medium.value, slots)
    await say(tx, thread.conversation, text, kind=MessageKind.DIALOGUE, now=shop.clock(), in_reply_to=message.id)


async def _give_to_human(shop: Workshop, task: Task, message: Message) -> None:
    async with shop.store() as tx:
        thread = await load_thread(tx, message.conversation_id)
        await _acknowledge(shop, tx, thread, message, HandoffReason.BOT_UNAVAILABLE)
        await tx.tasks.finish(task)
        await tx.commit()


async def _acknowledge(shop: Workshop, tx: UnitOfWork, thread: Thread, message: Message, reason: HandoffReason) -> None:
    now = shop.clock()
    handed = await hand_off_in(tx, shop, thread, message.id, reason, now=now)
    if not handed.already and await tx.one(Message, in_reply_to=message.id) is None:
        text = handoff_words(shop, thread, handed)
        await say(tx, thread.conversation, text, kind=MessageKind.LIFECYCLE, now=now, in_reply_to=message.id)
