"""Records whether the fix worked."""

from __future__ import annotations

from typing import Any

from rasa_sdk import Action, Tracker
from rasa_sdk.executor import CollectingDispatcher

from actions import heard
from actions.runtime import recovery
from bot.core.assessment import Reading
from bot.core.calibration import THRESHOLD

FIXED = frozenset({"affirm", "satisfied", "thanks"})
NOT_FIXED = frozenset({"deny", "complaint"})
WORDS = {
    "closed": "utter_follow_up_closed",
    "reopened": "utter_follow_up_reopened",
    "asked_again": "utter_follow_up_again",
}


class ActionFollowUp(Action):  # type: ignore[misc]  # rasa_sdk is untyped
    """A case closes on the customer's word, and reopens on it."""

    def name(self) -> str:
        """As the domain knows it."""
        return "action_follow_up"

    async def run(
        self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]
    ) -> list[dict[str, Any]]:
        """Record the answer and say what it changed."""
        services = await recovery()
        recorded = await services.follow_up_answered(*heard.ids(tracker), is_fixed(heard.reading(tracker)))
        if response := WORDS.get(str(recorded.outcome)):
            dispatcher.utter_message(response=response)
        return []


def is_fixed(reading: Reading) -> bool | None:
    """What the answer says about the fix; `None` when a yes sounds unhappy or the words do not tell."""
    if reading.intent in NOT_FIXED:
        return False
    if reading.intent in FIXED:
        return True if reading.p < THRESHOLD else None
    return False if reading.failure and reading.p >= THRESHOLD else None
