"""What every page of the desk has: who looks at it, on whose clock, a flash, and an answer that nobody caches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web

from bot.edge.desk.looks import Clock, telling_time
from bot.edge.keys import SHOP, TEMPLATES
from bot.services.agents import SignedIn
from bot.services.conversing import known_zone
from bot.services.entities import Agent, Site
from bot.services.ports import UnitOfWork

SIGNED_IN = web.RequestKey("signed_in", SignedIn)
"""Set on every request that passed the guard."""

FLASH_COOKIE = "afterword_flash"

# What an action is confirmed with. The cookie carries the key only: no text from outside is ever shown as ours.
_SAID = {
    "claim": "The case is yours.",
    "replies": "Your reply is on its way.",
    "steps": "The step is noted.",
    "grants": "The gesture is granted.",
    "resolve": "Resolved. The assistant will ask whether it helped.",
    "handback": "The assistant answers again; the case stays with you.",
    "transfer": "The case is handed over, with your brief.",
    "reopen": "The case is open again.",
    "verdict": "Noted. The detector learns from it.",
    "signed_out": "You are signed out.",
}


def is_fragment(request: web.Request) -> bool:
    """Whether a script asks, rather than a person navigating."""
    wants = request.headers.get("Accept", "")
    return (
        request.headers.get("HX-Request") == "true" or "text/event-stream" in wants or request.path.endswith("/events")
    )


def flash_for(key: str | None) -> dict[str, str] | None:
    """The confirmation of an action, for the templates."""
    return {"kind": "good", "text": _SAID[key]} if key in _SAID else None


async def zone_for(tx: UnitOfWork, agent: Agent, site_id: str | None = None) -> ZoneInfo:
    """The clock an agent reads: their own site's, else that of the site looked at, else UTC."""
    for id in (agent.site_id, site_id):
        site = await tx.find(Site, id) if id else None
        if site is not None and (zone := known_zone(site.zone)) is not None:
            return zone
    return ZoneInfo("UTC")


def html(request: web.Request, template: str, context: Mapping[str, Any], zone: ZoneInfo | None = None) -> str:
    """A template as text, for a page or for a fragment of one."""
    signed = request.get(SIGNED_IN)
    values = {
        "agent": signed.agent if signed else None,
        "csrf": signed.csrf if signed else "",
        **context,
    }
    with telling_time(Clock(zone or ZoneInfo("UTC"), request.config_dict[SHOP].clock())):
        return request.config_dict[TEMPLATES].get_template(template).render(values)


def page(
    request: web.Request, template: str, context: Mapping[str, Any], *, zone: ZoneInfo | None = None, status: int = 200
) -> web.Response:
    """A whole page; a flash that waits in the cookie is shown once."""
    waiting = request.cookies.get(FLASH_COOKIE)
    shown = {"flash": flash_for(waiting), **context}
    response = web.Response(text=html(request, template, shown, zone), content_type="text/html", status=status)
    if waiting is not None:
        response.del_cookie(FLASH_COOKIE, path="/desk")
    return response


def with_flash(response: web.StreamResponse, key: str) -> web.StreamResponse:
    """Show this confirmation on the next page."""
    response.set_cookie(FLASH_COOKIE, key, max_age=60, path="/desk", httponly=True, samesite="Lax")
    return response


def see_other(location: str) -> web.Response:
    """A redirect to look at the result with GET."""
    return web.Response(status=303, headers={"Location": location})
