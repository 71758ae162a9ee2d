"""How unhappy one reply sounds, and why.

A linear model over n-grams and cues, learnt by `bot.nlu.training`. It needs neither Rasa nor a numerical library, and
reads the raw text, because a tokenizer would already have thrown away the emoji.
"""

from __future__ import annotations

import gzip
import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from bot.nlu.lexicon import Found, Lexicon, Span, lexicon_for
from bot.nlu.text import Folded, answer_ngrams, fold, ngrams

WEIGHTS = Path(__file__).parent / "weights"
ANY = "any"
"""The model of languages that have none of their own: cues alone."""

OPEN, IMPROVE, GOOD = "open", "improve", "good"
QUESTIONS = (OPEN, IMPROVE, GOOD)
QUESTION_OF_CONTEXT = {"soft_question": IMPROVE}
"""What was asked, as the model knows it: an open question, what could be better, what was good."""

MOST_SIGNALS = 8


@dataclass(frozen=True, slots=True)
class Cue:
    """A hint found in a text: `evidence` is the customer's own characters from `start` to `end`.

    `weight` is what these words add to the log-odds of dissatisfaction: positive is unhappier.
    """

    name: str
    weight: float
    evidence: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Heard:
    """What was read in one text. `failure` is a code or `""`; `failure_words` are the customer's own words for it."""

    p: float
    signals: tuple[Cue, ...] = ()
    failure: str = ""
    failure_words: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The form in which it travels with a message."""
        signals = [
            {"name": s.name, "weight": s.weight, "evidence": s.evidence, "start": s.start, "end": s.end}
            for s in self.signals
        ]
        return {"p": self.p, "signals": signals, "failure": self.failure, "failure_words": self.failure_words}


@dataclass(frozen=True, slots=True)
class Model:
    """Weights in log-odds: `ngrams` maps to (weight, idf), `cues` to a weight each."""

    bias: float = 0.0
    cues: Mapping[str, float] = field(default_factory=dict)
    ngrams: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def logit(self, features: Iterable[str], cue_names: Iterable[str]) -> float:
        """The log-odds of dissatisfaction."""
        total, norm = 0.0, 0.0
        for ngram, count in Counter(features).items():
            known = self.ngrams.get(ngram)
            if known is not None:
                value = (1 + math.log(count)) * known[1]
                total += value * known[0]
                norm += value * value
        cues = sum(self.cues.get(name, 0.0) for name in sorted(set(cue_names)))
        return self.bias + cues + (total / math.sqrt(norm) if norm else 0.0)


class Scorer:
    """Scores replies in every language that has data files, and the others by what can be told without."""

    def __init__(self, models: Mapping[str, Model]) -> None:
        self._models = dict(models)

    @classmethod
    def load(cls, folder: Path = WEIGHTS) -> Scorer:
        """The scorer with the weights that ship with the bot."""
        return cls({path.name.removesuffix(".json.gz"): read_model(path) for path in sorted(folder.glob("*.json.gz"))})

    def score(self, text: str, language: str | None, question: str | None = None) -> Heard:
        """Read one reply. An empty text says nothing: p is 0 and there are no signals."""
        if not text.strip():
            return Heard(0.0)
        tongue = (language or ANY).split("-")[0]
        lexicon, model = lexicon_for(tongue), self._models.get(tongue) or self._models.get(ANY, Model())
        asked = question if question in QUESTIONS else OPEN
        folded = fold(text)
        found = lexicon.find(folded)
        logit = model.logit(features(folded.text, asked), names(found))
        return Heard(
            p=round(_sigmoid(logit), 4),
            signals=_explain(model, lexicon, folded, found, asked, logit),
            failure=found.failure.name if found.failure else "",
            failure_words=_quote(lexicon, folded, found),
        )


@cache
def default_scorer() -> Scorer:
    """The shipped scorer, read once per process."""
    return Scorer.load()


def features(folded_text: str, question: str) -> list[str]:
    """Every n-gram of an answer."""
    return [*ngrams(folded_text), *answer_ngrams(folded_text, question)]


def names(found: Found) -> set[str]:
    """Which cues are there; how often does not matter."""
    return {cue.name for cue in found.cues}


def read_model(path: Path) -> Model:
    """Weights as `bot.nlu.training` wrote them: integers with one scale for each kind."""
    data = json.loads(gzip.decompress(path.read_bytes()))
    w, i = data["weight_scale"], data["idf_scale"]
    return Model(data["bias"], data["cues"], {n: (a * w, b * i) for n, (a, b) in data["ngrams"].items()})


def _explain(
    model: Model, lexicon: Lexicon, folded: Folded, found: Found, question: str, logit: float
) -> tuple[Cue, ...]:
    """Each cue weighs what the log-odds lose without all of its words; the first of them is its evidence."""
    cues: list[Cue] = []
    for name in dict.fromkeys(span.name for span in found.cues):
        spans = [span for span in found.cues if span.name == name]
        if name == "brevity":
            weight = model.cues.get(name, 0.0)
        else:
            rest = fold(_without(folded.text, spans))
            weight = logit - model.logit(features(rest.text, question), names(lexicon.find(rest)))
        start, end = folded.raw_span(spans[0].start, spans[0].end)
        cues.append(Cue(name, round(weight, 3), folded.raw[start:end], start, end))
    return tuple(sorted(cues, key=lambda cue: -abs(cue.weight))[:MOST_SIGNALS])


def _without(text: str, spans: Iterable[Span]) -> str:
    for span in sorted(spans, key=lambda span: -span.start):
        text = f"{text[: span.start]} {text[span.end :]}"
    return text


def _quote(lexicon: Lexicon, folded: Folded, found: Found) -> str:
    if found.clause is None or lexicon.is_coarse(folded.text[found.clause.start : found.clause.end]):
        return ""
    start, end = folded.raw_span(found.clause.start, found.clause.end)
    return folded.raw[start:end]


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, x))))
