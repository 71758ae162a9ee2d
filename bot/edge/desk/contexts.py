"""What the desk's templates are given: the shapes of the API, and what only a page needs."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from bot.core.authority import DEFAULT_LIMITS
from bot.core.errors import NotFound, Refused
from bot.core.vocabulary import Direction, GrantKind, Verdict
from bot.edge.desk.evidence import mark, quotable
from bot.edge.desk.labels import named, signal_words
from bot.edge.desk.page import zone_for
from bot.services import resources
from bot.services.entities import Agent, AssessmentRecord, Case, Conversation, Json, Site
from bot.services.ledger import silence_ledger
from bot.services.ports import UnitOfWork
from bot.services.queue import View, queue
from bot.services.senders import notices
from bot.services.why import explain
from bot.services.workshop import Workshop

Shown = tuple[dict[str, Any], ZoneInfo]
"""The values of a template, and the clock to tell its times by."""

_MOST_WORDS = 200

_VIEWS = (
    (View.LIVE, "To do"),
    (View.MINE, "Mine"),
    (View.UNASSIGNED, "Nobody’s"),
    (View.RESOLVED, "Resolved"),
    (View.CLOSED, "Closed"),
)


async def queue_context(
    shop: Workshop, agent: Agent, *, view: View, site_id: str | None = None, after: str | None = None
) -> Shown:
    """The list of cases in one view."""
    async with shop.store(read_only=True) as tx:
        site_id = site_id or None
        found = await queue(tx, view, agent_id=agent.id, now=shop.clock(), site_id=site_id, cursor=after)
        context = {
            "here": "/desk",
            "notices": await notices(tx, shop.clock()),
            "queue": found.cases,
            "counts": found.counts,
            "next": found.next,
            "after": after or "",
            "view": view,
            "views": _VIEWS,
            "site": site_id or "",
            "sites": await tx.all(Site, order_by="name"),
        }
        return context, await zone_for(tx, agent, site_id)


async def case_context(shop: Workshop, agent: Agent, case_id: str) -> Shown:
    """One case with its whole story. Raises NotFound."""
    async with shop.store(read_only=True) as tx:
        case = await resources.case_snapshot(tx, case_id, shop.clock(), shop.playbooks)
        site = await tx.find(Site, case["site_id"]) if case["site_id"] else None
        await _mark_evidence(tx, case)
        for promise in case["promises"]:
            promise["outcome"] = _outcome(promise, shop.clock())
        mine = case["state"] == "claimed" and (case["owner"] or {}).get("id") == agent.id
        opted_out = await _opted_out(tx, case)
        context = {
            "here": "",
            "notices": await notices(tx, shop.clock()),
            "case": case,
            "mine": mine,
            "can_reply": not opted_out and (mine or case["state"] != "claimed"),
            "reasons": _reasons(case["assessment"]),
            "agents": [other for other in await tx.all(Agent, active=True, order_by="name") if other.id != agent.id],
            "grant_kinds": [(kind.value, named(kind, "grant")) for kind in GrantKind],
            "currency": site.currency if site else "EUR",
            "authority": await _authority(tx, case_id, agent, site),
            "given": sum(grant["by"] == agent.name for grant in case["grants"]),
            "opted_out": opted_out,
            "suggestion": case["playbook_suggestion"],
            "suggested": "",
            "draft": {},
            "problem": None,
            "unsent": "",
        }
        return context, await zone_for(tx, agent, case["site_id"])


async def _mark_evidence(tx: UnitOfWork, case: Json) -> None:
    """Give each message its `parts`: what the assessment of that very message rested on is marked."""
    records = await tx.all(AssessmentRecord, conversation_id=case["conversation"]["id"])
    evidence = {r.message_id: quotable(r.signals, r.failure_words) for r in records if r.message_id}
    for message in case["transcript"]:
        heard = evidence.get(message["id"], []) if message["direction"] == Direction.IN else []
        message["parts"] = mark(message["text"], heard)


def _outcome(promise: Json, now: datetime) -> str:
    """What became of a promise; nothing while it is still to be kept."""
    due = datetime.fromisoformat(promise["due_at"])
    if promise["kept_at"] is None:
        return "missed" if now > due else ""
    return "kept late" if datetime.fromisoformat(promise["kept_at"]) > due else "kept"


def _reasons(assessment: Json | None) -> list[Json]:
    """Why we think they are unhappy, the weightiest first."""
    signals = sorted((assessment or {}).get("signals", []), key=lambda signal: -abs(signal["weight"]))
    return [{"words": signal_words(signal), "weight": signal["weight"]} for signal in signals]


async def _authority(tx: UnitOfWork, case_id: str, agent: Agent, site: Site | None) -> Json:
    left = max(Decimal(0), DEFAULT_LIMITS[agent.role] - await tx.cases.granted(case_id, agent.name))
    return {"value": f"{left:.2f}", "currency": site.currency if site else "EUR"}


async def _opted_out(tx: UnitOfWork, case: Json) -> bool:
    thread = await tx.get(Conversation, case["conversation"]["id"])
    points = case["customer"]["contact_points"]
    return any(point["opted_out_at"] and point["channel"] == thread.medium.value for point in points)


async def ledger_context(
    shop: Workshop, agent: Agent, *, verdict: Verdict | None, site_id: str | None, after: str | None
) -> Shown:
    """The silence ledger: every service event in exactly one state."""
    async with shop.store(read_only=True) as tx:
        found = await silence_ledger(tx, verdict=verdict, site_id=site_id or None, cursor=after)
        context = {
            "here": "/desk/ledger",
            "ledger": found,
            "verdict": verdict.value if verdict else "",
            "site": site_id or "",
            "sites": await tx.all(Site, order_by="name"),
        }
        return context, await zone_for(tx, agent, site_id)


async def customer_context(shop: Workshop, agent: Agent, customer_id: str) -> Shown:
    """One customer's history with the business: visits, check-ins, words, cases, compensation. Raises NotFound."""
    async with shop.store(read_only=True) as tx:
        customer = await resources.customer_view(tx, customer_id)
        sites = {site.id: site for site in await tx.all(Site)}
        said: list[Json] = []
        for thread in await tx.all(Conversation, customer_id=customer_id):
            said += [{**m, "channel": thread.medium.value} for m in await resources.messages(tx, thread.id)]
        context = {
            "here": "",
            "customer": customer,
            "site_names": {id: site.name for id, site in sites.items()},
            "words": sorted(said, key=lambda message: (message["at"], message["position"]), reverse=True)[:_MOST_WORDS],
            "case_of": await _cases_by_event(tx, customer_id),
        }
        events = customer["history"]["service_events"]
        return context, await zone_for(tx, agent, events[0]["site"] if events else None)


async def why_context(shop: Workshop, agent: Agent, *, phone: str, since: str) -> Shown:
    """Why a phone got each message it got; for a number that is none or unknown, what to do instead."""
    context: dict[str, Any] = {"here": "/desk/why", "phone": phone, "since": since, "account": None, "problem": None}
    async with shop.store(read_only=True) as tx:
        zone, status = await zone_for(tx, agent), 200
        try:
            context["account"] = await explain(tx, phone, since=since) if phone.strip() else None
        except Refused as refused:
            context["problem"], status = {"field": refused.field, "text": str(refused)}, 422
        except NotFound as unknown:
            context["problem"], status = {"field": "phone", "text": str(unknown)}, 404
        if context["account"]:
            zone = ZoneInfo(context["account"]["time_zone"])
    return {**context, "status": status}, zone


async def _cases_by_event(tx: UnitOfWork, customer_id: str) -> dict[str, str]:
    cases = await tx.all(Case, customer_id=customer_id)
    return {case.service_event_id: case.id for case in cases if case.service_event_id}
