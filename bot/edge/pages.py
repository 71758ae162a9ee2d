"""The pages that everybody may see, and how any page is drawn."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import jwt
from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateNotFound

from bot.core.errors import NotFound
from bot.edge.keys import SETTINGS, SHOP, TEMPLATES
from bot.edge.problems import Problem
from bot.services import webchat
from bot.services.entities import Site

HERE = Path(__file__).parent
STATIC = HERE / "static"
_BUILT = STATIC / "dist"
_IDENTITY_LASTS = timedelta(hours=12)


def templates(settings_globals: dict[str, Any]) -> Environment:
    """The templates: every value escaped, every missing name an error."""
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(settings_globals)
    return environment


def page_globals(*, simulator: bool, production: bool) -> dict[str, Any]:
    """What every page may mention."""
    return {
        "asset_version": _asset_version(),
        "simulator": simulator,
        "demo": not production,
        "version": _version(),
        "environment": "" if production else "development",
    }


def render(request: web.Request, template: str, *, status: int = 200, **context: Any) -> web.Response:
    """Draw a page. `here` is its path, for the navigation."""
    context.setdefault("here", request.path)
    text = request.config_dict[TEMPLATES].get_template(template).render(**context)
    return web.Response(status=status, text=text, content_type="text/html", headers={"Cache-Control": "no-store"})


def error_page(request: web.Request, problem: Problem) -> web.Response:
    """An error as a page: `error.html` where the theme has one."""
    environment = request.config_dict[TEMPLATES]
    try:
        template = environment.get_template("error.html")
    except TemplateNotFound:
        template = environment.from_string(_PLAIN_ERROR)
    text = template.render(status=problem.status, title=problem.title, detail=problem.detail, here=request.path)
    return web.Response(status=problem.status, text=text, content_type="text/html", headers=problem.headers)


_PLAIN_ERROR = (
    '{% extends "base.html" %}{% block title %}{{ title }} · Afterword{% endblock %}'
    '{% block content %}<div class="stack"><h1>{{ title }}</h1><p class="lead">{{ detail|capitalize }}.</p>'
    '<p><a class="button" href="/">To the start page</a></p></div>{% endblock %}'
)


def add_pages(app: web.Application, *, demo: bool) -> None:
    """The start page, the widget and the static files; the demo site too when asked for."""
    app.router.add_get("/", _start)
    app.router.add_get("/widget.js", _widget)
    app.router.add_static("/static/", STATIC)
    app.router.add_get("/favicon.ico", _favicon)
    app.on_response_prepare.append(_cache_static)
    if demo:
        app.router.add_get("/demo", _demo)
        app.router.add_get("/demo/identity", _identity)


async def _start(request: web.Request) -> web.Response:
    return render(request, "start.html")


async def _favicon(request: web.Request) -> web.StreamResponse:
    raise web.HTTPMovedPermanently("/static/icons/favicon.svg")


async def _widget(request: web.Request) -> web.StreamResponse:
    path = _BUILT / "widget.js"
    if not path.exists():
        raise NotFound("the widget has not been built; run `make setup`")
    headers = {"Cache-Control": "public, max-age=300", "Content-Type": "text/javascript; charset=utf-8"}
    return web.FileResponse(path, headers=headers)


async def _cache_static(request: web.Request, response: web.StreamResponse) -> None:
    if request.path.startswith("/static/") and response.status == 200:
        # The version in the address changes with the content, so that such an address may be kept for good.
        kept = "public, max-age=31536000, immutable" if "v" in request.query else "public, max-age=300"
        response.headers["Cache-Control"] = kept


async def _demo(request: web.Request) -> web.Response:
    shop = request.config_dict[SHOP]
    people = [
        {"external_id": person.external_id, "name": person.name, "language": person.language or ""}
        for person in await webchat.known_customers(shop)
    ]
    language = request.config_dict[SETTINGS].language
    return render(request, "demo.html", business=shop.rules.business, customers=people, language=language)


async def _identity(request: web.Request) -> web.Response:
    """What a real site's own server would do for a customer who has signed in there."""
    shop, secret = request.config_dict[SHOP], request.config_dict[SETTINGS].identity_secret.get_secret_value()
    customer = request.query.get("customer", "")
    if not secret:
        raise NotFound("set AFTERWORD_IDENTITY_SECRET to sign who is chatting")
    if not any(person.external_id == customer for person in await webchat.known_customers(shop)):
        raise NotFound(f"the demo knows no customer {customer!r}")
    # Against the real clock: the token is a credential, whatever time the business lives in.
    claims = {"sub": customer, "exp": datetime.now(UTC) + _IDENTITY_LASTS}
    headers = {"Cache-Control": "no-store"}
    return web.json_response({"identity": jwt.encode(claims, secret, algorithm="HS256")}, headers=headers)


async def sites(request: web.Request) -> list[dict[str, str]]:
    """The sites as the pages list them."""
    async with request.config_dict[SHOP].store(read_only=True) as tx:
        return [{"code": site.id, "name": site.name} for site in await tx.all(Site, order_by="name")]


def dump(value: Any) -> str:
    """JSON as people read it."""
    return json.dumps(value, ensure_ascii=False, indent=2)


def _asset_version() -> str:
    digest = hashlib.sha256()
    for path in sorted(STATIC.rglob("*")):
        if path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _version() -> str:
    try:
        return version("afterword")
    except PackageNotFoundError:
        return ""
