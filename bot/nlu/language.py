"""Which language a message is in: the recorded one first, a guess only where nothing is recorded."""

from __future__ import annotations

from typing import Any

from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.shared.nlu.constants import METADATA, TEXT
from rasa.shared.nlu.training_data.message import Message

from bot.nlu.identifying import language_of

LANGUAGE = "language"


@DefaultV1Recipe.register([DefaultV1Recipe.ComponentType.ENTITY_EXTRACTOR], is_trainable=False)
class LanguageDetector(GraphComponent):  # type: ignore[misc]
    """Sets `language` on a message."""

    @classmethod
    def create(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> LanguageDetector:
        """A component without anything to configure."""
        return cls()

    def process(self, messages: list[Message]) -> list[Message]:
        """Add the language to each message; `None` where it cannot be told."""
        for message in messages:
            facts = message.get(METADATA) or {}
            text = message.get(TEXT) or ""
            language = language_of(text, facts.get("language"), facts.get("default_language"))
            message.set(LANGUAGE, language, add_to_output=True)
        return messages
