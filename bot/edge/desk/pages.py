"""What an agent looks at."""

from __future__ import annotations

from aiohttp import web

from bot.core.vocabulary import Verdict
from bot.edge.desk.contexts import case_context, customer_context, ledger_context, queue_context, why_context
from bot.edge.desk.page import SIGNED_IN, page
from bot.edge.keys import SHOP
from bot.services.queue import View


def view_of(request: web.Request) -> View:
    """The part of the work the address asks for; all live cases when it asks for none that exists."""
    wanted = request.query.get("view", "")
    return View(wanted) if wanted in set(View) else View.LIVE


async def show_queue(request: web.Request) -> web.Response:
    """GET /desk"""
    query = request.query
    context, zone = await queue_context(
        request.config_dict[SHOP],
        request[SIGNED_IN].agent,
        view=view_of(request),
        site_id=query.get("site"),
        after=query.get("after"),
    )
    return page(request, "desk/queue.html", context, zone=zone)


async def show_case(request: web.Request) -> web.Response:
    """GET /desk/cases/{case_id}; `?words=playbook` begins the reply with the playbook's words."""
    shop, agent = request.config_dict[SHOP], request[SIGNED_IN].agent
    context, zone = await case_context(shop, agent, request.match_info["case_id"])
    if request.query.get("words") == "playbook" and context["suggestion"]:
        context["suggested"] = context["suggestion"]["words"] or ""
    return page(request, "desk/case.html", context, zone=zone)


async def show_ledger(request: web.Request) -> web.Response:
    """GET /desk/ledger"""
    query = request.query
    verdict = query.get("verdict", "")
    context, zone = await ledger_context(
        request.config_dict[SHOP],
        request[SIGNED_IN].agent,
        verdict=Verdict(verdict) if verdict in set(Verdict) else None,
        site_id=query.get("site"),
        after=query.get("after"),
    )
    return page(request, "desk/ledger.html", context, zone=zone)


async def show_customer(request: web.Request) -> web.Response:
    """GET /desk/customers/{customer_id}"""
    shop, agent = request.config_dict[SHOP], request[SIGNED_IN].agent
    context, zone = await customer_context(shop, agent, request.match_info["customer_id"])
    return page(request, "desk/customer.html", context, zone=zone)


async def show_why(request: web.Request) -> web.Response:
    """GET /desk/why?phone=…; without a number, the form that asks for one."""
    query = request.query
    context, zone = await why_context(
        request.config_dict[SHOP], request[SIGNED_IN].agent, phone=query.get("phone", ""), since=query.get("since", "")
    )
    return page(request, "desk/why.html", context, zone=zone, status=context["status"])
