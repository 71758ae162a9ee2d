"""Conversations, cases, and what the detector thinks of a text."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from aiohttp import web
from pydantic_core import from_json

from bot.core.errors import Refused
from bot.core.vocabulary import CaseState, Verdict
from bot.edge.api.answers import Assessed, AssessedList, CaseList, CaseView, ConversationView, LedgerView
from bot.edge.api.operation import Answer, Operation, Parameter, answer, body_of
from bot.edge.api.requests import TextsToAssess, TextToAssess
from bot.edge.keys import SHOP
from bot.services import resources
from bot.services.assessing import Sample, assess_samples
from bot.services.entities import Case, ServiceEvent
from bot.services.ledger import silence_ledger

DEFAULT_PAGE, LONGEST_PAGE = 50, 200


async def get_conversation(request: web.Request) -> web.Response:
    """One conversation with its whole thread."""
    async with request.config_dict[SHOP].store(read_only=True) as tx:
        return answer(await resources.conversation(tx, request.match_info["id"]))


async def list_cases(request: web.Request) -> web.Response:
    """Cases, newest first, a page at a time."""
    shop, query = request.config_dict[SHOP], request.query
    state = one_of(CaseState, query.get("state"), "state")
    limit, cursor = _limit(query.get("limit")), query.get("cursor") or None
    async with shop.store(read_only=True) as tx:
        if cursor is not None and await tx.find(Case, cursor) is None:
            raise Refused("not a cursor of this list; pass the `next` of an earlier answer", field="cursor")
        page = await tx.cases.page(state=state, site_id=query.get("site") or None, limit=limit, cursor=cursor)
        items = [await resources.case_summary(tx, case, shop.clock()) for case in page.cases]
    return answer({"items": items, "next": page.next})


async def list_ledger(request: web.Request) -> web.Response:
    """The silence ledger, the latest finished first, a page at a time."""
    shop, query = request.config_dict[SHOP], request.query
    verdict = one_of(Verdict, query.get("verdict"), "verdict")
    limit, cursor = _limit(query.get("limit")), query.get("cursor") or None
    async with shop.store(read_only=True) as tx:
        if cursor is not None and await tx.find(ServiceEvent, cursor) is None:
            raise Refused("not a cursor of this list; pass the `next` of an earlier answer", field="cursor")
        site_id = query.get("site") or None
        page = await silence_ledger(tx, verdict=verdict, site_id=site_id, limit=limit, cursor=cursor)
    return answer({"total": page.total, "counts": page.counts, "items": page.lines, "next": page.next})


async def get_case(request: web.Request) -> web.Response:
    """One case with its whole context."""
    shop = request.config_dict[SHOP]
    async with shop.store(read_only=True) as tx:
        return answer(await resources.case_snapshot(tx, request.match_info["id"], shop.clock(), shop.playbooks))


async def assess(request: web.Request) -> web.Response:
    """One text, or several in order."""
    shop = request.config_dict[SHOP]
    if _is_list(await request.read()):
        return answer({"items": await assess_samples(shop, _samples((await body_of(request, TextsToAssess)).items))})
    (assessed,) = await assess_samples(shop, _samples([await body_of(request, TextToAssess)]))
    return answer(assessed)


def one_of[E: StrEnum](kind: type[E], value: str | None, field: str) -> E | None:
    """The member of that value, None for none. Raises Refused, naming the field and what it takes."""
    if not value:
        return None
    try:
        return kind(value)
    except ValueError as error:
        raise Refused(f"one of {', '.join(kind)}", field=field) from error


def _limit(value: str | None) -> int:
    if value is None:
        return DEFAULT_PAGE
    if not (value.isascii() and value.isdecimal()) or not 1 <= int(value[:6]) <= LONGEST_PAGE:
        raise Refused(f"a number from 1 to {LONGEST_PAGE}", field="limit")
    return int(value)


def _is_list(raw: bytes) -> bool:
    try:
        body: Any = from_json(raw)
    except ValueError:
        return False
    return isinstance(body, dict) and "items" in body


def _samples(texts: Sequence[TextToAssess]) -> list[Sample]:
    return [
        Sample(
            text=one.text,
            question=one.question,
            rating=one.rating,
            language=one.language,
            facts=one.facts.model_dump(mode="json", exclude_unset=True),
            reply_seconds=one.reply_seconds,
        )
        for one in texts
    ]


_LIMIT = {"type": "integer", "minimum": 1, "maximum": LONGEST_PAGE, "default": DEFAULT_PAGE}
_STATES = {"type": "string", "enum": [str(state) for state in CaseState]}
_VERDICTS = {"type": "string", "enum": [str(verdict) for verdict in Verdict]}

OPERATIONS = (
    Operation(
        "GET",
        "/conversations/{id}",
        get_conversation,
        "Read a conversation",
        "Every message with its delivery, and who speaks for the business now.",
        "Conversations",
        parameters=(Parameter("id", "path", "The conversation's id.", {"type": "string"}),),
        answers=(Answer(200, "The conversation.", ConversationView),),
        refuses=(404,),
    ),
    Operation(
        "GET",
        "/cases",
        list_cases,
        "List cases",
        "Newest first. Each line says what is promised by when; read a case for its whole context.",
        "Cases",
        parameters=(
            Parameter("state", "query", "Only cases in this state.", _STATES),
            Parameter("site", "query", "Only cases of this site.", {"type": "string"}),
            Parameter("limit", "query", "How many at most.", _LIMIT),
            Parameter("cursor", "query", "The `next` of the page before.", {"type": "string"}),
        ),
        answers=(Answer(200, "A page of cases.", CaseList),),
    ),
    Operation(
        "GET",
        "/cases/{id}",
        get_case,
        "Read a case",
        "The whole context: the customer and their history, the service, the thread, the evidence, the promises.",
        "Cases",
        parameters=(Parameter("id", "path", "The case's id.", {"type": "string"}),),
        answers=(Answer(200, "The case.", CaseView),),
        refuses=(404,),
    ),
    Operation(
        "GET",
        "/silence-ledger",
        list_ledger,
        "Read the silence ledger",
        "Every service event in exactly one state, the latest finished first; the counts add up to all of them.",
        "Silence ledger",
        parameters=(
            Parameter("verdict", "query", "Only events in this state.", _VERDICTS),
            Parameter("site", "query", "Only events of this site.", {"type": "string"}),
            Parameter("limit", "query", "How many at most.", _LIMIT),
            Parameter("cursor", "query", "The `next` of the page before.", {"type": "string"}),
        ),
        answers=(Answer(200, "A page of the ledger.", LedgerView),),
    ),
    Operation(
        "POST",
        "/assess",
        assess,
        "Ask what the detector thinks",
        'Stores nothing. A body `{"items": […]}` of up to 500 texts is answered with `{"items": […]}` in their order.',
        "Assessment",
        takes=(TextToAssess, TextsToAssess),
        answers=(Answer(200, "The assessment, or one for each text.", Assessed),),
        refuses=(503,),
        keeps_answer=False,
    ),
)
LISTS = {"assess": AssessedList}
