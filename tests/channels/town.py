"""A small town for the channels: a look-alike of Twilio, an edge that only takes notes, and the real Twilio client."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.typedefs import Handler

from bot.channels.simulator import Lookalike
from bot.channels.twilio import (
    InboundSms,
    StatusUpdate,
    TwilioChannel,
    parse_inbound,
    parse_status,
    public_url_of,
    verify,
)
from bot.services.ports import Outbound

ACCOUNT = "AC" + "0123456789abcdef" * 2
TOKEN = "a-token-only-for-tests"
NUMBER = "+15005550006"
PHONE = "+905321234567"


@dataclass(frozen=True)
class Exchange:
    """One request to the look-alike and its answer."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    status: int
    answer: bytes


@dataclass
class Town:
    """Everything in one place, and what happened there."""

    url: str
    session: aiohttp.ClientSession
    lookalike: Lookalike
    inbound: list[InboundSms] = field(default_factory=list)
    statuses: list[StatusUpdate] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    exchanges: list[Exchange] = field(default_factory=list)
    webhook_answers: list[int] = field(default_factory=list)
    forms: list[dict[str, str]] = field(default_factory=list)

    def channel(self, **options: Any) -> TwilioChannel:
        """A channel that speaks to the look-alike."""
        settings = {"sender": NUMBER, "account_sid": ACCOUNT, "auth_token": TOKEN, "timeout": 2.0} | options
        return TwilioChannel(
            self.session,
            status_callback_url=f"{self.url}/webhooks/twilio/status",
            base_url=f"{self.url}/simulator/twilio",
            **settings,
        )

    @property
    def posts(self) -> list[Exchange]:
        """Every attempt to send."""
        return [exchange for exchange in self.exchanges if exchange.method == "POST"]

    async def phone(self, number: str = PHONE) -> list[dict[str, str]]:
        """The thread on a phone, once everything under way has settled."""
        await self.lookalike.settle()
        async with self.session.get(f"{self.url}/simulator/messages", params={"phone": number}) as answer:
            assert answer.status == 200
            return list((await answer.json())["items"])

    async def write(self, body: str, number: str = PHONE) -> dict[str, str]:
        """A phone writes."""
        async with self.session.post(f"{self.url}/simulator/messages", json={"from": number, "body": body}) as answer:
            assert answer.status == 201
            return dict(await answer.json())

    async def break_with(self, mode: str, times: int = 1, **more: Any) -> None:
        """Make the look-alike misbehave."""
        wish = {"mode": mode, "times": times, **more}
        async with self.session.post(f"{self.url}/simulator/faults", json=wish) as answer:
            assert answer.status == 201


Open = Callable[..., Awaitable[Town]]


def outbound(text: str = "How was everything?", *, message_id: str = "m-1", to: str = PHONE) -> Outbound:
    """One text to send."""
    return Outbound(message_id=message_id, conversation_id="c-1", to=to, text=text)


def note_taking_edge(town: Town) -> web.Application:
    """An edge that verifies and writes down what Twilio's side calls it with, and what is asked of the look-alike."""

    def is_genuine(request: web.Request, form: Any) -> bool:
        genuine = verify(public_url_of(town.url, request.raw_path), form, request.headers, TOKEN)
        if not genuine:
            town.refused.append(request.raw_path)
        return genuine

    async def sms(request: web.Request) -> web.Response:
        form = await request.post()
        if not is_genuine(request, form):
            return web.Response(status=403)
        town.inbound.append(parse_inbound(form))  # type: ignore[arg-type]
        town.forms.append(dict(form))  # type: ignore[arg-type]
        return web.Response(status=town.webhook_answers.pop(0) if town.webhook_answers else 200)

    async def status(request: web.Request) -> web.Response:
        form = await request.post()
        if not is_genuine(request, form):
            return web.Response(status=403)
        town.statuses.append(parse_status(form, request.query))  # type: ignore[arg-type]
        return web.Response()

    @web.middleware
    async def note(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not request.path.startswith("/simulator/twilio/"):
            return await handler(request)
        body = await request.read()
        try:
            answer = await handler(request)
        except web.HTTPException as refusal:
            town.exchanges.append(_exchange(request, body, refusal))
            raise
        town.exchanges.append(_exchange(request, body, answer))
        return answer

    app = web.Application(middlewares=[note])
    app.router.add_post("/webhooks/twilio/sms", sms)
    app.router.add_post("/webhooks/twilio/status", status)
    return app


def _exchange(request: web.Request, body: bytes, answer: web.StreamResponse) -> Exchange:
    assert isinstance(answer, web.Response)
    assert isinstance(answer.body, bytes)
    path = request.path.removeprefix("/simulator/twilio")
    return Exchange(request.method, path, dict(request.query), dict(request.headers), body, answer.status, answer.body)
