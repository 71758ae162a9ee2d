"""Nobody reaches a page of the desk without a session, and no form is obeyed that our own page did not show."""

from __future__ import annotations

import hmac
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler

from bot.edge.desk.acts import show_again
from bot.edge.desk.page import SIGNED_IN, is_fragment, see_other
from bot.edge.desk.signing import LOGIN, cookie_name, login_address
from bot.edge.keys import SETTINGS, SHOP
from bot.edge.security import Forbidden
from bot.services.agents import signed_in

_READING = ("GET", "HEAD")
_SIGNED_OUT = (
    '<div id="flash"><div class="flash bad" role="alert"><p>You are signed out. '
    '<a href="/desk/login" target="_blank" rel="noopener">Sign in again in another tab</a>, '
    "then send this once more: your words are still here.</p></div></div>"
)


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let in who is signed in and turn the others away, before anything else is looked at."""
    token = request.cookies.get(cookie_name(request), "")
    session = await signed_in(request.config_dict[SHOP], token) if token else None
    if session is not None:
        request[SIGNED_IN] = session
    writes = request.method not in _READING
    if writes and not from_our_pages(request):
        raise Forbidden("this form was sent from another website, so nothing was done")
    if request.match_info.route.name == LOGIN:
        return await handler(request)
    if session is None:
        return _turn_away(request, to_stay=writes)
    if writes and not await _carries_token(request, session.csrf):
        return await _stale(request)
    return await handler(request)


def from_our_pages(request: web.Request) -> bool:
    """Whether the browser says that one of our own pages sent this. What says nothing is no browser."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None and site not in ("same-origin", "none"):
        return False
    origin = request.headers.get("Origin")
    if origin is None:
        return True
    ours = {request.host, urlsplit(request.config_dict[SETTINGS].base_url()).netloc}
    return urlsplit(origin).netloc in ours


async def _carries_token(request: web.Request, csrf: str) -> bool:
    sent = request.headers.get("X-CSRF-Token") or (await request.post()).get("csrf")
    return isinstance(sent, str) and hmac.compare_digest(sent.encode(), csrf.encode())


def _turn_away(request: web.Request, *, to_stay: bool) -> web.Response:
    """To the login, and back here afterwards. A script is told plainly, and a form it sent keeps what was typed."""
    address = login_address(request)
    if not is_fragment(request):
        return see_other(address)
    if not to_stay:
        return web.Response(status=401, text="Sign in first.", headers={"HX-Redirect": address})
    headers = {"HX-Retarget": "#flash", "HX-Reswap": "outerHTML", "HX-Reselect": "#flash"}
    return web.Response(status=401, text=_SIGNED_OUT, content_type="text/html", headers=headers)


async def _stale(request: web.Request) -> web.StreamResponse:
    """The form carries no token of this session. What was typed is shown again, to be sent with the right one."""
    text = "This page was out of date, so nothing was done. Look at what you wrote, and send it again."
    if "act" in request.match_info or "step" in request.match_info:
        return await show_again(request, status=403, field=None, text=text)
    raise Forbidden("this page was out of date; reload it and try again")


async def forbid_caching(request: web.Request, response: web.StreamResponse) -> None:
    """Nothing of the desk stays behind in a browser or a proxy."""
    response.headers.setdefault("Cache-Control", "no-store")
