"""Names what went wrong in the customer's own words, and owns it."""

from __future__ import annotations

from typing import Any

from rasa_sdk import Action, Tracker
from rasa_sdk.executor import CollectingDispatcher


class ActionApologise(Action):  # type: ignore[misc]  # rasa_sdk is untyped
    """The most specific apology that the known facts allow; its words are in the domain."""

    def name(self) -> str:
        """As the domain knows it."""
        return "action_apologise"

    async def run(
        self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]
    ) -> list[dict[str, Any]]:
        """Say one apology."""
        dispatcher.utter_message(response=apology_for(tracker.slots))
        return []


def apology_for(slots: dict[str, Any]) -> str:
    """The response that fits: minutes are the most specific, then the customer's words, then the kind of failure."""
    failure = slots.get("failure") or "other"
    if failure == "wait" and slots.get("wait_minutes"):
        return "utter_apologise_wait_minutes"
    return f"utter_apologise_{failure}_words" if slots.get("failure_words") else f"utter_apologise_{failure}"
