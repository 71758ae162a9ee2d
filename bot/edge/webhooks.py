"""Twilio's webhooks: proved to be Twilio's, stored once, answered at once. Everything else happens from the store."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from urllib.parse import parse_qsl, urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler
from multidict import MultiDict

from bot.core.errors import Conflict
from bot.edge.keys import ARRIVALS, METRICS, RECEPTION, SETTINGS, SHOP, TWILIO
from bot.edge.problems import Problem
from bot.edge.security import Forbidden
from bot.services.delivering import record_status
from bot.services.inbound import Received

_DONE = "<Response/>"
_TRIES = 4
_MOST_FIELDS = 500
_LONGEST_ADDRESS = 200
_LONGEST_ID = 64


def add_webhooks(app: web.Application) -> None:
    """The two addresses Twilio calls."""
    app.router.add_post("/webhooks/twilio/sms", _counted(_sms))
    app.router.add_post("/webhooks/twilio/status", _counted(_status))


def _counted(handler: Handler) -> Handler:
    async def counted(request: web.Request) -> web.StreamResponse:
        with request.config_dict[ARRIVALS]:
            return await handler(request)

    return counted


async def _sms(request: web.Request) -> web.Response:
    form = await _signed_form(request)
    try:
        inbound = request.config_dict[TWILIO].parse_inbound(form)
        provider_id, sender = _keepable(inbound.provider_id, _LONGEST_ID), _keepable(inbound.from_, _LONGEST_ADDRESS)
    except ValueError as error:
        return Problem(400, str(error)).response()
    media = [{"url": file.url, "content_type": file.content_type} for file in inbound.media]
    received = Received(inbound.text, provider_id=provider_id, media=media)
    reception = request.config_dict[RECEPTION]
    await _insist(lambda: reception.receive(sender, received))
    request.config_dict[METRICS].inbound.labels("sms").inc()
    return _done()


async def _status(request: web.Request) -> web.Response:
    form = await _signed_form(request)
    try:
        update = request.config_dict[TWILIO].parse_status(form, request.query)
        provider_id, status = _keepable(update.provider_id, _LONGEST_ID), _keepable(update.status, 20)
        code = _keepable(update.error_code, 20) if update.error_code else None
        message_id = _keepable(update.message_id, _LONGEST_ID) if update.message_id else None
    except ValueError as error:
        return Problem(400, str(error)).response()
    shop = request.config_dict[SHOP]
    ours = await _insist(
        lambda: record_status(shop, message_id=message_id, provider_id=provider_id, status=status, error_code=code)
    )
    word = status if status.replace("_", "").isalpha() else "other"
    request.config_dict[METRICS].statuses.labels(word if ours else "not_ours").inc()
    return _done()


async def _signed_form(request: web.Request) -> MultiDict[str]:
    """The form exactly as it was posted. Raises Forbidden unless Twilio signed it for the address it called."""
    raw = await request.read()
    try:
        pairs = parse_qsl(raw.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError as error:
        raise web.HTTPBadRequest(reason="the form has too many fields") from error
    form = MultiDict(pairs)
    url = request.config_dict[SETTINGS].base_url() + _path_and_query(request)
    if not request.config_dict[TWILIO].verify(url, form, request.headers):
        raise Forbidden("the signature is missing or does not belong to this request")
    return form


def _path_and_query(request: web.Request) -> str:
    """As it was sent, still encoded: that is what was signed."""
    raw = request.raw_path
    if raw.startswith("/"):
        return raw
    parts = urlsplit(raw)
    return parts.path + (f"?{parts.query}" if parts.query else "")


async def _insist[T](work: Callable[[], Awaitable[T]]) -> T:
    """Two webhooks may touch the same rows at once; Twilio would not come back for a conflict, so we try again."""
    for _ in range(_TRIES - 1):
        try:
            return await work()
        except Conflict:
            continue
    return await work()


def _keepable(value: str, longest: int) -> str:
    if len(value) > longest or "\x00" in value:
        raise ValueError("the form has an identifier that cannot be kept")
    return value


def _done() -> web.Response:
    return web.Response(text=_DONE, content_type="text/xml", charset="utf-8")
