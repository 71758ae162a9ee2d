"""Counts the n-grams of a message for the intents: `bot.nlu.spelling` says which."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import numpy as np
from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.nlu.featurizers.sparse_featurizer.sparse_featurizer import SparseFeaturizer
from rasa.shared.nlu.constants import FEATURE_TYPE_SENTENCE, TEXT
from rasa.shared.nlu.training_data.features import Features
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData
from scipy.sparse import csr_matrix

from bot.nlu.spelling import ngrams


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.MESSAGE_FEATURIZER, is_trainable=True)
class NgramFeaturizer(SparseFeaturizer, GraphComponent):  # type: ignore[misc]
    """Features of the whole text, for the n-grams that the examples have; it reads the text itself, and no tokens."""

    @staticmethod
    def get_default_config() -> dict[str, Any]:
        """`fewest` is how many examples an n-gram must stand in to be counted."""
        return {**SparseFeaturizer.get_default_config(), "fewest": 1}

    @classmethod
    def create(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> NgramFeaturizer:
        """A component to be trained."""
        return cls({**cls.get_default_config(), **config}, model_storage, resource, execution_context.node_name)

    def __init__(self, config: dict[str, Any], model_storage: ModelStorage, resource: Resource, name: str) -> None:
        super().__init__(name, config)
        self._fewest = int(config["fewest"])
        self._model_storage, self._resource, self._name = model_storage, resource, name
        self._columns: dict[str, int] = {}

    @classmethod
    def validate_config(cls, config: dict[str, Any]) -> None:
        """Nothing can be configured wrongly."""

    def train(self, training_data: TrainingData) -> Resource:
        """Learn which n-grams there are."""
        seen = Counter(gram for e in training_data.intent_examples for gram in set(ngrams(e.get(TEXT) or "")))
        self._number(sorted(gram for gram, count in seen.items() if count >= self._fewest))
        with self._model_storage.write_to(self._resource) as folder:
            (folder / "ngrams.json").write_text(json.dumps(list(self._columns), ensure_ascii=False), encoding="utf-8")
        return self._resource

    def process_training_data(self, training_data: TrainingData) -> TrainingData:
        """Count in every example."""
        self.process(training_data.training_examples)
        return training_data

    def process(self, messages: list[Message]) -> list[Message]:
        """Count in every message; one without any known n-gram gets no features."""
        for message in messages:
            counts = Counter(at for gram in ngrams(message.get(TEXT) or "") if (at := self._columns.get(gram, -1)) >= 0)
            if counts:
                columns = sorted(counts)
                row = csr_matrix(
                    (
                        np.array([counts[c] for c in columns], dtype=np.float64),
                        (np.zeros(len(columns), dtype=np.intp), columns),
                    ),
                    shape=(1, len(self._columns)),
                )
                message.add_features(Features(row, FEATURE_TYPE_SENTENCE, TEXT, self._name))
        return messages

    @classmethod
    def load(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
        **kwargs: Any,
    ) -> NgramFeaturizer:
        """The trained component; without a stored model (no examples) it counts nothing."""
        component = cls.create(config, model_storage, resource, execution_context)
        try:
            with model_storage.read_from(resource) as folder:
                component._number(json.loads((folder / "ngrams.json").read_text(encoding="utf-8")))
        except ValueError:  # Rasa's word for "this resource was never written"
            component._number([])
        return component

    def _number(self, grams: list[str]) -> None:
        self._columns = {gram: at for at, gram in enumerate(grams)}
