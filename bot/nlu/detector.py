"""The detector of dissatisfaction as a component of Rasa's pipeline."""

from __future__ import annotations

from typing import Any

from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.shared.nlu.constants import METADATA, TEXT
from rasa.shared.nlu.training_data.message import Message

from bot.nlu.questions import question_of_metadata
from bot.nlu.scorer import Scorer, default_scorer

DISSATISFACTION = "dissatisfaction"


@DefaultV1Recipe.register([DefaultV1Recipe.ComponentType.ENTITY_EXTRACTOR], is_trainable=False)
class DissatisfactionDetector(GraphComponent):  # type: ignore[misc]
    """Sets `dissatisfaction` (`p`, `signals`, `failure`, `failure_words`) on a message, once its language is known."""

    @classmethod
    def create(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> DissatisfactionDetector:
        """A component with the weights that ship with the bot."""
        return cls(default_scorer())

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer

    def process(self, messages: list[Message]) -> list[Message]:
        """Score the raw text, before any tokenizer has dropped the emoji."""
        for message in messages:
            asked = question_of_metadata(message.get(METADATA) or {})
            heard = self._scorer.score(message.get(TEXT) or "", message.get("language"), asked)
            message.set(DISSATISFACTION, heard.as_dict(), add_to_output=True)
        return messages
