"""Judges the customer's answer and remembers what to do next."""

from __future__ import annotations

from typing import Any

from rasa_sdk import Action, Tracker
from rasa_sdk.events import SlotSet
from rasa_sdk.executor import CollectingDispatcher

from actions import heard
from actions.runtime import recovery


class ActionAssess(Action):  # type: ignore[misc]  # rasa_sdk is untyped
    """Every answer is assessed and recorded; the rules branch on `next_step`."""

    def name(self) -> str:
        """As the domain knows it."""
        return "action_assess"

    async def run(
        self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]
    ) -> list[dict[str, Any]]:
        """Ask the services, and fill the slots that the words need."""
        services = await recovery()
        assessed = await services.assess_reply(*heard.ids(tracker), heard.reading(tracker))
        slots = {
            "next_step": str(assessed.next_step),
            "failure": str(assessed.failure),
            "failure_words": assessed.failure_words,
            "wait_minutes": assessed.wait_minutes,
            "known_failure": str(assessed.known_failure or ""),
            "language": assessed.language or tracker.get_slot("language"),
            "hand_offered": False,
        }
        return [SlotSet(name, value) for name, value in slots.items()]
