"""Intents by a linear model over the features that come before it in the pipeline, and by a second reading in doubt.

Linear support vectors, one intent against the rest, over counted n-grams, weighted by TF-IDF with sublinear counts and
brought to unit length, beside dense features where a component supplies them. (Multinomial logistic regression is a
point worse on our data, and ten times slower to learn.) One temperature, learnt on held-out folds, makes confidences of
the scores, so that 0.8 is right about four times in five. Where the words leave a doubt and there are sentence
embeddings, `bot.nlu.intent_meaning` is asked too. What is stored is plain numbers: no pickle is ever loaded.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.nlu.classifiers.classifier import IntentClassifier
from rasa.nlu.featurizers.featurizer import Featurizer
from rasa.shared.nlu.constants import INTENT, TEXT
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData
from scipy.optimize import minimize_scalar
from scipy.sparse import csr_matrix, diags, hstack, vstack
from scipy.special import log_softmax
from sklearn.model_selection import StratifiedKFold
from sklearn.svm import LinearSVC

from bot.nlu.embedding import Embeds, default_embedder
from bot.nlu.intent_meaning import IntentMeaning, read_intent_meaning

RANKING_LENGTH = 10
FOLDS = 3
UNKNOWN: dict[str, Any] = {"name": None, "confidence": 0.0}


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.INTENT_CLASSIFIER, is_trainable=True)
class LinearIntentClassifier(IntentClassifier, GraphComponent):  # type: ignore[misc]
    """Sets `intent` and `intent_ranking` on a message; a text without any known feature gets no intent."""

    @classmethod
    def required_components(cls) -> list[type]:
        """A featurizer comes first."""
        return [Featurizer]

    @staticmethod
    def get_default_config() -> dict[str, Any]:
        """`C` is the inverse strength of the L2 penalty; `calibrate` learns the temperature; `meaning` reads twice."""
        return {"C": 2.0, "max_iter": 2000, "random_state": 7, "calibrate": True, "meaning": True}

    @classmethod
    def create(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> LinearIntentClassifier:
        """A component to be trained."""
        return cls(config, model_storage, resource)

    def __init__(self, config: dict[str, Any], model_storage: ModelStorage, resource: Resource) -> None:
        self._config = {**self.get_default_config(), **config}
        self._model_storage = model_storage
        self._resource = resource
        self._labels: list[str] = []
        self._rarity = np.zeros(0)
        self._dense_width = 0
        self._weights = np.zeros((0, 0))
        self._bias = np.zeros(0)
        self._second: tuple[IntentMeaning, Embeds] | None = None

    def read_twice(self, meaning: IntentMeaning | None, embedder: Embeds | None) -> None:
        """Ask this second reading in doubt, if there is one and it knows the same intents."""
        able = meaning is not None and embedder is not None and meaning.knows(self._labels)
        self._second = (meaning, embedder) if able else None  # type: ignore[assignment]

    def train(self, training_data: TrainingData) -> Resource:
        """Learn from the examples that have an intent and a text."""
        examples = [e for e in training_data.intent_examples if e.get(INTENT) and e.get(TEXT)]
        labels = [str(example.get(INTENT)) for example in examples]
        if len(set(labels)) > 1:
            counted = [example.get_sparse_features(TEXT)[1] for example in examples]
            self._rarity = _rarity(_stack(counted, _width(counted)))
            self._dense_width = _width([example.get_dense_features(TEXT)[1] for example in examples])
            self._fit(self._features(examples), np.asarray(labels))
            self._persist()
        return self._resource

    def process(self, messages: list[Message]) -> list[Message]:
        """Add the intents, best first."""
        for message in messages:
            ranking = self._rank(message)
            message.set(INTENT, ranking[0] if ranking else dict(UNKNOWN), add_to_output=True)
            message.set("intent_ranking", ranking, add_to_output=True)
        return messages

    def process_training_data(self, training_data: TrainingData) -> TrainingData:
        """Later components of the pipeline may look at the predictions."""
        self.process(training_data.training_examples)
        return training_data

    def by_words(self, message: Message) -> np.ndarray[Any, Any] | None:
        """Log-probabilities of the intents, in the order of `labels`, by the words alone; None when none is known."""
        scores = self._scores(message) if self._labels else None
        return None if scores is None else np.asarray(log_softmax(scores))

    @property
    def labels(self) -> tuple[str, ...]:
        """The intents it has learnt."""
        return tuple(self._labels)

    def _rank(self, message: Message) -> list[dict[str, Any]]:
        read = self.by_words(message)
        if read is None:
            return []
        if self._second is not None and self._second[0].is_unsure(read):
            meaning, embedder = self._second
            read = meaning.weigh(read, np.asarray(embedder.embed([message.get(TEXT)])[0], dtype=np.float64))
        confidences = np.exp(read)
        best = np.argsort(-confidences, kind="stable")[:RANKING_LENGTH]
        return [{"name": self._labels[index], "confidence": float(confidences[index])} for index in best]

    def _scores(self, message: Message) -> np.ndarray[Any, Any] | None:
        """One message through the model, looking only at the n-grams it has; None when it has nothing known."""
        columns, values = [], []
        counted, dense = message.get_sparse_features(TEXT)[1], message.get_dense_features(TEXT)[1]
        if counted is not None:
            row = csr_matrix(counted.features, dtype=np.float64)
            columns.append(row.indices)
            values.append(_unit_vector((1.0 + np.log(row.data)) * self._rarity[row.indices]))
        if dense is not None:
            columns.append(np.arange(self._dense_width) + len(self._rarity))
            values.append(_unit_vector(np.asarray(dense.features, dtype=np.float64).ravel()))
        if not any(value.any() for value in values):
            return None
        return np.asarray(self._weights[:, np.concatenate(columns)] @ np.concatenate(values) + self._bias)

    def _features(self, messages: list[Message]) -> csr_matrix:
        """[messages, n-grams + dense]: each row's n-grams, and its dense part, have length one."""
        counts = _stack([message.get_sparse_features(TEXT)[1] for message in messages], len(self._rarity))
        counts.data = (1.0 + np.log(counts.data)) * self._rarity[counts.indices]
        dense = _stack([message.get_dense_features(TEXT)[1] for message in messages], self._dense_width)
        return csr_matrix(hstack([_unit(counts), _unit(dense)]))

    def _fit(self, features: csr_matrix, labels: np.ndarray[Any, Any]) -> None:
        model = self._model().fit(features, labels)
        temperature = self._temperature(features, labels) if self._config["calibrate"] else 1.0
        weights, bias = _one_row_per_class(model)
        self._labels = [str(label) for label in model.classes_]
        self._weights, self._bias = weights / temperature, bias / temperature

    def _model(self) -> LinearSVC:
        return LinearSVC(
            C=self._config["C"],
            max_iter=self._config["max_iter"],
            random_state=self._config["random_state"],
            class_weight="balanced",
        )

    def _temperature(self, features: csr_matrix, labels: np.ndarray[Any, Any]) -> float:
        """The divisor of the scores under which held-out intents are the least surprising."""
        classes, truth, counts = np.unique(labels, return_inverse=True, return_counts=True)
        if counts.min() < FOLDS:
            return 1.0
        scores = np.zeros((len(labels), len(classes)))
        folds = StratifiedKFold(FOLDS, shuffle=True, random_state=self._config["random_state"])
        for fit, held_out in folds.split(features, labels):
            weights, bias = _one_row_per_class(self._model().fit(features[fit], labels[fit]))
            scores[held_out] = features[held_out] @ weights.T + bias

        def surprise(log_temperature: float) -> float:
            log_confidence = log_softmax(scores / np.exp(log_temperature), axis=1)
            return float(-log_confidence[np.arange(len(truth)), truth].mean())

        return float(np.exp(minimize_scalar(surprise, bounds=(-4.0, 2.0), method="bounded").x))

    def _persist(self) -> None:
        with self._model_storage.write_to(self._resource) as folder:
            np.savez_compressed(
                folder / "weights.npz", weights=self._weights.astype(np.float32), bias=self._bias, rarity=self._rarity
            )
            (folder / "labels.json").write_text(json.dumps(self._labels, ensure_ascii=False), encoding="utf-8")

    @classmethod
    def load(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
        **kwargs: Any,
    ) -> LinearIntentClassifier:
        """The trained component; without a stored model (no examples) it knows no intent."""
        component = cls.create(config, model_storage, resource, execution_context)
        try:
            with model_storage.read_from(resource) as folder:
                with np.load(folder / "weights.npz", allow_pickle=False) as stored:
                    component._weights, component._bias = stored["weights"], stored["bias"]
                    component._rarity = stored["rarity"]
                component._dense_width = component._weights.shape[1] - len(component._rarity)
                component._labels = json.loads((folder / "labels.json").read_text(encoding="utf-8"))
        except ValueError:  # Rasa's word for "this resource was never written"
            component._labels = []
        if component._config["meaning"] and component._labels:
            meaning = read_intent_meaning()
            component.read_twice(meaning, default_embedder() if meaning and meaning.knows(component._labels) else None)
        return component


def _one_row_per_class(model: LinearSVC) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Weights [classes, features] and biases [classes]; scikit-learn keeps a single row for two classes."""
    if len(model.classes_) > 2:
        return model.coef_, model.intercept_
    return np.vstack([-model.coef_ / 2, model.coef_ / 2]), np.concatenate([-model.intercept_ / 2, model.intercept_ / 2])


def _width(found: list[Any]) -> int:
    return max((part.features.shape[-1] for part in found if part is not None), default=0)


def _stack(found: list[Any], width: int) -> csr_matrix:
    """[messages, width]; zeros for a message without these features."""
    rows = [csr_matrix((1, width)) if part is None else csr_matrix(part.features, dtype=np.float64) for part in found]
    return csr_matrix(vstack(rows))


def _unit(rows: csr_matrix) -> csr_matrix:
    """The same directions, of length one; nothing stays nothing."""
    lengths = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1)).ravel())
    return csr_matrix(diags(1.0 / np.where(lengths > 0, lengths, 1.0)) @ rows)


def _unit_vector(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    length = float(np.linalg.norm(values))
    return values / length if length else values


def _rarity(counts: csr_matrix) -> np.ndarray[Any, Any]:
    """The smoothed inverse document frequency of each n-gram."""
    documents = np.bincount(counts.indices, minlength=counts.shape[1])
    return np.asarray(np.log((1.0 + counts.shape[0]) / (1.0 + documents)) + 1.0)
