"""Carries the look-alike's webhooks to their addresses: signed, and tried again the way Twilio tries again."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Mapping
from urllib.parse import parse_qs, urldefrag

import aiohttp
from twilio.request_validator import (  # type: ignore[import-untyped]
    HMAC_SHA1,
    HMAC_SHA256,
    SIGNATURE_HEADER,
    SIGNATURE_SETTINGS_HEADER,
    RequestValidator,
)
from yarl import URL

_BUDGET = aiohttp.ClientTimeout(total=15)
_EVERYTHING = {"ct", "rt", "4xx", "5xx"}

_log = logging.getLogger(__name__)


class Courier:
    """Posts forms with a valid signature. One retry on a failed connection, unless the address's fragment asks for
    others: `#rc=3&rp=all` is three, whatever went wrong (`ct` connection, `rt` no answer in time, `4xx`, `5xx`).

    The first retry comes after `pause` seconds, each further one after twice as long. `shared_key`, a name and its
    secret, signs with SHA-256 and says so in a header, as newer accounts do; otherwise the token signs with SHA-1.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        auth_token: str,
        *,
        pause: float,
        shared_key: tuple[str, str] | None = None,
    ) -> None:
        self._session = session
        self._pause = pause
        name, secret = shared_key or ("", auth_token)
        self._signer = RequestValidator(secret)
        self._algorithm = HMAC_SHA256 if shared_key else HMAC_SHA1
        self._settings = {SIGNATURE_SETTINGS_HEADER: f"key={name},algorithm={HMAC_SHA256}"} if shared_key else {}

    async def post(self, address: str, form: Mapping[str, str]) -> bool:
        """Deliver `form`; whether the address took it in the end. Whoever caused it is not told: nothing is raised."""
        url, fragment = urldefrag(address)
        retries, reasons = _retry_policy(fragment)
        headers = {
            SIGNATURE_HEADER: self._signer.compute_signature(url, form, self._algorithm),
            **self._settings,
            "I-Twilio-Idempotency-Token": str(uuid.uuid4()),
            "User-Agent": "TwilioProxy/1.1",
        }
        for attempt in range(retries + 1):
            if attempt:
                await asyncio.sleep(self._pause * 2 ** (attempt - 1))
            outcome = await self._attempt(url, form, headers)
            if outcome not in reasons:
                break
        if outcome:
            _log.warning("a webhook was not taken: %s after %d attempts", outcome, attempt + 1)
        return not outcome

    async def _attempt(self, url: str, form: Mapping[str, str], headers: Mapping[str, str]) -> str:
        """What went wrong, in the words of the retry policy; "" when nothing did."""
        try:
            async with self._session.post(
                # The address is called exactly as it is signed, so it must not be normalised on the way.
                URL(url, encoded=True),
                data=dict(form),
                headers=headers,
                timeout=_BUDGET,
                allow_redirects=False,
            ) as response:
                await response.read()
        except TimeoutError:
            return "rt"
        except (aiohttp.ClientError, OSError):
            return "ct"
        return "" if response.status < 300 else f"{response.status // 100}xx"


def _retry_policy(fragment: str) -> tuple[int, set[str]]:
    wishes = parse_qs(fragment)
    retries = wishes.get("rc", ["1"])[0]
    reasons = set(wishes.get("rp", ["ct"])[0].split(","))
    return min(
        int(retries), 5
    ) if retries.isdecimal() else 1, _EVERYTHING if "all" in reasons else reasons & _EVERYTHING
