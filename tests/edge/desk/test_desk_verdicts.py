"""An agent confirms or corrects a verdict with one click."""

from __future__ import annotations

import pytest

from bot.services import resources
from bot.services.entities import VerdictLabel
from tests.edge.desk.conftest import Town


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True, ids=[""])
async def test_one_click_keeps_the_agents_word_and_shows_it(town: Town) -> None:
    """On the case and in the ledger; a forged way back leads to the ledger and nowhere else."""
    case_id = await town.unhappy_case()
    sam = await town.signed_in()
    async with town.shop.store(read_only=True) as tx:
        assessment_id = (await resources.case_snapshot(tx, case_id, town.clock()))["assessment"]["id"]
    path = f"/desk/assessments/{assessment_id}/verdict"

    wrong = await sam.send(path, unhappy="perhaps")
    yes = await sam.send(path, unhappy="yes", back="https://example.com/")
    no = await sam.send(path, unhappy="no", back=f"/desk/cases/{case_id}")

    assert wrong.status == 422
    assert (yes.status, yes.headers["Location"]) == (303, "/desk/ledger")
    assert (no.status, no.headers["Location"]) == (303, f"/desk/cases/{case_id}")
    async with town.shop.store(read_only=True) as tx:
        (label,) = await tx.all(VerdictLabel)
    assert (label.unhappy, label.by) == (False, "Sam")
    assert "said Sam" in await sam.look(f"/desk/cases/{case_id}")
    assert "said Sam" in await sam.look("/desk/ledger")
