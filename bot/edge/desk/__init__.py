"""The agents' desk, mounted at /desk: plain pages and forms that work without script and live by server-sent events."""

from __future__ import annotations

from aiohttp import web

from bot.edge.desk import acts, drafts, events, pages, signing, verdicts
from bot.edge.desk.guard import forbid_caching, guard
from bot.edge.desk.looks import furnish
from bot.edge.keys import TEMPLATES


def add_desk(app: web.Application) -> None:
    """Mount the desk. `app` must carry SHOP, SETTINGS, TEMPLATES and LIVE already."""
    furnish(app[TEMPLATES])
    desk = web.Application(middlewares=[guard])
    desk.on_response_prepare.append(forbid_caching)
    route = desk.router
    login = route.add_resource("/login", name=signing.LOGIN)
    login.add_route("GET", signing.show_login)
    login.add_route("POST", signing.log_in)
    route.add_post("/logout", signing.log_out)
    for path in ("", "/"):
        route.add_get(path, pages.show_queue)
    route.add_get("/events", events.queue_events)
    route.add_get("/ledger", pages.show_ledger)
    route.add_get("/customers/{customer_id}", pages.show_customer)
    route.add_get("/why", pages.show_why)
    route.add_post("/assessments/{assessment_id}/verdict", verdicts.label)
    route.add_get("/cases/{case_id}", pages.show_case)
    route.add_get("/cases/{case_id}/events", events.case_events)
    route.add_post(f"/cases/{{case_id}}/{{act:{'|'.join(acts.NAMES)}}}", acts.act)
    route.add_post("/cases/{case_id}/steps/{step}", acts.act)
    # Named like an act, so that a page out of date keeps the draft as it does for every act.
    route.add_post("/cases/{case_id}/{act:lint}", drafts.lint)
    app.add_subapp("/desk", desk)
