"""The phone's own JSON: what somebody playing a customer writes and reads, and what became of what we sent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from bot.channels.simulator.asking import body_of, phone_of, problem, whole_number
from bot.channels.simulator.book import INBOUND, Book, Entry, now
from bot.channels.simulator.lookalike import LOOKALIKE
from bot.channels.simulator.misbehaving import add_faults

_LONGEST_BODY = 20_000
"""More than a phone would send: what comes in by mistake should be seen to be kept."""
_MOST_MEDIA = 10
_MOST_SENT = 1000

News = Callable[[str], Awaitable[tuple[str, list[dict[str, Any]]]]]


def create_simulator(lookalike: web.Application) -> web.Application:
    """The phone's endpoints, with the look-alike itself mounted at `/twilio`: one application to mount at `/simulator`.

    The page that draws the phone is not here; add its route before mounting.
    """
    app = web.Application()
    app[LOOKALIKE] = lookalike[LOOKALIKE]
    app.router.add_post("/messages", _write)
    app.router.add_get("/messages", _read)
    app.router.add_get("/phones", _phones)
    app.router.add_get("/sent", _sent)
    app.router.add_get("/news", _news)
    add_faults(app)
    app.add_subapp("/twilio", lookalike)
    return app


def news_of(lookalike: web.Application) -> News:
    """Asked with a cursor (`""`: from now on), tells the new cursor and what the phones saw since, oldest first."""
    book = lookalike[LOOKALIKE].book

    async def news(cursor: str) -> tuple[str, list[dict[str, Any]]]:
        return await _since(book, cursor)

    return news


async def _since(book: Book, cursor: str) -> tuple[str, list[dict[str, Any]]]:
    if not cursor:
        return now(), []
    entries = await book.since(cursor)
    seen = [_item(entry) for entry in entries if entry.direction == INBOUND or entry.status in ("delivered", "read")]
    return (entries[-1].updated_at if entries else cursor), seen


async def _write(request: web.Request) -> web.Response:
    """A phone writes `body`, with the `media` (`[{"url", "content_type"}]`) it sends along.

    The answer says whether the webhook has `taken` it: if not, Twilio has given up and only its list knows.
    """
    body = await body_of(request)
    from_, text = phone_of(body.get("from"), "from"), body.get("body", "")
    if not isinstance(text, str) or len(text) > _LONGEST_BODY:
        raise problem("body", f"is text of at most {_LONGEST_BODY} characters")
    twilio = request.app[LOOKALIKE]
    sid = await twilio.receive(from_, text, _media(body.get("media", [])))
    entry = await twilio.book.find(sid)
    return web.json_response(
        {**(_item(entry) if entry else {"sid": sid}), "taken": sid not in twilio.untaken}, status=201
    )


def _media(given: object) -> list[tuple[str, str]]:
    def well(item: object) -> bool:
        return isinstance(item, dict) and all(isinstance(item.get(name), str) for name in ("url", "content_type"))

    if not isinstance(given, list) or len(given) > _MOST_MEDIA or not all(map(well, given)):
        raise problem("media", f'is a list of at most {_MOST_MEDIA} of {{"url": "…", "content_type": "image/png"}}')
    return [(item["url"], item["content_type"]) for item in given]


async def _read(request: web.Request) -> web.Response:
    phone = phone_of(request.query.get("phone"), "phone")
    entries = await request.app[LOOKALIKE].book.thread(phone)
    return web.json_response({"items": [_item(entry) for entry in entries], "next": None})


async def _phones(request: web.Request) -> web.Response:
    phones = await request.app[LOOKALIKE].book.phones()
    return web.json_response({"items": [{"phone": phone} for phone in phones], "next": None})


async def _sent(request: web.Request) -> web.Response:
    """Every message the API took, delivered or not, oldest first; `callback` names it in the sender's own words."""
    limit = whole_number(_digits(request, "limit", _MOST_SENT), "limit", 1, _MOST_SENT)
    after = whole_number(_digits(request, "after", 0), "after", 0, 2**53)
    found = await request.app[LOOKALIKE].book.taken(after=after, limit=limit)
    items = [{**_item(entry), "error_code": entry.error_code, "callback": entry.callback} for _, entry in found]
    return web.json_response({"items": items, "next": str(found[-1][0]) if len(found) == limit else None})


async def _news(request: web.Request) -> web.Response:
    """What the phones saw since `cursor`, for a page that another process shows."""
    cursor, items = await _since(request.app[LOOKALIKE].book, request.query.get("cursor", ""))
    return web.json_response({"cursor": cursor, "items": items})


def _digits(request: web.Request, name: str, default: int) -> object:
    given = request.query.get(name, str(default))
    return int(given) if given.isascii() and given.isdecimal() and len(given) < 17 else given


def _item(entry: Entry) -> dict[str, Any]:
    return {
        "sid": entry.sid,
        "direction": "in" if entry.direction == INBOUND else "out",
        "from": entry.from_,
        "to": entry.to,
        "body": entry.body,
        "at": entry.created_at,
        "status": entry.status,
    }
