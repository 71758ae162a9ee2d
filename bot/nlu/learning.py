"""Learns everything the detector ships, from the replies in this repository and a folder of public sets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from bot.nlu.corpus import Example, as_unasked, languages, read_own, read_public
from bot.nlu.embedding import Embeds
from bot.nlu.linear import Model
from bot.nlu.meaning import Meaning, write_meaning
from bot.nlu.meaning_training import Evidence, evidence_of, learn_meaning
from bot.nlu.questions import UNASKED
from bot.nlu.scorer import ANY, MEANING_FILE, Scorer
from bot.nlu.training import FOLDS, Logits, Trainer, calibrated, calibration, cross_fitted, fold_of, write_model

UNSURE = {"en asked": (0.25, 0.6), "asked": (0.2, 0.7)}
"""Where the first reading is not believed; what is not named is always read twice.

In a conversation something was always asked. Costs: docs/detection.md.
"""

_SAY = {"en_fft": 1.0, "detection": 1.0, "nlu": 1.0, "el_reviews": 2.0, "th_brand": 1.0, "goemotions": 0.9}
"""Which sets teach the second reading, and their say in it."""

_MOST_EMBEDDED = 6000
"""More of one set teaches the second reading nothing, and each takes its time."""

_SAY_OF_REMARKS, _SAY_OF_ANSWERS_AS_REMARKS = 3.0, 0.1

type Said = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Lesson:
    """One language: the model of everything, the five without a fifth each, and what these say of that fifth."""

    language: str
    examples: list[Example]
    logits: Logits
    model: Model
    without: list[Model]


@dataclass(frozen=True, slots=True)
class Learnt:
    """All that ships, and for honest measuring the same learnt without each fifth of the examples."""

    models: Mapping[str, Model]
    meaning: Meaning | None
    without: list[tuple[dict[str, Model], Meaning | None]]

    def scorers(self, embedder: Embeds | None) -> list[Scorer]:
        """A scorer for each fifth that has not seen it."""
        return [Scorer(models, meaning, embedder) for models, meaning in self.without]

    def write(self, folder: Path) -> None:
        """The files that ship."""
        for language, model in self.models.items():
            write_model(model, folder / f"{language}.json.gz")
        if self.meaning is not None:
            write_meaning(self.meaning, folder / MEANING_FILE)


def learn(data: Path, embedder: Embeds | None, said: Said = lambda _: None) -> Learnt:
    """Everything, from this repository and the folder with `measure/` and `train/`. Deterministic.

    Without an embedder the second reading is not learnt. One thread: sums are then added up in one order, whatever the
    number of cores, and threads that wait for one another on a busy machine would be slower.
    """
    with threadpool_limits(1):
        return _learn(data, embedder, said)


def _learn(data: Path, embedder: Embeds | None, said: Said) -> Learnt:
    public = read_public(data)
    lessons = [_lesson(language, public, said) for language in languages()]
    any_model = Trainer("en", with_ngrams=False).fit(read_own("en"))
    models = {lesson.language: lesson.model for lesson in lessons} | {ANY: any_model}
    folds = [{lesson.language: lesson.without[k] for lesson in lessons} | {ANY: any_model} for k in range(FOLDS)]
    if embedder is None:
        return Learnt(models, None, [(fold, None) for fold in folds])
    said("second reading: embedding")
    rows, words = _second_rows(lessons, public, any_model)
    evidence = evidence_of(rows, words, embedder)
    said(f"second reading: {len(rows)} rows")
    parts = np.array([fold_of(row.text) for row in rows])
    every = np.arange(len(rows))
    meanings = [_meaning(evidence, rows, np.flatnonzero(parts != fifth)) for fifth in range(FOLDS)]
    return Learnt(models, _meaning(evidence, rows, every), list(zip(folds, meanings, strict=True)))


def _lesson(language: str, public: Sequence[Example], said: Said) -> Lesson:
    examples = read_own(language) + [example for example in public if example.language == language]
    counts = Counter(example.origin for example in examples)
    said(f"{language}: " + ", ".join(f"{number} {origin}" for origin, number in sorted(counts.items())))
    trainer = Trainer(language)
    logits, without = cross_fitted(trainer, examples)
    slope, shift = calibration(logits, examples)
    return Lesson(
        language,
        examples,
        slope * logits + shift,
        calibrated(trainer.fit(examples), slope, shift),
        [calibrated(model, slope, shift) for model in without],
    )


def _second_rows(
    lessons: Sequence[Lesson], public: Sequence[Example], any_model: Model
) -> tuple[list[Example], list[float]]:
    """The rows of the second reading and their held-out log-odds by words; own answers count as remarks, too."""
    rows: list[Example] = []
    words: list[float] = []
    for lesson in lessons:
        seen = Counter[str]()
        for example, logit in zip(lesson.examples, lesson.logits.tolist(), strict=True):
            seen[example.origin] += 1
            if example.origin not in _SAY or seen[example.origin] > _MOST_EMBEDDED:
                continue
            own = example.origin in {"detection", "nlu"}
            say = _SAY_OF_REMARKS if own and example.question == UNASKED else _SAY[example.origin]
            twins = as_unasked([example], _SAY_OF_ANSWERS_AS_REMARKS) if own and example.question != UNASKED else []
            for row in (example, *twins):
                share = row.weight / example.weight
                rows.append(Example(row.text, row.unhappy, row.question, say * share, row.origin, row.language))
                words.append(logit)
    known = {lesson.language for lesson in lessons}
    others = [example for example in public if example.origin in _SAY and example.language not in known]
    trainer = Trainer("en", with_ngrams=False)
    return [*rows, *others], [*words, *trainer.logits(any_model, others).tolist()]


def _meaning(evidence: Evidence, rows: Sequence[Example], chosen: NDArray[np.intp]) -> Meaning:
    return learn_meaning(
        evidence.at(chosen),
        [rows[row].unhappy for row in chosen.tolist()],
        [rows[row].weight for row in chosen.tolist()],
        unsure=UNSURE,
    )
