"""Ends our messages to this customer, in whatever words they asked."""

from __future__ import annotations

from typing import Any

from rasa_sdk import Action, Tracker
from rasa_sdk.executor import CollectingDispatcher

from actions import heard
from actions.runtime import recovery


class ActionOptOut(Action):  # type: ignore[misc]  # rasa_sdk is untyped
    """The one confirmation is the last thing they read from us."""

    def name(self) -> str:
        """As the domain knows it."""
        return "action_opt_out"

    async def run(
        self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]
    ) -> list[dict[str, Any]]:
        """Record it, then confirm it."""
        services = await recovery()
        await services.opt_out(*heard.ids(tracker))
        dispatcher.utter_message(response="utter_opt_out")
        return []
