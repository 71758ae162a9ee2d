"""Learning at the site: agents' corrections refit the calibration of a language at a site, or are refused.

A calibration maps the assessment's log-odds x to a·x + b and moves the threshold with it. It is fitted on part of the
labels (Platt's method, with a pull towards leaving things as they are) and kept only if the held-out part likes it.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

THRESHOLD = 0.5
"""As shipped: at and above this probability of dissatisfaction a reply is recovered rather than thanked."""

FEWEST_LABELS = 40
"""Below this many labels, or with fewer than eight of either kind, nothing is refitted."""

_FEWEST_OF_A_KIND = 8
_PULL = 2.0
_MOST_FALSE_ALARMS = 0.12


@dataclass(frozen=True, slots=True)
class Calibration:
    """`slope` and `intercept` in log-odds; `threshold` is the probability from which a reply is recovered."""

    slope: float = 1.0
    intercept: float = 0.0
    threshold: float = THRESHOLD

    def apply(self, probability: float) -> float:
        """The calibrated probability."""
        return _sigmoid(self.slope * _logit(probability) + self.intercept)


AS_SHIPPED = Calibration()


@dataclass(frozen=True, slots=True)
class Label:
    """What a human said about one assessed reply: the uncalibrated probability, and whether they were unhappy."""

    id: str
    probability: float
    unhappy: bool


@dataclass(frozen=True, slots=True)
class Quality:
    """How a calibration does on some labels: log loss (nats), false alarms and recall at its threshold."""

    log_loss: float
    false_alarms: float
    recall: float


@dataclass(frozen=True, slots=True)
class Refit:
    """A proposal with its quality on held-out labels beside that of the calibration in force."""

    calibration: Calibration
    before: Quality
    after: Quality
    kept: bool
    reason: str


def in_percent(probability: float) -> str:
    """A probability as people are told it: from "1%" to "99%", because nobody is ever quite sure of another person."""
    return f"{min(max(round(probability * 100), 1), 99)}%"


def refit(labels: Sequence[Label], current: Calibration = AS_SHIPPED) -> Refit | None:
    """Fit on four fifths, judge on the fifth held out by the labels' ids; None when there are too few labels.

    Deterministic. A proposal that does worse on held-out labels, or cries wolf more often than allowed and than before,
    is not kept.
    """
    unhappy = sum(label.unhappy for label in labels)
    if len(labels) < FEWEST_LABELS or min(unhappy, len(labels) - unhappy) < _FEWEST_OF_A_KIND:
        return None
    held_out = [label for label in labels if _fold(label) == 0]
    learnt = [label for label in labels if _fold(label) != 0]
    slope, intercept = _platt(learnt)
    proposal = Calibration(slope, intercept, _threshold(learnt, slope, intercept))
    before, after = judge(held_out, current), judge(held_out, proposal)
    kept, reason = _verdict(before, after)
    return Refit(proposal, before, after, kept, reason)


def judge(labels: Sequence[Label], calibration: Calibration) -> Quality:
    """The quality of a calibration on labels; all zero when there are none."""
    if not labels:
        return Quality(0.0, 0.0, 0.0)
    loss = 0.0
    alarms = {True: 0, False: 0}
    kinds = {True: 0, False: 0}
    for label in labels:
        p = min(max(calibration.apply(label.probability), 1e-6), 1 - 1e-6)
        loss -= math.log(p if label.unhappy else 1 - p)
        kinds[label.unhappy] += 1
        alarms[label.unhappy] += p >= calibration.threshold
    return Quality(
        round(loss / len(labels), 4),
        round(alarms[False] / max(1, kinds[False]), 4),
        round(alarms[True] / max(1, kinds[True]), 4),
    )


def _verdict(before: Quality, after: Quality) -> tuple[bool, str]:
    if after.log_loss > before.log_loss:
        return False, "it would be less right on the held-out labels"
    if after.false_alarms > max(before.false_alarms, _MOST_FALSE_ALARMS):
        return False, "it would cry wolf more often"
    if after.recall < before.recall and after.false_alarms >= before.false_alarms:
        return False, "it would hear less and cry wolf as often"
    return True, "it does no worse on the held-out labels"


def _platt(labels: Sequence[Label]) -> tuple[float, float]:
    """Newton's method on the log loss of slope and intercept, pulled towards 1 and 0."""
    slope, intercept = 1.0, 0.0
    for _ in range(50):
        g0, g1 = _PULL * (slope - 1), _PULL * intercept
        h00, h01, h11 = _PULL, 0.0, _PULL
        for label in labels:
            x = _logit(label.probability)
            p = _sigmoid(slope * x + intercept)
            error, weight = p - label.unhappy, p * (1 - p)
            g0, g1 = g0 + error * x, g1 + error
            h00, h01, h11 = h00 + weight * x * x, h01 + weight * x, h11 + weight
        det = h00 * h11 - h01 * h01
        step0, step1 = (h11 * g0 - h01 * g1) / det, (h00 * g1 - h01 * g0) / det
        slope, intercept = slope - step0, intercept - step1
        if abs(step0) + abs(step1) < 1e-9:
            break
    # A falling slope would turn the detector upside down; no handful of labels may do that.
    return round(max(slope, 0.1), 6), round(intercept, 6)


def _threshold(labels: Sequence[Label], slope: float, intercept: float) -> float:
    """The lowest threshold, within a band around the usual one, that keeps false alarms within what is allowed."""
    calibration = Calibration(slope, intercept)
    content = sorted(calibration.apply(label.probability) for label in labels if not label.unhappy)
    allowed = int(0.10 * len(content))
    lowest = content[-allowed - 1] + 1e-6 if allowed < len(content) else 0.0
    return round(min(max(lowest, 0.2), 0.9), 4)


def _fold(label: Label) -> int:
    return hashlib.sha256(label.id.encode()).digest()[0] % 5


def _logit(p: float) -> float:
    p = min(max(p, 1e-4), 1 - 1e-4)
    return math.log(p / (1 - p))


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))
