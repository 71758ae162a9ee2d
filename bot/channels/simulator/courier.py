"""Carries the look-alike's webhooks to their addresses: signed, and tried again the way Twilio tries again."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Mapping
from urllib.parse import parse_qs, urldefrag

import aiohttp
from twilio.request_validator import SIGNATURE_HEADER, RequestValidator  # type: ignore[import-untyped]
from yarl import URL

_BUDGET = aiohttp.ClientTimeout(total=15)
_EVERYTHING = {"ct", "rt", "4xx", "5xx"}

_log = logging.getLogger(__name__)


class Courier:
    """Posts forms with a valid signature. One retry on a failed connection, unless the address's fragment asks for
    others: `#rc=3&rp=all` is three, whatever went wrong (`ct` connection, `rt` no answer in time, `4xx`, `5xx`)."""

    def __init__(self, session: aiohttp.ClientSession, auth_token: str, *, pause: float) -> None:
        self._session = session
        self._signer = RequestValidator(auth_token)
        self._pause = pause

    async def post(self, address: str, form: Mapping[str, str]) -> bool:
        """Deliver `form`; whether the address took it in the end. Whoever caused it is not told: nothing is raised."""
        url, fragment = urldefrag(address)
        retries, reasons = _retry_policy(fragment)
        headers = {
            SIGNATURE_HEADER: self._signer.compute_signature(url, form),
            "I-Twilio-Idempotency-Token": str(uuid.uuid4()),
            "User-Agent": "TwilioProxy/1.1",
        }
        for attempt in range(retries + 1):
            if attempt:
                await asyncio.sleep(self._pause)
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
