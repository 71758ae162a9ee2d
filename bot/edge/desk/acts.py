"""What an agent does: each form calls one use case, then shows the case again. A refusal keeps what was typed."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum
from typing import Any
from weakref import WeakValueDictionary

from aiohttp import web

from bot.core.authority import Money
from bot.core.errors import Conflict, NotFound, Refused
from bot.core.vocabulary import Author, GrantKind, Step, StepState
from bot.edge.desk.contexts import case_context
from bot.edge.desk.looks import sentence
from bot.edge.desk.page import SIGNED_IN, flash_for, is_fragment, page, see_other, with_flash
from bot.edge.keys import SHOP
from bot.services.desk import CaseDesk
from bot.services.entities import Agent, Case, Grant, Message
from bot.services.workshop import Workshop

Form = Mapping[str, str]
Act = Callable[[Workshop, str, Agent, Form], Awaitable[None]]

LONGEST = 1600
"""Characters of a reply: what one SMS may carry at most."""
_UNSENT = ("csrf", "after", "given")
_WRITTEN = ("summary", "brief", "reason", "note")

# A form sent twice at once must act once: the second waits for the first, then sees that it is done.
_busy: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()


async def act(request: web.Request) -> web.StreamResponse:
    """POST /desk/cases/{case_id}/{act} and /desk/cases/{case_id}/steps/{step}"""
    name, form = _name(request), await _form(request)
    shop, agent, case_id = request.config_dict[SHOP], request[SIGNED_IN].agent, request.match_info["case_id"]
    lock = _busy.setdefault(case_id, asyncio.Lock())
    try:
        async with lock:
            await _ACTS[name](shop, case_id, agent, {**form, "step": request.match_info.get("step", "")})
    except Refused as refusal:
        return await show_again(request, status=422, field=refusal.field, text=str(refusal))
    except Conflict as conflict:
        return await show_again(request, status=409, field=None, text=str(conflict))
    if not is_fragment(request):
        return with_flash(see_other(f"/desk/cases/{case_id}"), name)
    context, zone = await case_context(shop, agent, case_id)
    return page(request, "desk/case.html", {**context, "flash": flash_for(name)}, zone=zone)


async def show_again(request: web.Request, *, status: int, field: str | None, text: str) -> web.Response:
    """The case with what was typed still in its form, and beside it what stands in the way. Raises NotFound."""
    shop, agent, form = request.config_dict[SHOP], request[SIGNED_IN].agent, await _form(request)
    context, zone = await case_context(shop, agent, request.match_info["case_id"])
    step = request.match_info.get("step")
    problem = {
        "act": f"steps/{step}" if step else _name(request),
        # The core names a part of a part with a dot: the form has one field for both.
        "field": (field or "").split(".")[0],
        "text": _whole(text),
    }
    draft = {name: value for name, value in form.items() if name not in _UNSENT}
    flash = {"kind": "bad", "text": problem["text"]}
    context |= {"problem": problem, "draft": draft, "flash": flash}
    if not _has_form(context, problem["act"]):
        context["unsent"] = next((draft[name] for name in _WRITTEN if draft.get(name)), "")
    return page(request, "desk/case.html", context, zone=zone, status=status)


def _has_form(context: Mapping[str, Any], act: str) -> bool:
    """Whether the page as it is now still has the form in which this was typed."""
    if act == "reopen":
        return "reopen" in context["case"]["allowed"]
    return act == "replies" or bool(context["mine"])


def _name(request: web.Request) -> str:
    if "step" in request.match_info:
        return "steps"
    # A reply that is being checked stands in the form it would be sent from.
    return "replies" if request.match_info["act"] == "lint" else request.match_info["act"]


async def _form(request: web.Request) -> dict[str, str]:
    sent = await request.post()
    # Browsers send line ends as CRLF, which no message should carry.
    return {name: value.replace("\r\n", "\n").strip() for name, value in sent.items() if isinstance(value, str)}


async def _claim(shop: Workshop, case_id: str, agent: Agent, form: Form) -> None:
    await CaseDesk(shop).claim(case_id, agent.id)


async def _reply(shop: Workshop, case_id: str, agent: Agent, form: Form) -> None:
    text = form.get("text", "")
    if len(text) > LONGEST:
        raise Refused(f"{len(text)} characters are too many for one message; {LONGEST} are the most", field="text")
    if not await _said_already(shop, case_id, agent, text, form.get("after", "")):
        await CaseDesk(shop).reply(case_id, agent.id, text)


async def _step(shop: Workshop, case_id: str, agent: Agent, form: Form) -> None:
    step, state = _one_of(Step, form, "step"), _one_of(StepState, form, "state")
    await CaseDesk(shop).step(case_id, agent.id, step, state, form.get("note", ""))


async def _grant(shop: Workshop, case_id: str, agent: Agent, form: Form) -> None:
    # A decimal comma is how most of Europe writes it.
    written = re.sub(r",(?=\d{1,2}$)", ".", form.get("amount", ""))
    amount = Money.of(written, form.get("currency", ""))
    kind, given = _one_of(GrantKind, form, "kind"), form.get("given", "")
    async with shop.store(read_only=True) as tx:
        grants = await tx.all(Grant, case_id=case_id, by=agent.name, order_by="at", descending=True)
    again = given.isdecimal() and len(grants) > int(given)
    if again and (grants[0].kind, grants[0].value) == (kind, amount.value):
        return
    await CaseDesk(shop).grant(case_id, agent.id, kind, amount, form.get("note", ""))


async def _resolve(shop: Workshop, case_id: str, agent: Agent, form: Form) -> None:
    await CaseDesk(shop).resolve(case_id, agent.id, form.get("summary", ""))


async def _hand_back(shop: Workshop, case_id: str, agent: Agent, form: Form) -> None:
    await CaseDesk(shop).hand_back(case_id, agent.id)


async def _transfer(shop: Workshop, case_id: str, agent: Agent, form: Form) -> None:
    try:
        await CaseDesk(shop).transfer(case_id, agent.id, form.get("to", ""), form.get("brief", ""))
    except NotFound as missing:
        async with shop.store(read_only=True) as tx:
            await tx.get(Case, case_id)
        raise Refused("choose who takes the case over", field="to") from missing


async def _reopen(shop: Workshop, case_id: str, agent: Agent, form: Form) -> None:
    await CaseDesk(shop).reopen(case_id, agent.id, form.get("reason", ""))


_ACTS: Mapping[str, Act] = {
    "claim": _claim,
    "replies": _reply,
    "steps": _step,
    "grants": _grant,
    "resolve": _resolve,
    "handback": _hand_back,
    "transfer": _transfer,
    "reopen": _reopen,
}
NAMES = tuple(name for name in _ACTS if name != "steps")
"""The last part of the address of every act but the steps."""


async def _said_already(shop: Workshop, case_id: str, agent: Agent, text: str, after: str) -> bool:
    """Whether the same words left since the page was shown: then the form came twice, by a double click or a reload."""
    if not after.isdecimal():
        return False
    async with shop.store(read_only=True) as tx:
        case = await tx.get(Case, case_id)
        same: list[Any] = await tx.all(
            Message, conversation_id=case.conversation_id, author=Author.AGENT, author_name=agent.name, text=text
        )
    return any(message.position > int(after) for message in same)


def _one_of[E: StrEnum](kind: type[E], form: Form, field: str) -> E:
    try:
        return kind(form.get(field, ""))
    except ValueError as error:
        raise Refused(f"choose one of: {', '.join(kind)}", field=field) from error


def _whole(text: str) -> str:
    """An error's words as a sentence: the core writes them to stand anywhere."""
    return sentence(text) if text.endswith((".", "?")) else f"{sentence(text)}."
