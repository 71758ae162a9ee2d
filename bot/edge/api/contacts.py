"""Contacts: why a phone got each message it got, and why not those it did not."""

from __future__ import annotations

from aiohttp import web

from bot.edge.api.answers import ContactDecisions
from bot.edge.api.operation import Answer, Operation, Parameter, answer
from bot.edge.keys import SHOP
from bot.services.why import explain


async def list_decisions(request: web.Request) -> web.Response:
    """The whole account of one number."""
    async with request.config_dict[SHOP].store(read_only=True) as tx:
        return answer(await explain(tx, request.match_info["phone"], since=request.query.get("since")))


OPERATIONS = (
    Operation(
        "GET",
        "/contacts/{phone}/decisions",
        list_decisions,
        "Ask why a phone got its messages",
        "Every message that went, with what the provider said of it; every one that did not, with the rule that held "
        "it back; what is planned and when; and the history of consent. On all channels of that customer.",
        "Contacts",
        parameters=(
            Parameter("phone", "path", "The number, in any usual notation.", {"type": "string"}),
            Parameter("since", "query", "Only from this day (on their clock) or instant on.", {"type": "string"}),
        ),
        answers=(Answer(200, "The account.", ContactDecisions),),
        refuses=(404, 422),
    ),
)
