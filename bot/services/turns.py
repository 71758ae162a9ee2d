"""One message of a customer, handled: a command is obeyed, an agent's thread is left alone, else the bot answers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from bot.core.check_in import Outcome, TraceEntry
from bot.core.dialogue import DialogueRejected, DialogueUnavailable, Turn
from bot.core.keywords import Command, Keyword, read_keyword
from bot.core.languages import requested_language, with_script
from bot.core.vocabulary import AwaitedAnswer, Decided, HandoffReason, MessageKind, Owner, Purpose
from bot.services import consent
from bot.services.conversing import Thread, load_thread, load_turn, say
from bot.services.entities import HiddenCost, Message, Task, TimelineEntry
from bot.services.handoff import hand_off_in, handoff_words
from bot.services.ports import UnitOfWork
from bot.services.trace import note
from bot.services.workshop import Workshop

_OPT_OUT = "opt_out"
"""The intent of someone who asks in their own words not to be written to."""


async def handle_message(shop: Workshop, task: Task) -> None:
    """Work off one `handle_message` task.

    Raises DialogueUnavailable, so that the worker tries again, until the message has waited too long: then a case is
    opened for a human, because the customer must not wait for our repair. Where a person speaks with the customer
    already, the bot is only asked whether this is an opt-out, because that must not hang on who reads it when.
    """
    async with shop.store() as tx:
        message, thread = await load_turn(tx, task.payload["message_id"])
        asked_for = requested_language(message.text)
        followed = _follow_language(thread, message, asked_for)
        theirs = thread.conversation.owner is Owner.AGENT and _command(thread, message) is None
        settled = not theirs and await _settled_without_the_bot(shop, tx, thread, message, asked_for)
        if settled:
            await tx.tasks.finish(task)
        if settled or followed:
            await tx.commit()
    if theirs:
        opt_out = await _asks_for_silence(shop, thread, message)
        settled = await _left_to_agent(shop, task, message, opt_out=opt_out)
    if not settled:
        await _converse(shop, task, thread, message)


def _command(thread: Thread, message: Message) -> Command | None:
    return read_keyword(message.text, opted_out=thread.contact_point.opted_out_at is not None)


async def _asks_for_silence(shop: Workshop, thread: Thread, message: Message) -> bool:
    """Whether the customer asks in their own words not to be written to. Raises DialogueUnavailable for a while."""
    if not message.text.strip():
        return False
    item = {"text": message.text, "metadata": _metadata(shop, thread)}
    try:
        [parsed] = await shop.dialogue.parse([item])
    except (DialogueUnavailable, DialogueRejected) as error:
        if shop.clock() - message.at < shop.rules.bot_may_fail_for and isinstance(error, DialogueUnavailable):
            raise
        return False
    return parsed.intent.name == _OPT_OUT


async def _settled_without_the_bot(
    shop: Workshop, tx: UnitOfWork, thread: Thread, message: Message, asked_for: str | None
) -> bool:
    """Do what needs no understanding; False leaves the message to the bot."""
    command = _command(thread, message)
    if command is not None:
        await _obey(shop, tx, thread, message, command)
    elif not message.text.strip():
        await _answer_wordless(shop, tx, thread, message)
    elif asked_for is not None:
        await _say_in_words(shop, tx, thread, message, "utter_still_here")
    else:
        return False
    return True


async def _converse(shop: Workshop, task: Task, thread: Thread, message: Message) -> None:
    version, awaited = thread.conversation.version, thread.conversation.awaited
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
        await _speak(tx, thread, message, turn, version, awaited, now=shop.clock())
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


async def _speak(
    tx: UnitOfWork,
    thread: Thread,
    message: Message,
    turn: Turn,
    version: int,
    awaited: AwaitedAnswer,
    *,
    now: datetime,
) -> None:
    """Write the bot's words if the bot may still speak.

    The turn that handed the conversation over may say so; what any other turn has to say after a person took over is
    withheld, and the record says that it was.
    """
    conversation = thread.conversation
    handed_over = conversation.owner is Owner.AGENT and conversation.handoff_message_id == message.id
    if await consent.withdrew(tx, thread, source=f"message {message.id}"):
        # The turn itself recorded an opt-out phrased freely: its one confirmation must not be swallowed by it.
        kind, purpose = MessageKind.COMPLIANCE, Purpose.OPT_OUT
    elif conversation.owner is Owner.BOT and conversation.version == version:
        asks = conversation.awaited is AwaitedAnswer.SOFT_QUESTION is not awaited
        kind, purpose = MessageKind.DIALOGUE, Purpose.SOFT_QUESTION if asks else Purpose.REPLY
    elif handed_over and conversation.version == version + 1:
        kind, purpose = MessageKind.LIFECYCLE, Purpose.HANDOFF
    else:
        return _stay_silent(tx, thread, message, "owner", "a person took over while the bot was answering", now)
    for utterance in turn.utterances:
        await say(tx, conversation, utterance.text, kind=kind, now=now, in_reply_to=message.id, purpose=purpose)
    if not turn.utterances:
        _stay_silent(tx, thread, message, "words", "the bot had nothing to add", now)


def _stay_silent(
    tx: UnitOfWork,
    thread: Thread,
    message: Message,
    rule: str,
    reason: str,
    now: datetime,
    purpose: Purpose = Purpose.REPLY,
) -> None:
    """Nothing is said in answer to a message, and the trace says why."""
    rules = (TraceEntry(now, rule, Outcome.SKIP, reason),)
    id, outcome = thread.conversation.id, Decided.SKIPPED
    note(tx, id, purpose, outcome, at=now, reason=reason, rules=rules, message_id=message.id)


async def _obey(shop: Workshop, tx: UnitOfWork, thread: Thread, message: Message, command: Command) -> None:
    now = shop.clock()
    language = command.language or thread.language(shop.rules)
    already_out = thread.contact_point.opted_out_at is not None
    if command.keyword is Keyword.STOP:
        await consent.withdraw(tx, thread, source=f"message {message.id}", now=now)
        if already_out:
            said = "the customer had opted out already"
            return _stay_silent(tx, thread, message, "opt_out", said, now, Purpose.OPT_OUT)
        name, purpose = "utter_opt_out", Purpose.OPT_OUT
    elif command.keyword is Keyword.START:
        await consent.restore(tx, thread, source=f"message {message.id}", now=now)
        name, purpose = "utter_resubscribed", Purpose.OPT_IN
    else:
        name, purpose = "utter_help", Purpose.HELP
    text = shop.words.render(name, language, thread.conversation.medium.value, {"business": shop.rules.business})
    await consent.confirm(tx, thread, text, message, purpose=purpose, now=now)


async def _left_to_agent(shop: Workshop, task: Task, message: Message, *, opt_out: bool) -> bool:
    """Show the message to the person who owns the conversation; False when they have just given it back."""
    async with shop.store() as tx:
        message, thread = await load_turn(tx, message.id)
        if opt_out:
            await _obey(shop, tx, thread, message, Command(Keyword.STOP, None))
        elif thread.conversation.owner is Owner.BOT:
            return False
        else:
            reason = "a person owns the conversation"
            _stay_silent(tx, thread, message, "owner", reason, shop.clock())
        if thread.conversation.owner is Owner.AGENT:
            await _show_agent(shop, tx, thread, message)
        await tx.tasks.finish(task)
        await tx.commit()
        return True


async def _show_agent(shop: Workshop, tx: UnitOfWork, thread: Thread, message: Message) -> None:
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
        kind, purpose = MessageKind.LIFECYCLE, Purpose.HANDOFF
        await say(tx, thread.conversation, text, kind=kind, now=now, in_reply_to=message.id, purpose=purpose)
