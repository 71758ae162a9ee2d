"""The live pages of the desk: when something changes, the part of the page that shows it is sent again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web

from bot.edge.desk.contexts import Shown, case_context, queue_context
from bot.edge.desk.page import SIGNED_IN, html
from bot.edge.desk.pages import view_of
from bot.edge.desk.signing import cookie_name
from bot.edge.keys import LIVE, SHOP
from bot.edge.live import ServerEvent, stream
from bot.edge.security import Unauthorised
from bot.services.agents import signed_in
from bot.services.entities import Case


async def queue_events(request: web.Request) -> web.StreamResponse:
    """GET /desk/events: the list, with the same query as its page."""
    shop, agent, query = request.config_dict[SHOP], request[SIGNED_IN].agent, request.query

    async def look() -> Shown:
        return await queue_context(
            shop, agent, view=view_of(request), site_id=query.get("site"), after=query.get("after")
        )

    return await _push(request, ["desk"], "desk/_queue_rows.html", look)


async def case_events(request: web.Request) -> web.StreamResponse:
    """GET /desk/cases/{case_id}/events"""
    shop, agent, case_id = request.config_dict[SHOP], request[SIGNED_IN].agent, request.match_info["case_id"]
    async with shop.store(read_only=True) as tx:
        case = await tx.get(Case, case_id)

    async def look() -> Shown:
        return await case_context(shop, agent, case_id)

    return await _push(request, [f"conversation:{case.conversation_id}"], "desk/_case.html", look)


async def _push(
    request: web.Request, topics: Sequence[str], template: str, look: Callable[[], Awaitable[Shown]]
) -> web.StreamResponse:
    shop, token = request.config_dict[SHOP], request.cookies.get(cookie_name(request), "")
    shown = ""

    async def render(changed: frozenset[str]) -> list[ServerEvent]:
        nonlocal shown
        context, zone = await look()
        # Asked after looking: whatever was seen, the session still stood then.
        if await signed_in(shop, token) is None:
            raise Unauthorised("this session has ended")
        text = html(request, template, context, zone)
        if text == shown:
            return []
        shown = text
        # Without a name: htmx morphs what an unnamed event carries into the page.
        return [ServerEvent("", text)]

    return await stream(request, request.config_dict[LIVE], topics, render)
