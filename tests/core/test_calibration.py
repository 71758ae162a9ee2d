"""Corrections at a site make the detector better there, or change nothing."""

from __future__ import annotations

import math
from random import Random

import pytest

from bot.core.calibration import AS_SHIPPED, FEWEST_LABELS, Label, in_percent, judge, refit


def labels(number: int, *, shift: float = 0.0, noise: bool = False, seed: int = 3) -> list[Label]:
    """Labels of a site where the truth is `shift` log-odds away from what the detector says."""
    dice = Random(seed)
    made = []
    for index in range(number):
        x = dice.gauss(-0.5, 2)
        truth = 0.5 if noise else 1 / (1 + math.exp(-(x + shift)))
        made.append(Label(f"label-{index}", 1 / (1 + math.exp(-x)), dice.random() < truth))
    return made


def test_a_site_that_is_milder_than_the_detector_learns_it() -> None:
    """Fewer false alarms and a lower loss, on labels that were not learnt from."""
    found = refit(labels(400, shift=-1.5))

    assert found is not None
    assert found.kept
    assert found.calibration.intercept == pytest.approx(-1.5, abs=0.5)
    assert found.after.log_loss < found.before.log_loss
    assert found.after.false_alarms <= found.before.false_alarms


def test_too_few_labels_change_nothing() -> None:
    """A dozen corrections are an anecdote."""
    assert refit(labels(FEWEST_LABELS - 1)) is None
    assert refit([Label(str(n), 0.9, True) for n in range(200)]) is None


def test_it_refuses_to_get_worse() -> None:
    """Whatever the labels, what is kept is no worse on the held-out part."""
    for seed in range(40):
        found = refit(labels(60, noise=True, seed=seed))
        if found is not None and found.kept:
            assert found.after.log_loss <= found.before.log_loss


def test_the_same_labels_give_the_same_calibration() -> None:
    """In whatever order they came."""
    some = labels(120, shift=1)

    assert refit(some) == refit(list(reversed(some)))


def test_as_shipped_leaves_a_probability_as_it_is() -> None:
    """Until somebody corrects something."""
    assert AS_SHIPPED.apply(0.3) == pytest.approx(0.3)
    assert judge([], AS_SHIPPED).log_loss == 0


def test_contrary_labels_never_turn_the_detector_upside_down() -> None:
    """A higher probability stays a higher probability."""
    upside_down = [Label(str(n), 0.9 if n % 2 else 0.1, n % 2 == 0) for n in range(200)]
    found = refit(upside_down)

    assert found is not None
    assert found.calibration.apply(0.9) > found.calibration.apply(0.1)


@pytest.mark.parametrize(
    ("probability", "told"), [(0.0, "1%"), (0.004, "1%"), (0.3, "30%"), (0.996, "99%"), (1.0, "99%")]
)
def test_nobody_is_told_that_we_are_certain(probability: float, told: str) -> None:
    """Neither 0 nor 100 %: we are never quite sure of another person."""
    assert in_percent(probability) == told
