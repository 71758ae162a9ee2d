from typing import Any

from rasa_sdk import Action, Tracker
from rasa_sdk.executor import CollectingDispatcher


class ActionAssess(Action):
    """Says what it understood; fails when the customer asks it to."""

    def name(self) -> str:
        """As the domain names it."""
        return "action_assess"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: Any) -> list[dict[str, Any]]:
        """See the class."""
        if "break" in (tracker.latest_message.get("text") or ""):
            raise RuntimeError("as asked")
        dispatcher.utter_message(text="I am sorry.\n\nWhat happened?")
        return []


class ActionHandOff(Action):
    """Pauses the conversation, as a handoff does."""

    def name(self) -> str:
        """As the domain names it."""
        return "action_hand_off"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: Any) -> list[dict[str, Any]]:
        """See the class."""
        dispatcher.utter_message(text="A person will write to you.")
        return [{"event": "pause"}]
