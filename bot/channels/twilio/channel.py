"""Sending SMS through Twilio so that nothing is ever sent twice because of us.

`POST Messages.json` has no idempotency key. What a failure means therefore depends on how far the request got: before
it left, try again; refused, give up; anything else is ambiguous, and only a status callback or `reconcile` settles it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from urllib.parse import urlencode, urlsplit, urlunsplit

import aiohttp
from twilio.base.exceptions import TwilioException  # type: ignore[import-untyped]
from twilio.rest import Client  # type: ignore[import-untyped]

from bot.channels.twilio.http import TWILIO, Declined, OneAttempt
from bot.channels.twilio.inbound import MESSAGE_ID_PARAMETER
from bot.core.errors import ChannelError
from bot.services.ports import Accepted, Listed, Outbound, SentMessage

VALIDITY_SECONDS = 900
"""How long Twilio may hold a message back. Short, so that one queued in the evening does not leave at night."""

_NEWEST = 200
_PAGE = 1000

_FAILURES = (TwilioException, aiohttp.ClientError, TimeoutError, OSError, ValueError)


class TwilioChannel:
    """Fulfils the `Channel` port with Twilio's own client.

    `sender` is a phone number, a short code, or a messaging service (`MG…`): one of them, never two.
    `status_callback_url` is our public address for status callbacks, a fragment such as `#rc=3&rp=all` included. The
    session belongs to the caller.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        account_sid: str,
        auth_token: str,
        sender: str,
        status_callback_url: str,
        *,
        base_url: str | None = None,
        timeout: float = 10.0,
        validity_seconds: int = VALIDITY_SECONDS,
    ) -> None:
        transport = OneAttempt(session, timeout=timeout, base_url=base_url)
        # An empty environment: region and edge variables of the process must not redirect a production account.
        nothing = {"TWILIO_ACCOUNT_SID": account_sid}
        self._client = Client(account_sid, auth_token, http_client=transport, environment=nothing)
        self._from = {"messaging_service_sid": sender} if sender.startswith("MG") else {"from_": sender}
        self._callback = status_callback_url
        self._validity = validity_seconds

    async def send(self, outbound: Outbound) -> Accepted:
        """Hand one text to Twilio, once. Raises ChannelError, which says whether trying again can help."""
        try:
            message = await self._client.messages.create_async(
                to=outbound.to,
                body=outbound.text,
                status_callback=_with_message_id(self._callback, outbound.message_id),
                validity_period=_validity(self._validity, outbound.valid_for),
                **self._from,
            )
        except _FAILURES as error:
            raise _explained(error) from error
        if not message.sid:
            raise ChannelError("Twilio's answer names no message; it may have been sent", ambiguous=True)
        sender = str(message.from_ or message.messaging_service_sid or "")
        return Accepted(provider_id=message.sid, status=str(message.status or "accepted"), sender=sender)

    async def reconcile(self, to: str, since: datetime) -> list[SentMessage]:
        """What Twilio took from us for `to` since then (aware), newest first: the answer to an ambiguous send.

        A message still queued has no date of sending yet, so Twilio's date filter would hide exactly the one that is
        looked for; the newest are read and their date of creation is compared here. Raises ChannelError.
        """
        whole_second = since.replace(microsecond=0)  # Twilio's dates have no fractions
        found: list[SentMessage] = []
        try:
            async for record in await self._client.messages.stream_async(to=to, limit=_NEWEST):
                created = _aware(record.date_created)
                if created < whole_second:
                    break
                if str(record.direction).startswith("outbound"):
                    found.append(_sent_message(record, created))
        except _FAILURES as error:
            raise ChannelError(f"Twilio could not be asked: {type(error).__name__}") from error
        return found

    async def listed_since(self, since: datetime) -> list[Listed]:
        """Every message between our sender and anybody that was sent since then (aware), the oldest first.

        Twilio's list has an inbound message's text and how many files it has, and keeps the files at an address of the
        message's own. Raises ChannelError.
        """
        try:
            records = await self._client.messages.stream_async(date_sent_after=since, page_size=_PAGE)
            found = [_listed(record) async for record in records if self._is_ours(record)]
        except _FAILURES as error:
            raise ChannelError(f"Twilio could not be asked: {type(error).__name__}") from error
        return found[::-1]

    def _is_ours(self, record: object) -> bool:
        """An account may have other numbers, which are other people's business, and channels that are not ours."""
        fields = vars(record)
        if ":" in str(fields["from_"]):
            return False
        if service := self._from.get("messaging_service_sid"):
            return bool(fields["messaging_service_sid"] == service)
        return self._from["from_"] in (fields["to"], fields["from_"])


def _listed(record: object) -> Listed:
    fields = vars(record)
    inbound, code = fields["direction"] == "inbound", fields.get("error_code")
    files = int(fields.get("num_media") or 0) if inbound else 0
    address = f"{TWILIO}{(fields.get('subresource_uris') or {}).get('media', '')}"
    return Listed(
        provider_id=str(fields["sid"]),
        inbound=inbound,
        address=str(fields["from_"] if inbound else fields["to"]),
        text=str(fields["body"] or ""),
        status=str(fields["status"]),
        error_code=str(code) if code else None,
        media=[{"url": address, "content_type": ""}] * files,
        created_at=_aware(fields["date_created"]),
    )


def _sent_message(record: object, created: datetime) -> SentMessage:
    fields = vars(record)
    code = fields.get("error_code")
    return SentMessage(
        provider_id=str(fields["sid"]),
        to=str(fields["to"]),
        text=str(fields["body"] or ""),
        status=str(fields["status"]),
        error_code=str(code) if code else None,
        created_at=created,
    )


def _validity(usual: int, valid_for: timedelta | None) -> int:
    """Seconds Twilio may take: the usual, or less when the customer's day ends before."""
    return usual if valid_for is None else max(1, min(usual, int(valid_for.total_seconds())))


def _with_message_id(callback: str, message_id: str) -> str:
    """Our message id in the query, so that a callback can settle a send whose answer never came."""
    parts = urlsplit(callback)
    query = "&".join(filter(None, [parts.query, urlencode({MESSAGE_ID_PARAMETER: message_id})]))
    return urlunsplit(parts._replace(query=query))


def _aware(created: object) -> datetime:
    """Twilio's date of creation; the end of time when there is none, so that such a message is never overlooked."""
    if not isinstance(created, datetime):
        return datetime.max.replace(tzinfo=UTC)
    return created if created.tzinfo else created.replace(tzinfo=UTC)


def _explained(error: Exception) -> ChannelError:
    """What a failed send means. Its words never carry the number or the text, only the kind of failure."""
    if isinstance(error, Declined):
        return ChannelError(
            str(error),
            permanent=400 <= error.status < 500 and error.status != HTTPStatus.TOO_MANY_REQUESTS,
            ambiguous=not 400 <= error.status < 500,
            code=error.code,
            retry_after=error.retry_after,
        )
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError | aiohttp.InvalidURL):
        return ChannelError(f"Twilio could not be reached: {type(error).__name__}")
    return ChannelError(f"Twilio did not answer clearly: {type(error).__name__}", ambiguous=True)
