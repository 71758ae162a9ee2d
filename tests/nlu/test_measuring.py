"""The figures, against values worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bot.nlu.measuring import auroc, calibration_error, false_alarms_at, recall_at, threshold_at

UNHAPPY = np.array([True, True, True, False, False, False, False, False, False, False, False, False, False])
SCORES = np.array([0.9, 0.8, 0.3, 0.85, 0.4, 0.2, 0.2, 0.1, 0.1, 0.1, 0.1, 0.0, 0.0])


def test_auroc_counts_the_pairs_in_the_right_order() -> None:
    """Ten of ten below 0.9, nine below 0.8, eight below 0.3: 27 of 30 pairs; a tie is half a pair."""
    assert auroc(UNHAPPY, SCORES) == pytest.approx(27 / 30)
    assert auroc(np.array([True, False]), np.array([0.5, 0.5])) == 0.5


def test_recall_is_taken_where_a_tenth_of_the_others_is_disturbed() -> None:
    """One of ten others may lie above: the threshold is the second highest of them."""
    assert threshold_at(UNHAPPY, SCORES) == 0.4
    assert recall_at(UNHAPPY, SCORES) == pytest.approx(2 / 3)


def test_false_alarms_are_the_others_at_or_above_a_threshold() -> None:
    """Two of ten are at 0.4 or above."""
    assert false_alarms_at(UNHAPPY, SCORES, 0.4) == pytest.approx(0.2)


def test_a_calibration_error_is_the_distance_from_what_happens() -> None:
    """Ten scores of 0.75 of which six are unhappy are 0.15 off; half as many in another bin count half."""
    unhappy = np.array([True] * 6 + [False] * 4 + [False] * 5)
    scores = np.array([0.75] * 10 + [0.05] * 5)

    assert calibration_error(unhappy, scores) == pytest.approx((0.15 * 10 + 0.05 * 5) / 15)


def test_where_one_side_is_missing_there_is_no_figure() -> None:
    """Nothing is claimed of a set that is all happy or all unhappy."""
    happy = np.zeros(3, dtype=bool)

    assert math.isnan(auroc(happy, np.ones(3)))
    assert math.isnan(recall_at(happy, np.ones(3)))
    assert math.isnan(false_alarms_at(~happy, np.ones(3), 0.5))
