"""The phone's own JSON: what somebody playing a customer writes and reads, and the faults to practise with."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from bot.channels.simulator.book import INBOUND, Entry, now
from bot.channels.simulator.faults import Fault
from bot.channels.simulator.lookalike import LOOKALIKE

_E164 = re.compile(r"\+[1-9]\d{6,14}")
_LONGEST_BODY = 20_000
"""More than a phone would send: what comes in by mistake should be seen to be kept."""
_MOST_TIMES = 100


def create_simulator(lookalike: web.Application) -> web.Application:
    """The phone's endpoints, with the look-alike itself mounted at `/twilio`: one application to mount at `/simulator`.

    The page that draws the phone is not here; add its route before mounting.
    """
    app = web.Application()
    app[LOOKALIKE] = lookalike[LOOKALIKE]
    app.router.add_post("/messages", _write)
    app.router.add_get("/messages", _read)
    app.router.add_get("/phones", _phones)
    app.router.add_post("/faults", _break)
    app.add_subapp("/twilio", lookalike)
    return app


def news_of(lookalike: web.Application) -> Callable[[str], Awaitable[tuple[str, list[dict[str, str]]]]]:
    """Asked with a cursor (`""`: from now on), tells the new cursor and what the phones saw since, oldest first."""
    book = lookalike[LOOKALIKE].book

    async def news(cursor: str) -> tuple[str, list[dict[str, str]]]:
        if not cursor:
            return now(), []
        entries = await book.since(cursor)
        seen = [
            _item(entry) for entry in entries if entry.direction == INBOUND or entry.status in ("delivered", "read")
        ]
        return (entries[-1].updated_at if entries else cursor), seen

    return news


async def _write(request: web.Request) -> web.Response:
    body = await _body(request)
    from_, text = _phone(body.get("from"), "from"), body.get("body", "")
    if not isinstance(text, str) or len(text) > _LONGEST_BODY:
        raise _problem("body", f"is text of at most {_LONGEST_BODY} characters")
    twilio = request.app[LOOKALIKE]
    sid = await twilio.receive(from_, text)
    entry = await twilio.book.find(sid)
    return web.json_response(_item(entry) if entry else {"sid": sid}, status=201)


async def _read(request: web.Request) -> web.Response:
    phone = _phone(request.query.get("phone"), "phone")
    entries = await request.app[LOOKALIKE].book.thread(phone)
    return web.json_response({"items": [_item(entry) for entry in entries], "next": None})


async def _phones(request: web.Request) -> web.Response:
    phones = await request.app[LOOKALIKE].book.phones()
    return web.json_response({"items": [{"phone": phone} for phone in phones], "next": None})


async def _break(request: web.Request) -> web.Response:
    body = await _body(request)
    mode, times = str(body.get("mode")), body.get("times", 1)
    if mode not in set(Fault):
        raise _problem("mode", f"is one of {', '.join(Fault)}")
    if not isinstance(times, int) or isinstance(times, bool) or not 1 <= times <= _MOST_TIMES:
        raise _problem("times", f"is a whole number from 1 to {_MOST_TIMES}")
    faults = request.app[LOOKALIKE].faults
    faults.add(mode, times)
    return web.json_response({"mode": mode, "times": times, "due": faults.due()}, status=201)


def _item(entry: Entry) -> dict[str, str]:
    return {
        "sid": entry.sid,
        "direction": "in" if entry.direction == INBOUND else "out",
        "from": entry.from_,
        "to": entry.to,
        "body": entry.body,
        "at": entry.created_at,
        "status": entry.status,
    }


async def _body(request: web.Request) -> dict[str, Any]:
    try:
        body = await request.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise _problem("", "The body is not a JSON object")
    return body


def _phone(given: object, field: str) -> str:
    """An E.164 number from what people type; in a query a bare plus sign arrives as a space."""
    digits = re.sub(r"[^\d]", "", given) if isinstance(given, str) else ""
    if not _E164.fullmatch(number := f"+{digits}"):
        raise _problem(field, "is a phone number in international form, such as +15005550006")
    return number


def _problem(field: str, words: str) -> web.HTTPException:
    detail = f"`{field}` {words}." if field else f"{words}."
    body: dict[str, Any] = {"type": "about:blank", "title": "Unprocessable Content", "status": 422, "detail": detail}
    if field:
        body["errors"] = [{"field": field, "detail": detail}]
    return web.HTTPUnprocessableEntity(text=json.dumps(body), content_type="application/problem+json")
