"""The look-alike's face to the Twilio client: the Messages API, answered as Twilio's contract says."""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import aiohttp
from aiohttp import web
from aiohttp.typedefs import Handler

from bot.channels.simulator.faults import Fault, Strike
from bot.channels.simulator.lookalike import API_VERSION, LOOKALIKE, Lookalike
from bot.channels.simulator.resource import as_json, no
from bot.core.delivery import problem

_MESSAGES = f"/{API_VERSION}/Accounts/{{account}}/Messages"
_E164 = re.compile(r"\+[1-9]\d{6,14}")
_SERVICE = re.compile(r"MG[0-9a-fA-F]{32}")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def create_lookalike(
    book_path: Path,
    account_sid: str,
    auth_token: str,
    number: str,
    webhook_url: str,
    status_url: str,
    session: aiohttp.ClientSession,
    **options: Any,
) -> web.Application:
    """Twilio's Messages API for one account, as an application to mount. `options` are those of `Lookalike`, which is
    the application's `LOOKALIKE`."""
    app = web.Application(middlewares=[_authenticated])
    app[LOOKALIKE] = Lookalike(book_path, account_sid, auth_token, number, webhook_url, status_url, session, **options)
    app.router.add_post(f"{_MESSAGES}.json", _create)
    app.router.add_get(f"{_MESSAGES}.json", _list)
    app.router.add_get(f"{_MESSAGES}/{{sid}}.json", _fetch)
    app.on_shutdown.append(_wind_up)
    app.cleanup_ctx.append(_alive)
    return app


async def _alive(app: web.Application) -> AsyncIterator[None]:
    await app[LOOKALIKE].start()
    yield
    await app[LOOKALIKE].close()


async def _wind_up(app: web.Application) -> None:
    app[LOOKALIKE].wind_up()


@web.middleware
async def _authenticated(request: web.Request, handler: Handler) -> web.StreamResponse:
    twilio = request.app[LOOKALIKE]
    expected = f"{twilio.account_sid}:{twilio.auth_token}".encode()
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    try:
        given = base64.b64decode(credentials, validate=True)
    except (binascii.Error, ValueError):
        given = b""
    if scheme.lower() != "basic" or not hmac.compare_digest(given, expected):
        raise no(401, 20003, "Authenticate")
    if request.match_info.get("account") != twilio.account_sid:
        raise no(404, 20404, f"The requested resource {request.path} was not found")
    return await handler(request)


async def _create(request: web.Request) -> web.Response:
    twilio = request.app[LOOKALIKE]
    form = {name: str(value) for name, value in (await request.post()).items()}
    strike = twilio.faults.on_request(form.get("To", ""))
    fault = strike.fault if strike else None
    if strike is not None:
        _go_wrong(strike)
    media = len((await request.post()).getall("MediaUrl", []))
    _check(form, media, twilio.number)
    if await twilio.book.is_suppressed(form["To"]):
        raise no(400, 21610, "Attempt to send to unsubscribed recipient")
    entry = await twilio.accept(
        form["To"],
        form.get("Body", ""),
        media=media,
        service=form.get("MessagingServiceSid"),
        callback=form.get("StatusCallback"),
    )
    if fault is Fault.TIMEOUT:
        await twilio.hang()
    if fault is Fault.SERVER_ERROR_AFTER:
        raise _broken()
    return web.json_response(as_json(entry, twilio.account_sid), status=201)


def _broken() -> web.HTTPException:
    return no(500, 20500, "An internal server error has occurred")


def _go_wrong(strike: Strike) -> None:
    """Refuse, if that is how this request goes wrong."""
    match strike.fault:
        case Fault.SERVER_ERROR:
            raise _broken()
        case Fault.UNAVAILABLE:
            raise no(503, 20503, "Service Unavailable", Retry_After=strike.retry_after)
        case Fault.TOO_MANY_REQUESTS:
            raise no(429, 20429, "Too Many Requests", Retry_After=strike.retry_after)
        case Fault.OPTED_OUT:
            raise no(400, strike.code, "Attempt to send to unsubscribed recipient")
        case Fault.REFUSED:
            raise no(_OTHER_STATUSES.get(strike.code, 400), strike.code, problem(strike.code).meaning)


_OTHER_STATUSES = {20003: 401, 20404: 404, 20429: 429, 63038: 429}
"""The HTTP status of the refusals that are not a plain 400."""


def _check(form: dict[str, str], media: int, number: str) -> None:
    """Twilio's own refusals, in its order and with its codes."""
    to, from_, service = form.get("To", ""), form.get("From", ""), form.get("MessagingServiceSid", "")
    callback, validity = form.get("StatusCallback", ""), form.get("ValidityPeriod", "36000")
    refusals = [
        (not to, 21604, "A 'To' phone number is required."),
        (not _E164.fullmatch(to), 21211, "Invalid 'To' Phone Number"),
        (not from_ and not service, 21603, "A 'From' phone number is required."),
        (bool(service) and not _SERVICE.fullmatch(service), 21701, "The Messaging Service does not exist."),
        (from_ not in ("", number), 21606, "The 'From' phone number is not a valid, message-capable number"),
        (to == number, 21266, "'To' and 'From' number cannot be the same"),
        (not form.get("Body") and not media, 21602, "Message body is required."),
        (len(form.get("Body", "")) > 1600, 21617, "The concatenated message body exceeds the 1600 character limit."),
        (bool(callback) and not urlsplit(callback).netloc, 21609, "The 'StatusCallback' URL is not a valid URL."),
        (not validity.isdecimal() or not 1 <= int(validity) <= 36000, 20001, "The 'ValidityPeriod' is out of range."),
    ]
    for refused, code, message in refusals:
        if refused:
            raise no(400, code, message)


async def _fetch(request: web.Request) -> web.Response:
    twilio = request.app[LOOKALIKE]
    entry = await twilio.book.find(request.match_info["sid"])
    if entry is None:
        raise no(404, 20404, f"The requested resource {request.path} was not found")
    return web.json_response(as_json(entry, twilio.account_sid))


async def _list(request: web.Request) -> web.Response:
    twilio = request.app[LOOKALIKE]
    size, page = _number(request, "PageSize", 50, 1, 1000), _number(request, "Page", 0, 0, 10_000)
    found = await twilio.book.page(_conditions(request), limit=size + 1, offset=page * size)
    messages = [as_json(entry, twilio.account_sid) for entry in found[:size]]
    uri = f"/{API_VERSION}/Accounts/{twilio.account_sid}/Messages.json"

    def at(number: int) -> str:
        kept = {name: value for name, value in request.query.items() if name not in {"Page", "PageSize", "PageToken"}}
        return f"{uri}?{urlencode(kept | {'PageSize': size, 'Page': number})}"

    return web.json_response(
        {
            "messages": messages,
            "start": page * size,
            "end": page * size + max(len(messages) - 1, 0),
            "page": page,
            "page_size": size,
            "uri": at(page),
            "first_page_uri": at(0),
            "next_page_uri": at(page + 1) if len(found) > size else None,
            "previous_page_uri": at(page - 1) if page else None,
        }
    )


def _number(request: web.Request, name: str, default: int, least: int, most: int) -> int:
    given = request.query.get(name, str(default))
    if not given.isdecimal() or not least <= int(given) <= most:
        raise no(400, 20001, f"{name} is not a number from {least} to {most}.")
    return int(given)


def _conditions(request: web.Request) -> list[tuple[str, str]]:
    """The filters of a list as comparisons. A message that has not been sent yet has no date, so no date finds it."""
    conditions = [
        (f'"{column}" = ?', request.query[name])
        for name, column in (("To", "to"), ("From", "from_"))
        if name in request.query
    ]
    if "DateSent" in request.query:
        day = _moment(request.query["DateSent"]).replace(hour=0, minute=0, second=0, microsecond=0)
        conditions += [("sent_at >= ?", _text(day)), ("sent_at < ?", _text(day + timedelta(days=1)))]
    if "DateSent>" in request.query:
        conditions.append(("sent_at >= ?", _text(_moment(request.query["DateSent>"]))))
    if "DateSent<" in request.query:
        given = request.query["DateSent<"]
        whole_day = timedelta(days=1) if _DAY.fullmatch(given) else timedelta(seconds=1)
        conditions.append(("sent_at < ?", _text(_moment(given) + whole_day)))
    return conditions


def _moment(given: str) -> datetime:
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            moment = read(given)
        except ValueError:
            continue
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    raise no(400, 20001, "DateSent is not a date.")


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds")
