"""What is known about a conversation, made available to the words without asking for it."""

from __future__ import annotations

from typing import Any

from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.shared.nlu.constants import ENTITIES, METADATA
from rasa.shared.nlu.training_data.message import Message

FACTS = ("business", "site", "channel", "customer_name")


@DefaultV1Recipe.register([DefaultV1Recipe.ComponentType.ENTITY_EXTRACTOR], is_trainable=False)
class ConversationFacts(GraphComponent):  # type: ignore[misc]
    """Turns the language and the facts in a message's metadata into entities, which fill the slots of the same name.

    A customer may write before the bot ever did: then no trigger has filled a slot. Outside a conversation, as in
    `rasa test`, there is no metadata, and nothing is added.
    """

    @classmethod
    def create(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> ConversationFacts:
        """A component without anything to configure."""
        return cls()

    def process(self, messages: list[Message]) -> list[Message]:
        """Add an entity for every fact that has a value."""
        for message in messages:
            metadata = message.get(METADATA) or {}
            facts = {"language": message.get("language") if metadata else None, **{k: metadata.get(k) for k in FACTS}}
            found = [
                {"entity": name, "value": value, "start": 0, "end": 0, "extractor": type(self).__name__}
                for name, value in facts.items()
                if value
            ]
            if found:
                message.set(ENTITIES, [*(message.get(ENTITIES) or []), *found], add_to_output=True)
        return messages
