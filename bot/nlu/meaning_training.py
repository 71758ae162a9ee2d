"""Learns the second reading (`bot.nlu.meaning`) from embeddings, the linear models' log-odds and the cues.

Two regressions. Replies to a question are learnt from check-in replies and the Friends and Family Test, where a bare
noun after "what could be better?" is a complaint. Texts that answer no question are learnt from the other sets only:
with the Friends and Family Test among them, reviews and messages of other trades and languages are read worse, and so
they are with the cues, which the linear model has counted already.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bot.nlu.corpus import Example
from bot.nlu.embedding import WIDTH, Embeds
from bot.nlu.lexicon import lexicon_for
from bot.nlu.linear import names
from bot.nlu.meaning import MOST_WORDS_LOGIT, Direction, Meaning
from bot.nlu.questions import GOOD, IMPROVE, OPEN, UNASKED
from bot.nlu.text import fold
from bot.nlu.training import regress

_SCALE = 10.0
"""Embeddings lie close together; spread out, one penalty fits them and the cues."""

_C_ASKED, _C_UNASKED = 0.06, 0.015

_WORDS_OF_REMARKS, _TEMPER = 0.4, 0.8
"""What the linear model says of a remark counts less than half: our own replies, even held out, make it look surer
than it is elsewhere. Together they would be too sure, hence the factor on all of it."""

type Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the second reading looks at, row by row: `words` are the linear models' held-out log-odds."""

    vectors: Matrix
    words: Matrix
    cues: Matrix
    questions: tuple[str, ...]

    def at(self, rows: NDArray[np.int_]) -> Evidence:
        """Some of the rows."""
        chosen = tuple(self.questions[row] for row in rows)
        return Evidence(self.vectors[rows], self.words[rows], self.cues[rows], chosen)


def evidence_of(examples: Sequence[Example], words: Sequence[float], embedder: Embeds) -> Evidence:
    """The evidence in examples whose log-odds by words are known."""
    found = [names(lexicon_for(example.language).find(fold(example.text))) for example in examples]
    return Evidence(
        np.asarray(embedder.embed([example.text for example in examples]), dtype=np.float64),
        np.clip(np.asarray(words, dtype=np.float64), -MOST_WORDS_LOGIT, MOST_WORDS_LOGIT),
        np.array([[float(name in cues) for name in CUES] for cues in found]),
        tuple(example.question for example in examples),
    )


CUES = (
    "brevity",
    "contrast",
    "faint_praise",
    "giving_up",
    "hedge",
    "minimiser",
    "named_failure",
    "negation",
    "polite_request",
    "positive_words",
    "strong_words",
)


def learn_meaning(
    evidence: Evidence,
    unhappy: Sequence[float],
    weights: Sequence[float],
    *,
    unsure: Mapping[str, tuple[float, float]],
) -> Meaning:
    """The weights of these rows. Deterministic."""
    asked = np.array([question != UNASKED for question in evidence.questions])
    target, say = np.asarray(unhappy), np.asarray(weights)
    center = evidence.vectors.mean(axis=0)
    answers = _fit(evidence.at(np.flatnonzero(asked)), target[asked], say[asked], center, (IMPROVE, GOOD), _C_ASKED)
    remarks = _fit(evidence.at(np.flatnonzero(~asked)), target[~asked], say[~asked], center, (), _C_UNASKED)
    return Meaning(
        {**answers.directions, UNASKED: remarks.directions[UNASKED].scaled(_TEMPER)},
        words=answers.words,
        words_unasked=_WORDS_OF_REMARKS * _TEMPER,
        cues=answers.cues,
        unsure=dict(unsure),
    )


@dataclass(frozen=True, slots=True)
class _Part:
    directions: dict[str, Direction]
    words: float
    cues: dict[str, float]


def _fit(
    evidence: Evidence, unhappy: Matrix, weights: Matrix, center: Matrix, kinds: tuple[str, ...], c: float
) -> _Part:
    """One regression; each of `kinds` may bend the common direction."""
    spread = (evidence.vectors - center) * _SCALE
    is_kind = np.array([[float(question == kind) for kind in kinds] for question in evidence.questions])
    is_kind = is_kind.reshape(len(evidence.questions), len(kinds))
    bent = [spread * is_kind[:, [at]] for at in range(len(kinds))]
    beside = [evidence.words[:, None], evidence.cues] if kinds else []
    matrix = np.hstack([spread, *bent, is_kind * 2.0, *beside])
    fitted = regress(matrix, unhappy, weights, c=c)
    found, constant = fitted.coef_[0], float(fitted.intercept_[0])
    common, at = found[:WIDTH], WIDTH
    bends = {}
    for kind in kinds:
        bends[kind] = found[at : at + WIDTH]
        at += WIDTH
    shifts = dict(zip(kinds, found[at : at + len(kinds)] * 2.0, strict=True))
    at += len(kinds)
    named = [*kinds, OPEN] if kinds else [UNASKED]
    directions = {
        kind: _direction(common + bends.get(kind, 0.0), constant + shifts.get(kind, 0.0), center) for kind in named
    }
    if not kinds:
        return _Part(directions, 0.0, {})
    return _Part(directions, float(found[at]), dict(zip(CUES, map(float, found[at + 1 :]), strict=True)))


def _direction(weights: Matrix, constant: float, center: Matrix) -> Direction:
    return Direction(float(constant - weights @ center * _SCALE), np.asarray(weights * _SCALE, dtype=np.float32))
