"""The simulator's endpoints at the edge when the look-alike runs in a process of its own: handed on to it."""

from __future__ import annotations

import aiohttp
from aiohttp import web

from bot.channels.simulator.asking import problem
from bot.channels.simulator.phone import News

_PATIENCE = aiohttp.ClientTimeout(total=60)
"""A phone that writes waits for the webhook, which is tried several times."""
_HANDED_ON = ("messages", "phones", "sent", "faults")


def create_relay(session: aiohttp.ClientSession, url: str) -> web.Application:
    """The phone's endpoints, to mount at `/simulator`, answered by the process at `url`."""

    async def hand_on(request: web.Request) -> web.Response:
        address = f"{url}/simulator/{request.match_info['name']}"
        try:
            async with session.request(
                request.method,
                address,
                params=request.query,
                data=await request.read(),
                headers={"Content-Type": request.headers.get("Content-Type", "application/json")},
                timeout=_PATIENCE,
            ) as answer:
                return web.Response(
                    body=await answer.read(), status=answer.status, content_type=answer.content_type, charset="utf-8"
                )
        except (aiohttp.ClientError, TimeoutError) as error:
            raise problem("", f"Nothing answers at {url}; start it with `uv run afterword simulator`") from error

    app = web.Application()
    for name in _HANDED_ON:
        app.router.add_route("*", f"/{{name:{name}}}", hand_on)
    return app


def relayed_news(session: aiohttp.ClientSession, url: str) -> News:
    """What the phones saw, asked of the process at `url`; nothing new while it does not answer."""

    async def news(cursor: str) -> tuple[str, list[dict[str, object]]]:
        try:
            async with session.get(f"{url}/simulator/news", params={"cursor": cursor}, timeout=_PATIENCE) as answer:
                told = await answer.json()
                return told["cursor"], told["items"]
        except (aiohttp.ClientError, TimeoutError, ValueError, KeyError):
            return cursor, []

    return news
