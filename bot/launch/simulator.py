"""`afterword simulator`: the look-alike of Twilio as a process of its own, which outlives the edge it calls."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
from aiohttp import web
from yarl import URL

from bot.app import lookalike
from bot.channels.simulator import LOOKALIKE, create_simulator
from bot.core.errors import Unusable
from bot.settings import Settings

USUAL_PORT = 8090


def run_simulator(settings: Settings, *, port: int | None, pace: float) -> None:
    """Serve until told to stop, at the port of `simulator_url` unless another is given.

    Raises Unusable where texts go to Twilio itself.
    """
    if not settings.simulated:
        raise Unusable("texts go to Twilio itself here; the simulator is for installations without an account")
    wanted = port or port_of(settings.simulator_url) or USUAL_PORT
    web.run_app(
        _simulator(settings, pace=pace),
        host=settings.host,
        port=wanted,
        access_log=None,
        print=None,
        shutdown_timeout=1,
        handler_cancellation=False,
    )


def port_of(url: str) -> int | None:
    """The port an address of ours names; None when it names none. Raises Unusable for what is no address."""
    if not url:
        return None
    try:
        return URL(url).explicit_port
    except ValueError as error:
        raise Unusable(f"AFTERWORD_SIMULATOR_URL is no address: {error}") from error


async def _simulator(settings: Settings, *, pace: float) -> web.Application:
    session = aiohttp.ClientSession()
    twilio = lookalike(settings, session, pace=pace)

    async def lives(request: web.Request) -> web.Response:
        return web.json_response({"alive": True, "faults": twilio[LOOKALIKE].faults.due()})

    async def closing(app: web.Application) -> AsyncIterator[None]:
        yield
        await session.close()

    app = web.Application()
    app.cleanup_ctx.append(closing)
    app.router.add_get("/livez", lives)
    app.add_subapp("/simulator", create_simulator(twilio))
    return app
