"""What each part of the detector adds, on replies that the reading model has not seen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from bot.nlu.corpus import as_unasked, read_own, read_public
from bot.nlu.embedding import Embeds
from bot.nlu.evaluation import Figures, Reply, by_fifth, figures, measure
from bot.nlu.learning import Learnt
from bot.nlu.meaning import Meaning, probability
from bot.nlu.scorer import Scorer
from bot.nlu.training import Trainer, calibration, cross_fitted


def ablation(data: Path, replies: Sequence[Reply], learnt: Learnt, embedder: Embeds | None) -> Iterator[Figures]:
    """One line for each part that is added, in this order; `replies` are the set `en_fft`."""
    unrated = [replace(reply, rating=None) for reply in replies]
    yield _words_alone(data, unrated, with_cues=False)
    yield _words_alone(data, unrated, with_cues=True)
    first = [Scorer(models) for models, _ in learnt.without]
    yield measure("+ the question", "5 folds", unrated, by_fifth(first))
    if embedder is not None:
        always = [Scorer(models, _always(meaning), embedder) for models, meaning in learnt.without]
        yield measure("+ the embedding, always", "5 folds", unrated, by_fifth(always))
    shipped = by_fifth(learnt.scorers(embedder))
    yield measure("the embedding where the words leave doubt", "5 folds", unrated, shipped)
    yield measure("+ the rating, as shipped", "5 folds", replies, shipped)


def _words_alone(data: Path, replies: Sequence[Reply], *, with_cues: bool) -> Figures:
    public = [example for example in read_public(data) if example.language == "en"]
    examples = as_unasked(read_own("en") + public, 1.0)
    logits, _ = cross_fitted(Trainer("en", with_cues=with_cues), examples)
    slope, shift = calibration(logits, examples)
    of_text = {example.text: slope * logit + shift for example, logit in zip(examples, logits, strict=True)}
    scores = np.array([probability(of_text[reply.text]) for reply in replies])
    return figures("+ cues" if with_cues else "words and parts of words", "5 folds", replies, scores)


def _always(meaning: Meaning | None) -> Meaning | None:
    return replace(meaning, unsure={}) if meaning else None
