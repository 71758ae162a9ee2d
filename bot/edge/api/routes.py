"""All operations together, mounted under /api/v1, with their contract."""

from __future__ import annotations

from aiohttp import web

from bot.edge.api import contacts, desk_actions, reading, service_events
from bot.edge.api.docs import docs_page
from bot.edge.api.openapi import PREFIX, contract

OPERATIONS = (*service_events.OPERATIONS, *reading.OPERATIONS, *contacts.OPERATIONS, *desk_actions.OPERATIONS)


def add_api(app: web.Application, *, version: str, server: str) -> None:
    """The operations, `/api/v1/openapi.json` and the page `/docs`."""
    document = contract(OPERATIONS, version, server)

    async def openapi(request: web.Request) -> web.Response:
        return web.json_response(document, headers={"Access-Control-Allow-Origin": "*"})

    app.router.add_get(f"{PREFIX}/openapi.json", openapi)
    app.router.add_get("/docs", docs_page(OPERATIONS, document))
    for operation in OPERATIONS:
        app.router.add_route(operation.method, PREFIX + operation.path, operation.guarded())
