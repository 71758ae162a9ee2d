"""What the simulator's own endpoints share: reading what was asked, and explaining what cannot be understood."""

from __future__ import annotations

import json
import re
from typing import Any

from aiohttp import web

_E164 = re.compile(r"\+[1-9]\d{6,14}")


async def body_of(request: web.Request) -> dict[str, Any]:
    """The JSON object that was posted."""
    try:
        body = await request.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise problem("", "The body is not a JSON object")
    return body


def phone_of(given: object, field: str) -> str:
    """An E.164 number from what people type; in a query a bare plus sign arrives as a space."""
    digits = re.sub(r"[^\d]", "", given) if isinstance(given, str) else ""
    if not _E164.fullmatch(number := f"+{digits}"):
        raise problem(field, "is a phone number in international form, such as +15005550006")
    return number


def whole_number(given: object, field: str, least: int, most: int) -> int:
    """A whole number between two others, included."""
    if not isinstance(given, int) or isinstance(given, bool) or not least <= given <= most:
        raise problem(field, f"is a whole number from {least} to {most}")
    return given


def problem(field: str, words: str) -> web.HTTPException:
    """A refusal (RFC 9457) that names the field, to be raised."""
    detail = f"`{field}` {words}." if field else f"{words}."
    body: dict[str, Any] = {"type": "about:blank", "title": "Unprocessable Content", "status": 422, "detail": detail}
    if field:
        body["errors"] = [{"field": field, "detail": detail}]
    return web.HTTPUnprocessableEntity(text=json.dumps(body), content_type="application/problem+json")
