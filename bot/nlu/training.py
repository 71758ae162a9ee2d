"""Learns the linear model of one language from labelled replies. The same replies give the same bytes."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags, hstack
from sklearn.linear_model import LogisticRegression

from bot.nlu.corpus import Example
from bot.nlu.lexicon import Lexicon, lexicon_for
from bot.nlu.linear import Model, features, names
from bot.nlu.text import fold

FOLDS, SEED, C = 5, 7, 4.0
MOST_NGRAMS, MOST_NGRAMS_OF_OTHERS = 40_000, 15_000
"""English has ten times the replies of the others."""

type Logits = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Read:
    """Examples as numbers: how often each of `vocabulary` (in order of the alphabet) is there, and which cues are."""

    counts: csr_matrix
    vocabulary: NDArray[np.object_]
    cues: NDArray[np.float64]

    def at(self, rows: NDArray[np.intp]) -> Read:
        """Some of the examples."""
        return Read(self.counts[rows], self.vocabulary, self.cues[rows])


class Trainer:
    """Fits one language: n-grams by inverse document frequency, cues beside them, one logistic regression over both."""

    def __init__(self, language: str, *, with_ngrams: bool = True, with_cues: bool = True) -> None:
        self._lexicon = lexicon_for(language) if with_cues else Lexicon({})
        self._cues = sorted(self._lexicon.names)
        self._with_ngrams = with_ngrams
        self._most = MOST_NGRAMS if language == "en" else MOST_NGRAMS_OF_OTHERS

    def fit(self, examples: Sequence[Example]) -> Model:
        """The model of these examples. Deterministic."""
        return self.fit_read(self.read(examples), examples)

    def fit_read(self, read: Read, examples: Sequence[Example]) -> Model:
        """The same, of examples that were read before."""
        frequency = np.asarray((read.counts > 0).sum(axis=0)).ravel()
        order = np.lexsort((np.arange(len(frequency)), -frequency))[: self._most]
        chosen = np.sort(order[frequency[order] >= 2])
        idf = np.log((1 + len(examples)) / (1 + frequency[chosen])) + 1
        matrix = hstack([_weighted(read.counts, chosen, idf), csr_matrix(read.cues)], format="csr")
        fitted = regress(matrix, [e.unhappy for e in examples], [e.weight for e in examples])
        weights = fitted.coef_[0].tolist()
        grams = read.vocabulary[chosen].tolist()
        return Model(
            float(fitted.intercept_[0]),
            dict(zip(self._cues, weights[len(grams) :], strict=True)),
            {gram: (weights[at], float(idf[at])) for at, gram in enumerate(grams)},
        )

    def logits(self, model: Model, examples: Sequence[Example]) -> Logits:
        """What a model says of examples."""
        return self.logits_read(model, self.read(examples))

    def logits_read(self, model: Model, read: Read) -> Logits:
        """The same, of examples that were read before."""
        known = [model.ngrams.get(gram) for gram in read.vocabulary.tolist()]
        chosen = np.array([at for at, pair in enumerate(known) if pair is not None], dtype=np.intp)
        pairs = np.array([pair for pair in known if pair is not None]).reshape(len(chosen), 2)
        cues = read.cues @ np.array([model.cues.get(cue, 0.0) for cue in self._cues])
        said: Logits = model.bias + cues + _weighted(read.counts, chosen, pairs[:, 1]) @ pairs[:, 0]
        return said

    def read(self, examples: Sequence[Example]) -> Read:
        """Count once what several models are fitted to."""
        texts = [fold(example.text) for example in examples]
        found = [names(self._lexicon.find(text)) for text in texts]
        cues = np.array([[float(cue in seen) for cue in self._cues] for seen in found]).reshape(-1, len(self._cues))
        grams: defaultdict[str, int] = defaultdict(lambda: len(grams))
        columns: list[int] = []
        ends = [0]
        for text, example in zip(texts, examples, strict=True):
            columns.extend(grams[gram] for gram in (features(text.text, example.question) if self._with_ngrams else ()))
            ends.append(len(columns))
        counts = csr_matrix((np.ones(len(columns)), columns, ends), shape=(len(texts), len(grams)))
        counts.sum_duplicates()
        vocabulary = np.array([*grams, None], dtype=object)[:-1]
        alphabet = np.argsort(vocabulary, kind="stable")
        return Read(counts[:, alphabet], vocabulary[alphabet], cues)


def _weighted(counts: csr_matrix, chosen: NDArray[np.intp], idf: NDArray[np.float64]) -> csr_matrix:
    """Rows of length one over the chosen n-grams."""
    part = counts[:, chosen].astype(np.float64)
    part.data = 1 + np.log(part.data)
    part = part @ diags(idf)
    norms = np.sqrt(np.asarray(part.multiply(part).sum(axis=1)).ravel())
    return csr_matrix(diags(1 / np.where(norms > 0, norms, 1.0)) @ part)


def fold_of(text: str) -> int:
    """Which fifth a text belongs to; the same words are never on both sides."""
    return hashlib.sha256(fold(text).text.strip().encode()).digest()[0] % FOLDS


def cross_fitted(trainer: Trainer, examples: Sequence[Example]) -> tuple[Logits, list[Model]]:
    """The log-odds of each example from a model that has not seen it, and the model without each fifth."""
    read = trainer.read(examples)
    folds = np.array([fold_of(example.text) for example in examples])
    logits, models = np.zeros(len(examples)), []
    for fifth in range(FOLDS):
        others, rows = np.flatnonzero(folds != fifth), np.flatnonzero(folds == fifth)
        model = trainer.fit_read(read.at(others), [examples[row] for row in others.tolist()])
        logits[rows] = trainer.logits_read(model, read.at(rows))
        models.append(model)
    return logits, models


def calibrated(model: Model, slope: float, shift: float) -> Model:
    """The same order of texts, with probabilities that mean what they say."""
    return Model(
        slope * model.bias + shift,
        {cue: slope * weight for cue, weight in model.cues.items()},
        {gram: (slope * weight, idf) for gram, (weight, idf) in model.ngrams.items()},
    )


def calibration(logits: Logits, examples: Sequence[Example]) -> tuple[float, float]:
    """Platt's slope and shift from held-out log-odds of the examples that weigh most (not the older phase)."""
    chosen = [i for i, example in enumerate(examples) if example.weight >= 1]
    fitted = regress(
        csr_matrix(logits[chosen][:, None]), [examples[i].unhappy for i in chosen], [1.0] * len(chosen), c=1e6
    )
    return float(fitted.coef_[0][0]), float(fitted.intercept_[0])


def write_model(model: Model, path: Path, *, levels: int = 127) -> None:
    """Integers with one scale for each kind, compressed; weights that round to nothing are kept for the norm."""
    heaviest = max((abs(weight) for weight, _ in model.ngrams.values()), default=1.0) or 1.0
    rarest = max((idf for _, idf in model.ngrams.values()), default=1.0)
    data = {
        "bias": round(model.bias, 4),
        "cues": {cue: round(weight, 4) for cue, weight in sorted(model.cues.items())},
        "weight_scale": float(f"{heaviest / levels:.6g}"),
        "idf_scale": float(f"{rarest / levels:.6g}"),
        "ngrams": {
            gram: [round(weight / heaviest * levels), round(idf / rarest * levels)]
            for gram, (weight, idf) in sorted(model.ngrams.items())
        },
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    path.write_bytes(gzip.compress(text.encode(), compresslevel=9, mtime=0))


def regress(
    matrix: csr_matrix | NDArray[np.float64],
    unhappy: Sequence[float] | NDArray[np.float64],
    weights: Sequence[float] | NDArray[np.float64],
    *,
    c: float = C,
) -> LogisticRegression:
    """Logistic regression on labels between 0 and 1: an undecided example counts partly for each side."""
    target, say = np.asarray(unhappy), np.asarray(weights)
    rows = np.concatenate([np.flatnonzero(target < 1), np.flatnonzero(target > 0)])
    labels = np.concatenate([np.zeros((target < 1).sum()), np.ones((target > 0).sum())])
    shares = np.concatenate([(say * (1 - target))[target < 1], (say * target)[target > 0]])
    return LogisticRegression(C=c, max_iter=1000, random_state=SEED).fit(matrix[rows], labels, sample_weight=shares)
