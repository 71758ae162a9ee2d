"""The particulars a customer names, as entities of Rasa: `bot.core.details` finds them."""

from __future__ import annotations

from typing import Any

from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.shared.nlu.constants import ENTITIES, TEXT
from rasa.shared.nlu.training_data.message import Message

from bot.core.details import details_in


@DefaultV1Recipe.register([DefaultV1Recipe.ComponentType.ENTITY_EXTRACTOR], is_trainable=False)
class DetailExtractor(GraphComponent):  # type: ignore[misc]
    """Adds `amount`, `order_number`, `duration` and `time` with their values in one form for all languages."""

    @classmethod
    def create(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> DetailExtractor:
        """A component without anything to configure."""
        return cls()

    def process(self, messages: list[Message]) -> list[Message]:
        """Add an entity for every detail."""
        for message in messages:
            found = [
                {
                    "entity": d.kind.value,
                    "value": d.value,
                    "start": d.start,
                    "end": d.end,
                    "extractor": type(self).__name__,
                }
                for d in details_in(message.get(TEXT) or "")
            ]
            if found:
                message.set(ENTITIES, [*(message.get(ENTITIES) or []), *found], add_to_output=True)
        return messages
