"""The account of a phone over the API: in the shape that the contract promises, and clear about what it cannot tell."""

from __future__ import annotations

import logging
from urllib.parse import quote

import pytest

from bot.edge.api.answers import ContactDecisions
from bot.services.inbound import Received, receive_sms
from bot.services.workshop import Workshop
from bot.work.loop import Worker
from tests.edge.conftest import Edge, on_sqlite

PHONE = "+447700900001"
pytestmark = on_sqlite


@pytest.fixture
async def stopped(shop: Workshop) -> str:
    """A phone whose owner wrote STOP."""
    await receive_sms(shop, PHONE, Received("STOP", provider_id="SM1"))
    await Worker(shop).drain()
    return PHONE


def address(phone: str) -> str:
    """Where its account is."""
    return f"/api/v1/contacts/{quote(phone, safe='')}/decisions"


async def test_an_account_has_every_field_the_contract_promises(api: Edge, stopped: str) -> None:
    """Who it is, how they stand, what happened, what is planned."""
    account = await api.get(address(stopped))

    ContactDecisions.model_validate(account, extra="forbid")
    assert (account["phone"], account["planned"]) == (PHONE, [])
    assert account["standing"].startswith("They opted out")
    assert [(item["kind"], item["purpose"]) for item in account["items"]] == [("consent", None), ("message", "opt_out")]
    assert account["items"][1]["rules"][0]["rule"] == "exempt"


@pytest.mark.parametrize("written", ["0044 7700 900001", "+44 7700-900001", "447700900001"])
async def test_the_number_may_be_written_in_any_usual_way(api: Edge, stopped: str, written: str) -> None:
    """As a person would."""
    assert (await api.get(address(written)))["phone"] == stopped


async def test_what_is_no_number_or_no_day_is_refused_by_its_name(api: Edge, stopped: str) -> None:
    """And says how to write it."""
    phone = await api.get(address("banana"), 422)
    day = await api.get(address(stopped), 422, params={"since": "yesterday"})

    assert phone["errors"] == [
        {"field": "phone", "message": "not a phone number; write it with its country, like +905321234567"}
    ]
    assert day["errors"][0]["field"] == "since"


async def test_a_number_nobody_knows_is_not_found_and_is_not_repeated(
    api: Edge, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither in the answer nor in a log."""
    caplog.set_level(logging.DEBUG, logger="bot")

    problem = await api.get(address("+447700900999"), 404)

    assert "nothing is known of this number" in problem["detail"]
    printed = capsys.readouterr()
    assert "7700900999" not in problem["detail"] + caplog.text + printed.out + printed.err


async def test_an_account_may_begin_later(api: Edge, stopped: str) -> None:
    """An instant with its offset; a plus in an address is written %2B."""
    account = await api.get(address(stopped), params={"since": "2026-03-05T00:00:00+00:00"})

    assert account["items"] == []
