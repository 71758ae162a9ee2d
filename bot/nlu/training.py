"""Learns the linear model of one language from labelled replies. The same replies give the same bytes."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from bot.nlu.corpus import Example
from bot.nlu.lexicon import lexicon_for
from bot.nlu.linear import Model, features, names
from bot.nlu.text import fold

FOLDS, SEED, C = 5, 7, 4.0
MOST_NGRAMS = 40_000

type Logits = NDArray[np.float64]


class Trainer:
    """Fits one language: n-grams by inverse document frequency, cues beside them, one logistic regression over both."""

    def __init__(self, language: str, *, with_ngrams: bool = True) -> None:
        self._lexicon = lexicon_for(language)
        self._with_ngrams = with_ngrams

    def fit(self, examples: Sequence[Example]) -> Model:
        """The model of these examples. Deterministic."""
        texts = [fold(example.text) for example in examples]
        grams = [
            features(t.text, e.question) if self._with_ngrams else [] for t, e in zip(texts, examples, strict=True)
        ]
        cues = [names(self._lexicon.find(text)) for text in texts]
        seen = Counter(gram for row in grams for gram in set(row))
        idf = {
            gram: float(np.log((1 + len(texts)) / (1 + count)) + 1)
            for gram, count in sorted(seen.items(), key=lambda item: (-item[1], item[0]))[:MOST_NGRAMS]
            if count >= 2
        }
        columns = {gram: at for at, gram in enumerate(sorted(idf))}
        cue_columns = {cue: len(columns) + at for at, cue in enumerate(sorted(self._lexicon.names))}
        matrix = _matrix(grams, cues, idf, columns, cue_columns)
        fitted = _regress(matrix, [e.unhappy for e in examples], [e.weight for e in examples])
        weights = fitted.coef_[0]
        return Model(
            float(fitted.intercept_[0]),
            {cue: float(weights[at]) for cue, at in cue_columns.items()},
            {gram: (float(weights[at]), idf[gram]) for gram, at in columns.items()},
        )

    def logits(self, model: Model, examples: Iterable[Example]) -> Logits:
        """What a model says of examples."""
        texts = [(fold(example.text), example.question) for example in examples]
        grams = (features(t.text, q) if self._with_ngrams else [] for t, q in texts)
        cues = (names(self._lexicon.find(t)) for t, _ in texts)
        return np.array([model.logit(g, c) for g, c in zip(grams, cues, strict=True)])


def held_out(trainer: Trainer, examples: Sequence[Example]) -> Logits:
    """The log-odds of each example from a model that has not seen it (a fifth at a time)."""
    strata = [f"{example.origin} {example.unhappy}" for example in examples]
    logits = np.zeros(len(examples))
    for train, test in StratifiedKFold(FOLDS, shuffle=True, random_state=SEED).split(strata, strata):
        model = trainer.fit([examples[i] for i in train])
        logits[test] = trainer.logits(model, [examples[i] for i in test])
    return logits


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
    fitted = _regress(
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


def _matrix(
    grams: Sequence[list[str]],
    cues: Sequence[set[str]],
    idf: dict[str, float],
    columns: dict[str, int],
    cue_columns: dict[str, int],
) -> csr_matrix:
    values: list[float] = []
    indices: list[int] = []
    ends = [0]
    for row, found in zip(grams, cues, strict=True):
        counts = [(gram, count) for gram, count in Counter(row).items() if gram in columns]
        weighted = [(columns[gram], (1 + np.log(count)) * idf[gram]) for gram, count in counts]
        norm = float(np.sqrt(sum(value * value for _, value in weighted))) or 1.0
        entries = [*((at, value / norm) for at, value in weighted), *((cue_columns[cue], 1.0) for cue in sorted(found))]
        indices.extend(at for at, _ in entries)
        values.extend(value for _, value in entries)
        ends.append(len(values))
    return csr_matrix((values, indices, ends), shape=(len(grams), len(columns) + len(cue_columns)))


def _regress(
    matrix: csr_matrix, unhappy: Sequence[float], weights: Sequence[float], *, c: float = C
) -> LogisticRegression:
    """Logistic regression on labels between 0 and 1: an undecided example counts partly for each side."""
    target, say = np.asarray(unhappy), np.asarray(weights)
    rows = np.concatenate([np.flatnonzero(target < 1), np.flatnonzero(target > 0)])
    labels = np.concatenate([np.zeros((target < 1).sum()), np.ones((target > 0).sum())])
    shares = np.concatenate([(say * (1 - target))[target < 1], (say * target)[target > 0]])
    return LogisticRegression(C=c, max_iter=1000, random_state=SEED).fit(matrix[rows], labels, sample_weight=shares)
