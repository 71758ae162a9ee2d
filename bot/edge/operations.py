"""What operations ask: does it live, is it ready, and how is it doing."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from bot.edge.keys import LIVE, METRICS, SHOP
from bot.services.senders import Notice, notices
from bot.services.workshop import Workshop, store_answers
from bot.serving import Check, readiness


def add_operations(app: web.Application, checks: Mapping[str, Check]) -> None:
    """`/livez`, `/readyz` and `/metrics`.

    Ready are the store, the dialogue and `checks`, never while stopping; a notice does not make it unready.
    """

    async def ready(request: web.Request) -> web.Response:
        shop = request.config_dict[SHOP]
        everything: dict[str, Check] = {
            "store": partial(store_answers, shop),
            "dialogue": shop.dialogue.ready,
            **checks,
        }
        return await readiness(request, everything, notices=partial(_held_back, shop))

    app.router.add_get("/livez", _live)
    app.router.add_get("/readyz", ready)
    app.router.add_get("/metrics", _metrics)


async def _live(request: web.Request) -> web.Response:
    return web.json_response({"alive": True}, headers={"Cache-Control": "no-store"})


async def _held_back(shop: Workshop) -> dict[str, str]:
    """The senders that are held back: not a reason to take this process out of service, and one to look."""
    async with shop.store(read_only=True) as tx:
        return {notice.medium.value: _said(notice) for notice in await notices(tx, shop.clock())}


def _said(notice: Notice) -> str:
    return f"{notice.words}, until {notice.until.isoformat(timespec='seconds')}"


async def _metrics(request: web.Request) -> web.Response:
    shop, metrics = request.config_dict[SHOP], request.config_dict[METRICS]
    async with shop.store(read_only=True) as tx:
        metrics.tasks_due.set(await tx.tasks.due(shop.clock()))
        held = await notices(tx, shop.clock())
    metrics.paused.clear()
    for notice in held:
        left = (notice.until - shop.clock()).total_seconds()
        metrics.paused.labels(notice.medium.value, notice.problem.code, notice.hold.value).set(left)
    if (live := request.config_dict.get(LIVE)) is not None:
        metrics.listeners.set(live.listeners)
    return web.Response(body=generate_latest(metrics.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})
