"""The linear model of one language: n-grams and cues, in milliseconds, without a numerical library."""

from __future__ import annotations

import gzip
import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bot.nlu.lexicon import Found
from bot.nlu.questions import UNASKED
from bot.nlu.text import answer_ngrams, ngrams


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


def features(folded_text: str, question: str) -> list[str]:
    """Every n-gram of an answer, alone and, where we know what was asked, together with the question."""
    alone = list(ngrams(folded_text))
    return alone if question == UNASKED else [*alone, *answer_ngrams(folded_text, question)]


def names(found: Found) -> set[str]:
    """Which cues are there; how often does not matter."""
    return {cue.name for cue in found.cues}


def read_model(path: Path) -> Model:
    """Weights as `bot.nlu.training` wrote them: integers with one scale for each kind."""
    data = json.loads(gzip.decompress(path.read_bytes()))
    w, i = data["weight_scale"], data["idf_scale"]
    return Model(data["bias"], data["cues"], {n: (a * w, b * i) for n, (a, b) in data["ngrams"].items()})
