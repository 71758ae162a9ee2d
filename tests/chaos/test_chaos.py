"""The plug is pulled anywhere, at any time, and the books still balance. `make chaos` is the long form."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.run import SHORT, chaos

pytestmark = pytest.mark.e2e


async def test_the_books_balance_whoever_is_killed(empty_database_url: str, tmp_path: Path) -> None:
    """Edge, workers, Rasa and the action server die at random, and every message is accounted for."""
    report = await chaos(empty_database_url, tmp_path, SHORT)

    assert not report.faults, "\n".join(report.faults)
    assert sum(report.deaths.values()) >= SHORT.kills
    assert report.counts["inbound"] >= SHORT.customers
