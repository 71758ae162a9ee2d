"""What can go wrong between Rasa and us. This module imports nothing, so that every other may import it."""

from __future__ import annotations


class RasaCompatError(Exception):
    """Rasa could not do what was asked."""


class ActionFailed(RasaCompatError):
    """An action raised, or the action server could not be reached; the turn is not saved and may be tried again."""


class ConversationMoved(RasaCompatError):
    """Another process wrote to the conversation since it was read; nothing was saved, the turn may be tried again."""


class ConversationErased(RasaCompatError):
    """The customer's data were erased: whatever is still under way for this conversation comes too late."""


class StoreNotFound(RasaCompatError):
    """endpoints.yml names a store that cannot be used; Rasa would silently keep conversations in memory."""
