"""Serving, the same way in every process of ours: a port of one's own, and an orderly leave when told to stop."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Awaitable, Callable, Mapping

import structlog
from aiohttp import web

from bot.core.errors import Unusable

log = structlog.get_logger(__name__)

STOPPING = web.AppKey("stopping", asyncio.Event)
"""Set from the moment the process was told to stop: it still answers, and is not ready any more."""

Check = Callable[[], Awaitable[bool]]
"""One thing that must be well before requests should come; raising is failing."""
Notices = Callable[[], Awaitable[Mapping[str, str]]]
_PATIENCE = 5.0

HANG_UP_SECONDS = 5.0
"""How long requests that have begun may take to end, once nothing new is let in."""


def port_must_be_free(host: str, port: int, *, what: str, choose: str) -> None:
    """Raises Unusable, naming the port and how to `choose` another, when `what` could not listen there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except socket.gaierror as error:
            raise Unusable(f"{host!r} is no address of this machine ({error.strerror}).") from error
        except OSError as error:
            raise Unusable(
                f"port {port}, which {what} needs, cannot be used at {host} ({error.strerror}). Stop what listens "
                f"there, or choose another with {choose}."
            ) from error


async def serve(
    make_app: Callable[[], Awaitable[web.Application]],
    *,
    host: str,
    port: int,
    what: str,
    choose: str,
    leave: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """Serve until SIGTERM or Ctrl-C. Then `leave` runs while requests are still answered, with `/readyz` failing;
    after it the port is closed, what has begun is answered, and what the application opened is closed.

    With `port` 0 the application lives and nothing listens. Raises Unusable when the port is taken.
    """
    if port:
        port_must_be_free(host, port, what=what, choose=choose)
    stopping, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    app = await make_app()
    app[STOPPING] = stopping
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=HANG_UP_SECONDS, handler_cancellation=False)
    await runner.setup()
    try:
        if port:
            await web.TCPSite(runner, host, port).start()
        log.info("started", what=what, host=host, port=port)
        await stopping.wait()
        log.info("stopping", what=what)
        if leave is not None:
            await leave()
    finally:
        await runner.cleanup()
    log.info("stopped", what=what)


async def readiness(request: web.Request, checks: Mapping[str, Check], notices: Notices | None = None) -> web.Response:
    """The answer to `/readyz`: 200 when every check passes and the process stays, else 503; each by its name.

    `notices` are what somebody should look at though it is no reason to stop
    sending requests; asked while the store answers.
    """
    stopping = request.config_dict.get(STOPPING)
    results = await asyncio.gather(*(_passes(name, check) for name, check in checks.items()))
    found = dict(zip(checks, results, strict=True))
    if stopping is not None and stopping.is_set():
        found["stays"] = False
    ready = all(found.values())
    body: dict[str, object] = {"ready": ready}
    body["checks"] = {name: "ok" if passed else "failing" for name, passed in found.items()}
    if notices is not None and found.get("store", True) and (said := await notices()):
        body["notices"] = said
    return web.json_response(body, status=200 if ready else 503, headers={"Cache-Control": "no-store"})


async def _passes(name: str, check: Check) -> bool:
    try:
        async with asyncio.timeout(_PATIENCE):
            return await check()
    except Exception as error:  # whatever is wrong, it is not ready
        log.warning("readyz.failing", check=name, error=type(error).__name__)
        return False
