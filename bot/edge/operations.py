"""What operations ask: does it live, is it ready, and how is it doing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import structlog
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from bot.edge.keys import LIVE, METRICS, SHOP
from bot.services.entities import Site
from bot.services.senders import Notice, notices
from bot.services.workshop import Workshop

log = structlog.get_logger(__name__)

Check = Callable[[], Awaitable[bool]]
_PATIENCE = 5.0


def add_operations(app: web.Application, checks: Mapping[str, Check]) -> None:
    """`/livez`, `/readyz` (the store, the dialogue and `checks`, with notices that do not fail it) and `/metrics`."""

    async def ready(request: web.Request) -> web.Response:
        shop = request.config_dict[SHOP]

        async def store_answers() -> bool:
            async with shop.store(read_only=True) as tx:
                await tx.find(Site, "")
            return True

        everything = {"store": store_answers, "dialogue": shop.dialogue.ready, **checks}
        results = await asyncio.gather(*(_passes(name, check) for name, check in everything.items()))
        found = dict(zip(everything, results, strict=True))
        ready = all(found.values())
        body: dict[str, object] = {"ready": ready}
        body["checks"] = {name: "ok" if passed else "failing" for name, passed in found.items()}
        if found["store"] and (held := await _held_back(shop)):
            body["notices"] = {notice.medium.value: _said(notice) for notice in held}
        return web.json_response(body, status=200 if ready else 503, headers={"Cache-Control": "no-store"})

    app.router.add_get("/livez", _live)
    app.router.add_get("/readyz", ready)
    app.router.add_get("/metrics", _metrics)


async def _live(request: web.Request) -> web.Response:
    return web.json_response({"alive": True}, headers={"Cache-Control": "no-store"})


async def _held_back(shop: Workshop) -> list[Notice]:
    """The senders that are held back: not a reason to take this process out of service, and one to look."""
    async with shop.store(read_only=True) as tx:
        return await notices(tx, shop.clock())


def _said(notice: Notice) -> str:
    return f"{notice.words}, until {notice.until.isoformat(timespec='seconds')}"


async def _passes(name: str, check: Check) -> bool:
    try:
        async with asyncio.timeout(_PATIENCE):
            return await check()
    except Exception as error:  # whatever is wrong, it is not ready
        log.warning("readyz.failing", check=name, error=type(error).__name__)
        return False


async def _metrics(request: web.Request) -> web.Response:
    shop, metrics = request.config_dict[SHOP], request.config_dict[METRICS]
    async with shop.store(read_only=True) as tx:
        metrics.tasks_due.set(await tx.tasks.due(shop.clock()))
        held = await notices(tx, shop.clock())
    metrics.paused.clear()
    for notice in held:
        left = (notice.until - shop.clock()).total_seconds()
        metrics.paused.labels(notice.medium.value, notice.problem.code, notice.hold.value).set(left)
    metrics.listeners.set(request.config_dict[LIVE].listeners)
    return web.Response(body=generate_latest(metrics.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})
