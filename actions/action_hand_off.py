"""Brings in a person and tells the customer who, and by when."""

from __future__ import annotations

from typing import Any

from rasa_sdk import Action, Tracker
from rasa_sdk.events import SlotSet
from rasa_sdk.executor import CollectingDispatcher

from actions import heard
from actions.runtime import recovery
from bot.core.vocabulary import HandoffReason

REASONS = {
    "ask_for_person": HandoffReason.ASKED_FOR_PERSON,
    "call_me_back": HandoffReason.CALL_BACK,
    "threat_or_safety": HandoffReason.SAFETY,
}
FIRST_WORDS = {HandoffReason.SAFETY: "utter_safety", HandoffReason.CALL_BACK: "utter_call_back_ack"}


class ActionHandOff(Action):  # type: ignore[misc]  # rasa_sdk is untyped
    """A handoff is never silent: a name and a time when there are any, the truth when nobody is there."""

    def name(self) -> str:
        """As the domain knows it."""
        return "action_hand_off"

    async def run(
        self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]
    ) -> list[dict[str, Any]]:
        """Hand off, then say what happens now."""
        reason = REASONS.get(heard.intent(tracker)[0], HandoffReason.DISSATISFIED)
        services = await recovery()
        handed = await services.hand_off(*heard.ids(tracker), reason)
        facts = {
            "agent_name": handed.agent_name or "",
            "expected_by": handed.expected_by or "",
            "opens_at": handed.opens_at or "",
        }
        if reason in FIRST_WORDS:
            dispatcher.utter_message(response=FIRST_WORDS[reason])
        dispatcher.utter_message(response=promise_for(facts, already=handed.already), **facts)
        if handed.ask_hidden_cost:
            dispatcher.utter_message(response="utter_hidden_cost")
        filled = {**facts, "case_open": True, "hand_offered": False}
        return [SlotSet(name, value) for name, value in filled.items()]


def promise_for(facts: dict[str, str], *, already: bool) -> str:
    """The response that promises exactly what is known, and no more."""
    if already:
        return "utter_handoff_already"
    if facts["expected_by"]:
        return "utter_handoff_with_agent" if facts["agent_name"] else "utter_handoff_expected"
    return "utter_handoff_nobody" if facts["opens_at"] else "utter_handoff_listed"
