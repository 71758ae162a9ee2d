"""How Twilio's API writes down a message, and how it says no."""

from __future__ import annotations

import json
from datetime import datetime
from email.utils import format_datetime
from typing import Any

from aiohttp import web

from bot.channels.simulator.book import INBOUND, Entry
from bot.channels.simulator.lookalike import API_VERSION
from bot.core.delivery import problem
from bot.core.sms import segments


def message_uri(account_sid: str, sid: str) -> str:
    """The address of one message, relative to Twilio's host as in every answer of theirs."""
    return f"/{API_VERSION}/Accounts/{account_sid}/Messages/{sid}"


def as_json(entry: Entry, account_sid: str) -> dict[str, Any]:
    """A message resource."""
    uri = message_uri(account_sid, entry.sid)
    unassigned = entry.service and entry.status == "accepted"
    return {
        "account_sid": account_sid,
        "api_version": API_VERSION,
        "body": entry.body,
        "date_created": _rfc2822(entry.created_at),
        "date_sent": _rfc2822(entry.sent_at) if entry.sent_at else None,
        "date_updated": _rfc2822(entry.updated_at),
        "direction": entry.direction,
        "error_code": entry.error_code,
        "error_message": problem(entry.error_code).meaning if entry.error_code else None,
        "from": None if unassigned else entry.from_,
        "messaging_service_sid": entry.service,
        "num_media": str(entry.media),
        "num_segments": "0" if unassigned else str(segments(entry.body)),
        "price": None,
        "price_unit": None if entry.direction == INBOUND else "USD",
        "sid": entry.sid,
        "status": entry.status,
        "subresource_uris": {"media": f"{uri}/Media.json"},
        "to": entry.to,
        "uri": f"{uri}.json",
    }


def no(status: int, code: int, message: str, **headers: str) -> web.HTTPException:
    """Twilio's refusal, to be raised: its HTTP status, its error code, and its words."""
    body = {
        "code": code,
        "message": message,
        "more_info": f"https://www.twilio.com/docs/errors/{code}",
        "status": status,
    }
    refusal = _STATUSES[status](text=json.dumps(body), content_type="application/json")
    refusal.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    return refusal


_STATUSES: dict[int, type[web.HTTPException]] = {
    400: web.HTTPBadRequest,
    401: web.HTTPUnauthorized,
    404: web.HTTPNotFound,
    429: web.HTTPTooManyRequests,
    500: web.HTTPInternalServerError,
    503: web.HTTPServiceUnavailable,
}


def _rfc2822(moment: str) -> str:
    return format_datetime(datetime.fromisoformat(moment))
