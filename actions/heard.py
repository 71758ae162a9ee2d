"""The customer's latest message as the services want it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rasa_sdk import Tracker

from bot.core.assessment import Reading, Signal

FALLBACK = "nlu_fallback"


def ids(tracker: Tracker) -> tuple[str, str]:
    """The conversation and the message that an action answers."""
    message = tracker.latest_message
    return tracker.sender_id, str(_metadata(message).get("message_id") or message.get("message_id") or "")


def intent(tracker: Tracker) -> tuple[str, float]:
    """What the customer meant and how sure that is; behind a fallback, the best real guess."""
    message = tracker.latest_message
    guesses = [message.get("intent") or {}, *(message.get("intent_ranking") or [])]
    for guess in guesses:
        if guess.get("name") and guess["name"] != FALLBACK:
            return str(guess["name"]), float(guess.get("confidence") or 0.0)
    return "", 0.0


def reading(tracker: Tracker) -> Reading:
    """Everything the language model of the bot read in the message."""
    message = tracker.latest_message
    heard = message.get("dissatisfaction") or {}
    name, confidence = intent(tracker)
    rating = _metadata(message).get("rating")
    return Reading(
        text=str(message.get("text") or ""),
        p=float(heard.get("p", 0.0)),
        signals=tuple(Signal(s["name"], float(s["weight"]), s["evidence"]) for s in heard.get("signals", ())),
        intent=name,
        intent_confidence=confidence,
        failure=str(heard.get("failure") or ""),
        failure_words=str(heard.get("failure_words") or ""),
        language=message.get("language") or _metadata(message).get("language"),
        rating=int(rating) if rating is not None else None,
    )


def _metadata(message: Mapping[str, Any]) -> Mapping[str, Any]:
    return message.get("metadata") or {}
