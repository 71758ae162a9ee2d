"""The examples that intents are learnt from (`data/nlu`), and folds of them that keep near-duplicates together."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from bot.nlu.spelling import spelled
from bot.nlu.text import WORD

INTENTS = Path(__file__).resolve().parents[2] / "data" / "nlu"
FOLDS, SEED = 5, 7
ALIKE = 0.8
"""Two examples of a language are near-duplicates when they share this part of all their runs of three characters."""


@dataclass(frozen=True, slots=True)
class Said:
    """One example."""

    text: str
    intent: str
    language: str


def read_examples(folder: Path = INTENTS, prefix: str = "") -> list[Said]:
    """Every example of every language, in the order of the files; a file is named by its language, after `prefix`."""
    return [
        Said(line.removeprefix("- ").strip(), entry["intent"], path.stem.removeprefix(prefix))
        for path in sorted(folder.glob(f"{prefix}*.yml"))
        for entry in yaml.safe_load(path.read_text("utf-8"))["nlu"]
        for line in entry["examples"].splitlines()
    ]


def fingerprint(examples: Sequence[Said]) -> str:
    """Changes with any example."""
    return hashlib.sha256(repr([(e.language, e.intent, e.text) for e in examples]).encode()).hexdigest()[:16]


def folds_of(examples: Sequence[Said]) -> NDArray[np.int_]:
    """Which fifth each example belongs to: every intent of every language evenly, near-duplicates together."""
    strata = [f"{example.language} {example.intent}" for example in examples]
    folds = np.zeros(len(examples), dtype=int)
    splitter = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=SEED)
    for fold, (_, held_out) in enumerate(splitter.split(strata, strata, near_duplicates(examples))):
        folds[held_out] = fold
    return folds


def near_duplicates(examples: Sequence[Said]) -> list[int]:
    """For each example the first that is like it, or linked to it by others that are alike."""
    leader = list(range(len(examples)))

    def led_by(at: int) -> int:
        while leader[at] != at:
            leader[at] = leader[leader[at]]
            at = leader[at]
        return at

    runs = [_runs(example.text) for example in examples]
    having: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for at, example in enumerate(examples):
        shared = Counter(other for run in runs[at] for other in having[example.language, run])
        for other, count in shared.items():
            if count >= ALIKE * (len(runs[at]) + len(runs[other]) - count):
                first, second = sorted((led_by(at), led_by(other)))
                leader[second] = first
        for run in runs[at]:
            having[example.language, run].append(at)
    return [led_by(at) for at in range(len(examples))]


def _runs(text: str) -> set[str]:
    padded = f" {' '.join(WORD.findall(spelled(text)))} "
    return {padded[start : start + 3] for start in range(max(1, len(padded) - 2))}
