"""Leaves alone a phone that belongs to somebody else."""

from __future__ import annotations

from typing import Any

from rasa_sdk import Action, Tracker
from rasa_sdk.executor import CollectingDispatcher

from actions import heard
from actions.runtime import recovery


class ActionWrongPerson(Action):  # type: ignore[misc]  # rasa_sdk is untyped
    """We write to this number about it no more."""

    def name(self) -> str:
        """As the domain knows it."""
        return "action_wrong_person"

    async def run(
        self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]
    ) -> list[dict[str, Any]]:
        """Record it, then confirm it."""
        services = await recovery()
        await services.wrong_person(*heard.ids(tracker))
        dispatcher.utter_message(response="utter_wrong_person")
        return []
