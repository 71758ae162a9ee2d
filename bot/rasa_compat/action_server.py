"""The action server: rasa-sdk's executor inside an aiohttp application.

It answers what Rasa sends as rasa-sdk's own server does, and starts in about a second with a third of the memory.
"""

from __future__ import annotations

import importlib
import json
import logging
from types import ModuleType
from typing import Any

from aiohttp import web
from rasa_sdk.executor import ActionExecutor
from rasa_sdk.interfaces import ActionExecutionRejection, ActionMissingDomainException, ActionNotFoundException

from bot import collector, serving

logger = logging.getLogger(__name__)
RUNTIME = web.AppKey[ModuleType | None]("runtime")
EXECUTOR = web.AppKey("executor", ActionExecutor)
LARGEST_CALL = 32 * 1024 * 1024  # a call carries the whole conversation and the domain


def create_app(package: str = "actions") -> web.Application:
    """An application that runs the actions found in a package: `POST /webhook`, `GET /actions`, and `/livez` and
    `/readyz` (Rasa's habit is `/health`)."""
    executor = ActionExecutor()
    executor.register_package(package)
    app = web.Application(client_max_size=LARGEST_CALL)
    app[EXECUTOR] = executor
    app[RUNTIME] = _runtime(package)
    app.on_startup.append(_warm_up)
    routes = {"/health": health, "/livez": health, "/readyz": readyz, "/actions": list_actions}
    app.add_routes([web.post("/webhook", run_action), *(web.get(path, handler) for path, handler in routes.items())])
    return app


def _runtime(package: str) -> ModuleType | None:
    """The package's own module that builds what its actions call, where it has one."""
    try:
        return importlib.import_module(f"{package}.runtime")
    except ModuleNotFoundError:
        return None


async def _warm_up(app: web.Application) -> None:
    """Build what the actions call before the first customer waits for it; nothing is answered before that."""
    runtime = app[RUNTIME]
    if runtime is not None:
        await runtime.recovery()
        collector.settle()


async def run_action(request: web.Request) -> web.Response:
    """Run the action that Rasa names; refusals and unknown names answer as Rasa expects them."""
    call = await _read_call(request)
    # Rasa leaves the domain out for actions that did not ask for it; the executor would ask for it all the same.
    call.setdefault("domain", {})
    try:
        result = await request.app[EXECUTOR].run(call)
    except ActionExecutionRejection as error:
        return web.json_response({"error": error.message, "action_name": error.action_name}, status=400)
    except ActionNotFoundException as error:
        logger.error("Rasa asked for an action that does not exist: %s", error.action_name)
        return web.json_response({"error": error.message, "action_name": error.action_name}, status=404)
    except ActionMissingDomainException as error:
        return web.json_response({"error": error.message, "action_name": error.action_name}, status=449)
    except Exception:
        logger.exception("The action %s failed", call.get("next_action"))
        return web.json_response({"error": "The action failed.", "action_name": call.get("next_action")}, status=500)
    return web.json_response(result.model_dump() if result else None)


async def _read_call(request: web.Request) -> dict[str, Any]:
    try:
        call = json.loads(await request.read())
    except ValueError:
        call = None
    if not isinstance(call, dict):
        raise web.HTTPBadRequest(text='{"error": "Invalid body request"}', content_type="application/json")
    return call


async def health(_: web.Request) -> web.Response:
    """The server is up."""
    return web.json_response({"status": "ok"})


async def list_actions(request: web.Request) -> web.Response:
    """The names of all actions."""
    return web.json_response([item.model_dump() for item in request.app[EXECUTOR].list_actions()])


async def readyz(request: web.Request) -> web.Response:
    """Whether actions can be run: what they call says so, where it can tell."""
    ask = getattr(request.app[RUNTIME], "ready", None)
    return await serving.readiness(request, {"services": ask} if ask else {})


async def serve(port: int, package: str = "actions", host: str = "127.0.0.1") -> None:
    """Serve until SIGTERM or Ctrl-C. Actions that have begun then are ended first."""

    async def make_app() -> web.Application:
        return create_app(package)

    await serving.serve(make_app, host=host, port=port, what="the action server", choose="--port")
