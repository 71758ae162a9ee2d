"""The transport under Twilio's client: one request, one attempt, on a session we own.

Twilio's own asynchronous transport ignores its timeout, can re-post on 503 (a second SMS), logs phone numbers, and its
errors drop the answer's headers. This one does none of that, and can speak to another host than Twilio's.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
from twilio.base.exceptions import TwilioException  # type: ignore[import-untyped]
from twilio.http import AsyncHttpClient  # type: ignore[import-untyped]
from twilio.http.response import Response  # type: ignore[import-untyped]
from yarl import URL

TWILIO = "https://api.twilio.com"

_log = logging.getLogger(__name__)


class Declined(TwilioException):  # type: ignore[misc]
    """Twilio answered, and the answer was an error: its status, Twilio's code, and the seconds it asks us to wait."""

    def __init__(self, status: int, code: str, retry_after: float | None) -> None:
        super().__init__(f"HTTP {status}, Twilio error {code}")
        self.status = status
        self.code = code
        self.retry_after = retry_after


class OneAttempt(AsyncHttpClient):  # type: ignore[misc]
    """Sends each request exactly once, within `timeout` seconds, to `base_url` instead of Twilio where one is given.

    Errors of the connection pass through as aiohttp raises them: the channel tells from them whether anything left.
    An answer that is not a success raises Declined, because the client's own errors would lose `Retry-After`.
    """

    def __init__(self, session: aiohttp.ClientSession, *, timeout: float, base_url: str | None = None) -> None:
        super().__init__(_log, True, timeout)
        self._session = session
        self._base = (base_url or TWILIO).rstrip("/")
        # Connecting has its own, shorter limit: when that runs out nothing was sent, and trying again is safe.
        self._limits = aiohttp.ClientTimeout(total=timeout, connect=timeout / 2, sock_connect=timeout / 2)

    async def request(
        self,
        method: str,
        uri: str,
        params: dict[str, object] | None = None,
        data: dict[str, object] | None = None,
        headers: dict[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature is Twilio's
        allow_redirects: bool = False,
    ) -> Response:
        """One exchange. `timeout` and `allow_redirects` are part of the signature and have no say here."""
        # A connection that idled may be gone by the time we write to it, which would leave us not knowing whether the
        # message left. A fresh one each time costs a handshake and never raises that question.
        sent_headers: dict[str, str] = {**(headers or {}), "Connection": "close"}
        if auth is not None:
            sent_headers["Authorization"] = aiohttp.encode_basic_auth(*auth)
        async with self._session.request(
            method.upper(),
            self._address(uri),
            params=_plain(params),
            data=_plain(data),
            headers=sent_headers,
            timeout=self._limits,
            allow_redirects=False,
        ) as response:
            text = await response.text()
            if not 200 <= response.status < 300:
                raise Declined(response.status, _code(text, response.status), _retry_after(response.headers))
            return Response(response.status, text, response.headers)

    def _address(self, uri: str) -> URL:
        return URL(self._base + uri.removeprefix(TWILIO), encoded=True)


def _plain(fields: dict[str, object] | None) -> list[tuple[str, str]] | None:
    """Form and query fields as text; a list becomes one field for each item. None when there are none."""
    if not fields:
        return None
    return [(name, str(item)) for name, value in fields.items() for item in _items(value)]


def _items(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _code(text: str, status: int) -> str:
    """Twilio's error code, in its older and its RFC 9457 form alike; the HTTP status when the body names none."""
    try:
        body = json.loads(text)
    except ValueError:
        return str(status)
    return str(body.get("code") or status) if isinstance(body, dict) else str(status)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, from a number or from a date; a date counts from the answer's own, so our clock has no say."""
    wish = headers.get("Retry-After", "").strip()
    if wish.isascii() and wish.replace(".", "", 1).isdecimal():
        return float(wish)
    try:
        until, answered = parsedate_to_datetime(wish), parsedate_to_datetime(headers.get("Date", ""))
    except ValueError:
        return None
    aware = [moment if moment.tzinfo else moment.replace(tzinfo=UTC) for moment in (until, answered)]
    return max(0.0, (aware[0] - aware[1]).total_seconds())
