"""What operations ask: does it live, is it ready, and how is it doing."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from bot.edge.keys import LIVE, METRICS, SHOP
from bot.services.workshop import store_answers
from bot.serving import Check, readiness


def add_operations(app: web.Application, checks: Mapping[str, Check]) -> None:
    """`/livez`, `/readyz` (the store, the dialogue and `checks`; never while stopping) and `/metrics`."""

    async def ready(request: web.Request) -> web.Response:
        shop = request.config_dict[SHOP]
        return await readiness(
            request, {"store": partial(store_answers, shop), "dialogue": shop.dialogue.ready, **checks}
        )

    app.router.add_get("/livez", _live)
    app.router.add_get("/readyz", ready)
    app.router.add_get("/metrics", _metrics)


async def _live(request: web.Request) -> web.Response:
    return web.json_response({"alive": True}, headers={"Cache-Control": "no-store"})


async def _metrics(request: web.Request) -> web.Response:
    shop, metrics = request.config_dict[SHOP], request.config_dict[METRICS]
    async with shop.store(read_only=True) as tx:
        metrics.tasks_due.set(await tx.tasks.due(shop.clock()))
    if (live := request.config_dict.get(LIVE)) is not None:
        metrics.listeners.set(live.listeners)
    return web.Response(body=generate_latest(metrics.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})
