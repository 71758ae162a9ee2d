"""Signing in and out of the desk."""

from __future__ import annotations

import json
import math
from typing import Any
from urllib.parse import urlencode, urlsplit

from aiohttp import web

from bot.edge.desk.page import SIGNED_IN, page, see_other, with_flash
from bot.edge.keys import SETTINGS, SHOP
from bot.services.agents import TooManyTries, sign_in, sign_out

LOGIN = "desk-login"
"""The name of the routes that need no session."""

_MOST = 300


def cookie_name(request: web.Request) -> str:
    """Over HTTPS the prefix makes browsers refuse the cookie from anybody but this very host."""
    return "__Host-afterword_desk" if request.config_dict[SETTINGS].production else "afterword_desk"


def login_address(request: web.Request) -> str:
    """The login page that leads back to where the agent wanted to go."""
    wanted = request.path_qs
    if request.method not in ("GET", "HEAD") and (case := request.match_info.get("case_id")):
        wanted = f"/desk/cases/{case}"
    return "/desk/login?" + urlencode({"next": safe_next(wanted)})


def safe_next(wanted: str | None) -> str:
    """A page of the desk, whatever was asked for: never another site, never the login again."""
    if not wanted or any(ord(letter) < 33 for letter in wanted) or "\\" in wanted:
        return "/desk"
    parts = urlsplit(wanted)
    inside = parts.path == "/desk" or parts.path.startswith("/desk/")
    ends = parts.path in ("/desk/login", "/desk/logout") or parts.path.endswith("/events")
    return wanted if inside and not ends and not parts.scheme and not parts.netloc else "/desk"


async def show_login(request: web.Request) -> web.Response:
    """GET /desk/login"""
    wanted = safe_next(request.query.get("next"))
    if SIGNED_IN in request:
        return see_other(wanted)
    return _form(request, wanted)


async def log_in(request: web.Request) -> web.StreamResponse:
    """POST /desk/login: a new session, or why not. After too many failures even the right password must wait."""
    form = await request.post()
    email, password = str(form.get("email", ""))[:_MOST].strip().lower(), str(form.get("password", ""))[:_MOST]
    wanted = safe_next(str(form.get("next", "")))
    shop = request.config_dict[SHOP]
    try:
        token = await sign_in(shop, email, password, place=request.remote or "")
    except TooManyTries as error:
        return _too_many(request, wanted, email, error.wait)
    if token is None:
        text = "This e-mail and this password do not belong together. Try again."
        return _form(request, wanted, email=email, problem=text, status=401)
    await _end(request)
    response = see_other(wanted)
    response.set_cookie(
        cookie_name(request),
        token,
        max_age=int(shop.rules.login_lasts.total_seconds()),
        httponly=True,
        samesite="Lax",
        secure=request.config_dict[SETTINGS].production,
        path="/",
    )
    return response


async def log_out(request: web.Request) -> web.StreamResponse:
    """POST /desk/logout"""
    await _end(request)
    response = see_other("/desk/login")
    response.del_cookie(cookie_name(request), path="/", httponly=True, samesite="Lax")
    return with_flash(response, "signed_out")


def _too_many(request: web.Request, wanted: str, email: str, wait: int) -> web.Response:
    minutes = math.ceil(wait / 60)
    text = f"Too many tries. Wait {minutes} minute{'s' if minutes > 1 else ''}, then try again."
    response = _form(request, wanted, email=email, problem=text, status=429)
    response.headers["Retry-After"] = str(wait)
    return response


async def _end(request: web.Request) -> None:
    """End the session this browser brought, if any."""
    if token := request.cookies.get(cookie_name(request)):
        await sign_out(request.config_dict[SHOP], token)


def _form(
    request: web.Request, wanted: str, *, email: str = "", problem: str | None = None, status: int = 200
) -> web.Response:
    context: dict[str, Any] = {"next": wanted, "email": email, "demo_accounts": _demo_accounts(request)}
    if problem:
        context["flash"] = {"kind": "bad", "text": problem}
    return page(request, "desk/login.html", context, status=status)


def _demo_accounts(request: web.Request) -> list[dict[str, str]]:
    """Who can sign in to the demo, shown to someone who sits at this very machine and to nobody else."""
    settings = request.config_dict[SETTINGS]
    here = request.remote in ("127.0.0.1", "::1") and "X-Forwarded-For" not in request.headers
    if not (settings.simulated and here):
        return []
    try:
        accounts = json.loads((settings.data_dir / "demo.json").read_text(encoding="utf-8"))["desk"]
        return [{name: str(account[name]) for name in ("email", "password", "role")} for account in accounts]
    except (OSError, ValueError, KeyError, TypeError):
        return []
