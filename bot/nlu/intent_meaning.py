"""The second reading of a message's intent: what the sentence means, where its words alone leave a doubt.

A logistic model over the sentence embedding, shared by all languages: an example in one teaches the others. Its weights
ship with the bot (`bot.nlu.intent_learning` learns them), so that training the bot needs no embeddings.
"""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

WEIGHTS = Path(__file__).parent / "intent_weights.json.gz"
_LEVELS = 2047

type Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class IntentMeaning:
    """Weights [intents, width of an embedding] and constants, and how much each reading counts.

    `sure`: from this confidence on the words alone are believed, which saves the embedding. `learnt_from` is the
    fingerprint of the examples.
    """

    labels: tuple[str, ...]
    weights: Numbers
    bias: Numbers
    say_of_words: float
    say_of_meaning: float
    sure: float
    learnt_from: str = ""

    def means(self, vectors: Numbers) -> Numbers:
        """[texts, intents]: log-probabilities by the embedding alone."""
        return np.asarray(log_softmax(vectors @ self.weights.T + self.bias, axis=-1))

    def weigh(self, by_words: Numbers, vectors: Numbers) -> Numbers:
        """[texts, intents]: log-probabilities by both, from those by the words."""
        return np.asarray(
            log_softmax(self.say_of_words * by_words + self.say_of_meaning * self.means(vectors), axis=-1)
        )

    def is_unsure(self, by_words: Numbers) -> bool:
        """Whether one text, read by its words, is worth a second reading."""
        return math.exp(float(by_words.max())) < self.sure

    def knows(self, labels: Sequence[str]) -> bool:
        """Whether these are the intents it was taught; with others it has nothing to say."""
        return tuple(labels) == self.labels


def read_intent_meaning(path: Path = WEIGHTS) -> IntentMeaning | None:
    """The weights as they were written, or `None` when there are none."""
    if not path.is_file():
        return None
    data = json.loads(gzip.decompress(path.read_bytes()))
    return IntentMeaning(
        labels=tuple(data["labels"]),
        weights=np.asarray(data["weights"], dtype=np.float64) * data["scale"],
        bias=np.asarray(data["bias"], dtype=np.float64),
        say_of_words=data["say_of_words"],
        say_of_meaning=data["say_of_meaning"],
        sure=data["sure"],
        learnt_from=data["learnt_from"],
    )


def write_intent_meaning(meaning: IntentMeaning, path: Path = WEIGHTS) -> None:
    """Whole numbers with one scale; the same weights give the same bytes."""
    scale = float(f"{float(np.abs(meaning.weights).max()) / _LEVELS:.4g}")
    data = {
        "labels": list(meaning.labels),
        "scale": scale,
        "weights": [[round(float(weight) / scale) for weight in row] for row in meaning.weights],
        "bias": [round(float(constant), 4) for constant in meaning.bias],
        "say_of_words": round(meaning.say_of_words, 4),
        "say_of_meaning": round(meaning.say_of_meaning, 4),
        "sure": meaning.sure,
        "learnt_from": meaning.learnt_from,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(json.dumps(data, separators=(",", ":")).encode(), compresslevel=9, mtime=0))
