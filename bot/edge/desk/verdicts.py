"""One click says whether the customer really was unhappy."""

from __future__ import annotations

from aiohttp import web

from bot.core.errors import Refused
from bot.edge.desk.page import SIGNED_IN, see_other, with_flash
from bot.edge.keys import SHOP
from bot.services.learning import label_verdict

_PAGES = ("/desk/cases/", "/desk/ledger")


async def label(request: web.Request) -> web.StreamResponse:
    """POST /desk/assessments/{assessment_id}/verdict: keeps the word, then shows the page it was said on."""
    form = await request.post()
    if form.get("unhappy") not in ("yes", "no"):
        raise Refused("say yes or no", field="unhappy")
    assessment_id = request.match_info["assessment_id"]
    await label_verdict(
        request.config_dict[SHOP], assessment_id, request[SIGNED_IN].agent.id, unhappy=form["unhappy"] == "yes"
    )
    back = str(form.get("back", ""))
    return with_flash(see_other(back if back.startswith(_PAGES) and "\\" not in back else "/desk/ledger"), "verdict")
