"""Turns of a conversation with a loaded Rasa agent.

These are the steps of Rasa's own `MessageProcessor.handle_message`, with the tracker in hand: so that a turn that was
already taken is recognised, the words are read from the tracker whole (Rasa's collecting channel splits them at blank
lines), and nothing is saved unless everything went well.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rasa.core.channels.channel import OutputChannel, UserMessage
from rasa.shared.core.constants import EXTERNAL_MESSAGE_PREFIX, IS_EXTERNAL
from rasa.shared.core.events import ActionExecuted, BotUttered, ConversationResumed, SlotSet, UserUttered
from rasa.shared.nlu.constants import INTENT_NAME_KEY

OFFER = "hand_offered"
"""The slot that makes a "yes" bring a person."""

Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class CustomerMessage:
    """One message of a customer, as the channel received it."""

    conversation_id: str
    message_id: str
    text: str
    metadata: Mapping[str, Any]


class Listening(OutputChannel):  # type: ignore[misc]
    """An output channel that sends nothing: the words are read from the tracker.

    Its name is the customer's channel, so that responses written for that channel are chosen.
    """

    def __init__(self, channel: str | None) -> None:
        self._channel = channel or "afterword"

    def name(self) -> str:
        """The channel by which responses are chosen."""
        return self._channel

    async def send_response(self, recipient_id: str, message: dict[str, Any]) -> None:
        """Nothing to send."""


async def take(agent: Any, message: CustomerMessage) -> Answer:
    """Answer a message, or give the answer again when this message was already answered."""
    output = Listening(_text_or_none(message.metadata.get("channel")))
    processor = agent.processor
    async with agent.lock_store.lock(message.conversation_id):
        tracker = await processor.get_tracker(message.conversation_id)
        taken = _turn_of(tracker, message.message_id)
        if taken:
            await processor.save_tracker(tracker)  # nothing new: it only goes back to where it was
            return _answer(tracker, taken)
        metadata = dict(message.metadata)
        await processor._update_tracker_session(tracker, output, metadata)
        before = len(tracker.events)
        incoming = UserMessage(
            plain(message.text),
            output,
            message.conversation_id,
            input_channel=output.name(),
            message_id=message.message_id,
            metadata=metadata,
        )
        await processor._handle_message_with_tracker(incoming, tracker)
        tracker = await processor.run_action_extract_slots(output, tracker)
        await processor._run_prediction_loop(output, tracker)
        await processor.save_tracker(tracker)
        return _answer(tracker, list(tracker.events)[before:])


async def trigger(
    agent: Any, conversation_id: str, occasion: str, intent: str, slots: Mapping[str, Any], channel: str | None = None
) -> Answer:
    """Let the bot speak first, or give its words again when it already spoke on this occasion.

    The slots travel as entities of the same names, as Rasa's external events do.
    """
    output = Listening(_text_or_none(channel))
    processor = agent.processor
    entities = [{"entity": name, "value": value} for name, value in slots.items() if value is not None]
    async with agent.lock_store.lock(conversation_id):
        tracker = await processor.get_tracker(conversation_id)
        taken = _turn_of(tracker, occasion)
        if taken:
            await processor.save_tracker(tracker)  # nothing new: it only goes back to where it was
            return {**_answer(tracker, taken), "intent": None}
        await processor._update_tracker_session(tracker, output)
        before = len(tracker.events)
        # The steps of Rasa's `trigger_external_user_uttered`, with the occasion as the event's id.
        event = UserUttered(
            f"{EXTERNAL_MESSAGE_PREFIX}{intent}",
            {INTENT_NAME_KEY: intent},
            entities,
            input_channel=tracker.get_latest_input_channel(),
            message_id=occasion,
            metadata={IS_EXTERNAL: True},
        )
        tracker.update(event, processor.domain)
        tracker = await processor.run_action_extract_slots(output, tracker)
        await processor._run_prediction_loop(output, tracker)
        await processor.save_tracker(tracker)
        return {**_answer(tracker, list(tracker.events)[before:]), "intent": None}


async def parse(agent: Any, text: str, metadata: Mapping[str, Any]) -> Answer:
    """Intent, entities and whatever the components of the pipeline put into their output."""
    await asyncio.sleep(0)  # a long batch must not keep a waiting turn from starting
    parsed: Answer = await agent.processor.parse_message(UserMessage(plain(text), metadata=dict(metadata)))
    return {
        "intent": _intent(parsed),
        "language": parsed.get("language"),
        "dissatisfaction": parsed.get("dissatisfaction"),
        "entities": parsed.get("entities", []),
    }


async def resume(agent: Any, conversation_id: str) -> None:
    """Un-pause, and forget what was offered before a person spoke: a later "yes" does not answer that.

    Listening comes after it, or the action that paused would be predicted, and pause, again.
    """
    async with agent.lock_store.lock(conversation_id):
        tracker = await agent.processor.get_tracker(conversation_id)
        if OFFER in tracker.slots and tracker.get_slot(OFFER):
            tracker.update_with_events([SlotSet(OFFER, False)], agent.domain)
        if tracker.is_paused():
            tracker.update_with_events([ConversationResumed(), ActionExecuted("action_listen")], agent.domain)
        await agent.processor.save_tracker(tracker)


async def forget(agent: Any, conversation_id: str) -> int:
    """Erase a conversation; how many events it had."""
    async with agent.lock_store.lock(conversation_id):
        erased: int = await agent.tracker_store.forget(conversation_id)
        return erased


def plain(text: str) -> str:
    """Text without leading slashes: Rasa takes `/intent` as a command, and a customer's words are never one."""
    return text.strip().lstrip("/").strip()


def _answer(tracker: Any, since: Sequence[Any]) -> Answer:
    said = [event for event in since if isinstance(event, BotUttered) and event.text]
    heard = next((event for event in since if isinstance(event, UserUttered)), None)
    parsed: Mapping[str, Any] = heard.parse_data if heard is not None else {}
    return {
        "utterances": [{"text": event.text, "name": event.metadata.get("utter_action")} for event in said],
        "intent": _intent(parsed),
        "language": tracker.current_slot_values().get("language") or parsed.get("language"),
    }


def _intent(parsed: Mapping[str, Any]) -> Answer | None:
    intent = parsed.get("intent") or {}
    if not intent.get("name"):
        return None
    return {"name": intent["name"], "confidence": float(intent.get("confidence") or 0.0)}


def _turn_of(tracker: Any, message_id: str) -> list[Any]:
    """The events from a message up to the customer's next one; empty when the message is not there."""
    turn: list[Any] = []
    for event in tracker.events:
        if isinstance(event, UserUttered):
            if turn:
                break
            if event.message_id != message_id:
                continue
        elif not turn:
            continue
        turn.append(event)
    return turn


def _text_or_none(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
