"""The second reading: what the sentence means, beside the words and cues that the first one counted.

One logistic model over the sentence embedding, the linear model's log-odds, the cues and what was asked, shared by all
languages and learnt by `bot.nlu.meaning_training`. A question of its own kind bends the direction of unhappiness a
little: after "what could be better?" a plain noun is a complaint.
"""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bot.nlu.questions import UNASKED

MEANING = "meaning"
"""The name of the signal that carries what the embedding added."""

ASKED = "asked"

MOST_WORDS_LOGIT = 5.0
"""The linear model's log-odds are cut off here: beyond it, it is no surer than that."""

type Vector = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Direction:
    """Where unhappiness lies for one kind of question: a weight for each number of an embedding, and a constant."""

    bias: float
    weights: Vector

    def scaled(self, factor: float) -> Direction:
        """The same direction, with more or less say."""
        return Direction(self.bias * factor, self.weights * np.float32(factor))


@dataclass(frozen=True, slots=True)
class Meaning:
    """The weights in log-odds; `directions` by question, `words` is the say of the linear model, `cues` theirs.

    `unsure` says between which probabilities the linear model alone is not believed, for "asked" and "unasked" texts,
    and for those of one language ("en asked"); outside of them it is, which saves the embedding.
    """

    directions: Mapping[str, Direction]
    words: float
    words_unasked: float
    cues: Mapping[str, float]
    unsure: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def felt(self, vector: Vector, question: str) -> float:
        """What the meaning itself adds to the log-odds."""
        return float(self.directions[question].weights @ vector) + self.directions[question].bias

    def rest(self, words_logit: float, cue_names: Iterable[str], question: str) -> float:
        """What the words and the cues add."""
        say = self.words_unasked if question == UNASKED else self.words
        cut = max(-MOST_WORDS_LOGIT, min(MOST_WORDS_LOGIT, words_logit))
        return say * cut + sum(self.say_of(name, question) for name in sorted(set(cue_names)))

    def say_of(self, cue: str, question: str) -> float:
        """What a cue adds beside its words; of a text that answers no question, nothing."""
        return 0.0 if question == UNASKED else self.cues.get(cue, 0.0)

    def is_unsure(self, words_p: float, language: str, question: str) -> bool:
        """Whether a second reading is worth its time."""
        kind = UNASKED if question == UNASKED else ASKED
        low, high = self.unsure.get(f"{language} {kind}") or self.unsure.get(kind) or (0.0, 1.0)
        return low <= words_p <= high


def read_meaning(path: Path) -> Meaning | None:
    """The weights as they were written, or `None` when there are none."""
    if not path.is_file():
        return None
    data = json.loads(gzip.decompress(path.read_bytes()))
    scale = data["scale"]
    return Meaning(
        directions={
            question: Direction(found["bias"], np.asarray(found["weights"], dtype=np.float32) * np.float32(scale))
            for question, found in data["directions"].items()
        },
        words=data["words"],
        words_unasked=data["words_unasked"],
        cues=data["cues"],
        unsure={language: (low, high) for language, (low, high) in data["unsure"].items()},
    )


def write_meaning(meaning: Meaning, path: Path) -> None:
    """Whole numbers with one scale; the same weights give the same bytes."""
    heaviest = max(float(np.abs(direction.weights).max()) for direction in meaning.directions.values())
    scale = float(f"{heaviest / 4095:.4g}")
    data = {
        "scale": scale,
        "directions": {
            question: {
                "bias": round(direction.bias, 4),
                "weights": [round(float(weight) / scale) for weight in direction.weights],
            }
            for question, direction in meaning.directions.items()
        },
        "words": round(meaning.words, 4),
        "words_unasked": round(meaning.words_unasked, 4),
        "cues": {name: round(weight, 4) for name, weight in sorted(meaning.cues.items())},
        "unsure": {language: list(band) for language, band in sorted(meaning.unsure.items())},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    path.write_bytes(gzip.compress(text.encode(), compresslevel=9, mtime=0))


def probability(logit: float) -> float:
    """Between 0 and 1, without ever being quite sure."""
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, logit))))
