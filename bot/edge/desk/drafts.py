"""A second reading of a reply before it leaves: a hint about an apology that is none, and never a wall."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web

from bot.core.apology import READS_AS, Finding
from bot.edge.desk.contexts import case_context
from bot.edge.desk.page import SIGNED_IN, is_fragment, page
from bot.edge.keys import SHOP
from bot.services.apology import draft_findings
from bot.services.workshop import Workshop

LONGEST = 5000
"""Characters that are read; nobody writes more into one reply."""


async def lint(request: web.Request) -> web.StreamResponse:
    """POST /desk/cases/{case_id}/lint: the hints alone for a script, the whole case with the draft for a form."""
    shop, agent = request.config_dict[SHOP], request[SIGNED_IN].agent
    form = await request.post()
    sent = form.get("text", "")
    draft = (sent if isinstance(sent, str) else "").replace("\r\n", "\n").strip()
    context, zone = await case_context(shop, agent, request.match_info["case_id"])
    findings = await _read(shop, draft, context["case"]["language"])
    context |= {"findings": [_view(finding) for finding in findings], "checked": "asked" in form}
    if is_fragment(request):
        return page(request, "desk/_findings.html", context, zone=zone)
    context |= {"problem": {"act": "replies", "field": None, "text": ""}, "draft": {"text": draft}}
    return page(request, "desk/case.html", context, zone=zone)


async def _read(shop: Workshop, draft: str, language: str) -> tuple[Finding, ...]:
    # The first draft in a language makes its patterns, which takes a moment that nobody else should wait.
    return await asyncio.to_thread(draft_findings, shop.apology, draft[:LONGEST], language)


def _view(finding: Finding) -> dict[str, Any]:
    return {"reads_as": READS_AS[finding.kind], "evidence": finding.evidence, "advice": finding.advice}
