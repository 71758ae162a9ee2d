"""How good probabilities are against labels; each figure as the field reports it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

type Flags = NDArray[np.bool_]
type Scores = NDArray[np.float64]

FALSE_ALARMS = 0.10
_BINS = 10


def auroc(unhappy: Flags, scores: Scores) -> float:
    """How often an unhappy reply scores above another; ties count half."""
    order = np.argsort(scores, kind="mergesort")
    _, first, counts = np.unique(scores[order], return_index=True, return_counts=True)
    ranks = np.empty(len(scores))
    ranks[order] = np.repeat(first + (counts + 1) / 2, counts)
    positives, negatives = int(unhappy.sum()), int((~unhappy).sum())
    if not positives or not negatives:
        return float("nan")
    return float((ranks[unhappy].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def threshold_at(unhappy: Flags, scores: Scores, false_alarms: float = FALSE_ALARMS) -> float:
    """The score above which at most this share of the others lies."""
    others = np.sort(scores[~unhappy])[::-1]
    at = int(np.floor(false_alarms * len(others)))
    return float(others[at]) if at < len(others) else -np.inf


def recall_at(unhappy: Flags, scores: Scores, false_alarms: float = FALSE_ALARMS) -> float:
    """The share of unhappy replies found when that share of the others is disturbed."""
    if not unhappy.any():
        return float("nan")
    return float((scores[unhappy] > threshold_at(unhappy, scores, false_alarms)).mean())


def false_alarms_at(unhappy: Flags, scores: Scores, threshold: float) -> float:
    """The share of other replies at or above a threshold that was fixed before."""
    return float((scores[~unhappy] >= threshold).mean()) if (~unhappy).any() else float("nan")


def calibration_error(unhappy: Flags, scores: Scores) -> float:
    """How far probabilities are from frequencies, over ten bins of equal width, weighted by their size."""
    bins = np.minimum((scores * _BINS).astype(int), _BINS - 1)
    parts = ((bins == at) for at in range(_BINS))
    return float(sum(abs(scores[part].mean() - unhappy[part].mean()) * part.mean() for part in parts if part.any()))
