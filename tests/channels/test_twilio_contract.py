"""The real client and the look-alike, both held against Twilio's own description of its API."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from openapi_core import OpenAPI
from openapi_core.testing import MockRequest, MockResponse
from openapi_core.validation.response.exceptions import InvalidData

from bot.core.errors import ChannelError
from tests.channels.town import PHONE, Exchange, Town, outbound

BESIDE = Path(__file__).parents[3] / "shared" / "contracts" / "twilio_messages.json"


@pytest.fixture(scope="module")
def contract() -> OpenAPI:
    """Twilio's OpenAPI description of Messages, without its claim that relative `*_uri` values are URIs."""
    path = Path(os.environ.get("AFTERWORD_TWILIO_CONTRACT", BESIDE))
    if not path.is_file():
        pytest.skip("Twilio's OpenAPI description is not here; name it in AFTERWORD_TWILIO_CONTRACT")
    described = json.loads(path.read_text())
    _without_uri_formats(described)
    return OpenAPI.from_dict(described)


def _without_uri_formats(node: Any) -> None:
    if isinstance(node, dict):
        for name, value in node.items():
            if str(name).endswith("uri") and isinstance(value, dict) and value.get("format") == "uri":
                del value["format"]
            _without_uri_formats(value)
    elif isinstance(node, list):
        for item in node:
            _without_uri_formats(item)


def hold_against(contract: OpenAPI, exchange: Exchange) -> None:
    """Raises unless request and answer are as described. Only successful answers are described."""
    form = exchange.method == "POST"
    request = MockRequest(
        "https://api.twilio.com",
        exchange.method,
        exchange.path,
        args=exchange.query,
        headers=exchange.headers,
        data=exchange.body if form else None,
        content_type="application/x-www-form-urlencoded",
    )
    contract.validate_request(request)
    if exchange.status < 300:
        contract.validate_response(request, MockResponse(exchange.answer, exchange.status))


async def test_sending(contract: OpenAPI, town: Town) -> None:
    """What we post and what we get back, with a number and with a messaging service as the sender."""
    await town.channel().send(outbound("İyi günler 🙂"))
    await town.channel(sender="MG" + "0" * 32).send(outbound())

    assert [exchange.status for exchange in town.exchanges] == [201, 201]
    for exchange in town.exchanges:
        hold_against(contract, exchange)


async def test_reconciling(contract: OpenAPI, town: Town) -> None:
    """Lists, inbound messages and failed ones included."""
    await town.break_with("30003")
    await town.channel().send(outbound())
    await town.write("a reply")
    await town.lookalike.settle()

    await town.channel().reconcile(PHONE, datetime.now(UTC))

    assert [exchange.method for exchange in town.exchanges] == ["POST", "GET"]
    hold_against(contract, town.exchanges[-1])


async def test_refusals(contract: OpenAPI, town: Town) -> None:
    """Even what is refused was asked properly."""
    for mode in ("429", "500", "21610"):
        await town.break_with(mode)
        with pytest.raises(ChannelError):
            await town.channel().send(outbound())

    assert [exchange.status for exchange in town.exchanges] == [429, 500, 400]
    for exchange in town.exchanges:
        hold_against(contract, exchange)


async def test_the_check_can_fail(contract: OpenAPI, town: Town) -> None:
    """A wrong answer would be noticed."""
    await town.channel().send(outbound())
    [good] = town.exchanges
    bad = json.loads(good.answer) | {"status": "teleported"}

    with pytest.raises(InvalidData):
        hold_against(
            contract,
            Exchange(good.method, good.path, good.query, good.headers, good.body, 201, json.dumps(bad).encode()),
        )
