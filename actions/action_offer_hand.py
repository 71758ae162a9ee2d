"""Hears a passing remark and offers a person, without making a complaint of it."""

from __future__ import annotations

from typing import Any

from rasa_sdk import Action, Tracker
from rasa_sdk.events import SlotSet
from rasa_sdk.executor import CollectingDispatcher


class ActionOfferHand(Action):  # type: ignore[misc]  # rasa_sdk is untyped
    """The next yes brings a person."""

    def name(self) -> str:
        """As the domain knows it."""
        return "action_offer_hand"

    async def run(
        self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]
    ) -> list[dict[str, Any]]:
        """Offer, naming the remark where we have the customer's words for it, or any remark at all."""
        if tracker.get_slot("failure_words"):
            response = "utter_offer_hand_words"
        else:
            response = "utter_offer_hand" if tracker.get_slot("failure") else "utter_default"
        dispatcher.utter_message(response=response)
        return [SlotSet("hand_offered", True)]
