"""The web chat: visitors write by POST and listen on a stream that can be resumed from the store."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any

import jwt
from aiohttp import web
from pydantic import Field

from bot.core.errors import Refused
from bot.core.vocabulary import Author, Owner
from bot.edge.api.operation import answer, body_of
from bot.edge.api.requests import LONGEST_TEXT, Body, Language, Text
from bot.edge.keys import LIVE, METRICS, SETTINGS, SHOP
from bot.edge.live import ServerEvent, stream
from bot.edge.security import Unauthorised, bearer
from bot.services import webchat
from bot.services.agents import visited
from bot.services.inbound import Received, receive_webchat, typing_topic
from bot.services.workshop import Workshop


class NewSession(Body):
    """Who begins to chat."""

    language: Language | None = None
    identity: Annotated[str, Field(max_length=4000)] | None = None


class NewMessage(Body):
    """One text; the same `client_id` again stores nothing twice."""

    client_id: Annotated[Text, Field(min_length=1, max_length=100)]
    text: Annotated[Text, Field(min_length=1, max_length=LONGEST_TEXT)]


def add_webchat(app: web.Application) -> None:
    """The addresses the widget calls."""
    app.router.add_post("/webchat/sessions", _open)
    app.router.add_post("/webchat/messages", _write)
    app.router.add_get("/webchat/messages", _read)
    app.router.add_post("/webchat/tickets", _ticket)
    app.router.add_get("/webchat/events", _events)


async def _open(request: web.Request) -> web.Response:
    shop, body = request.config_dict[SHOP], await body_of(request, NewSession)
    customer = _subject(request, body.identity) if body.identity else None
    visit = await webchat.open_session(shop, language=body.language, customer=customer)
    return answer({"token": visit.token, "conversation_id": visit.conversation_id}, 201)


def _subject(request: web.Request, identity: str) -> str:
    """The customer's external id in a token that the business's own site signed. Raises Refused."""
    secret = request.config_dict[SETTINGS].identity_secret.get_secret_value()
    if not secret:
        raise Refused("signed identities are not set up here (AFTERWORD_IDENTITY_SECRET)", field="identity")
    try:
        subject = jwt.decode(identity, secret, algorithms=["HS256"], options={"require": ["sub"]})["sub"]
    except jwt.ExpiredSignatureError as error:
        raise Refused("this token has expired; sign a new one", field="identity") from error
    except jwt.InvalidTokenError as error:
        raise Refused("not a token signed with our shared secret (HS256, claim `sub`)", field="identity") from error
    if not 1 <= len(subject) <= 200 or "\x00" in subject:
        raise Refused("the claim `sub` is not a customer's external id", field="identity")
    return str(subject)


async def _conversation(request: web.Request) -> str:
    conversation_id = await visited(request.config_dict[SHOP], bearer(request))
    if conversation_id is None:
        raise Unauthorised("this session is unknown or over; open a new one")
    return conversation_id


async def _write(request: web.Request) -> web.Response:
    conversation_id = await _conversation(request)
    body = await body_of(request, NewMessage)
    if not body.text.strip():
        raise Refused("write something to send", field="text")
    received = Received(body.text, client_id=body.client_id)
    message = await receive_webchat(request.config_dict[SHOP], conversation_id, received)
    request.config_dict[METRICS].inbound.labels("webchat").inc()
    return answer({"id": message.id}, 202)


async def _read(request: web.Request) -> web.Response:
    conversation_id = await _conversation(request)
    items = await webchat.thread(request.config_dict[SHOP], conversation_id, request.query.get("after") or None)
    return answer({"items": items, "next": None})


async def _ticket(request: web.Request) -> web.Response:
    ticket = await webchat.open_ticket(request.config_dict[SHOP], await _conversation(request))
    return answer({"ticket": ticket, "expires_in": int(webchat.TICKET_LASTS.total_seconds())}, 201)


async def _events(request: web.Request) -> web.StreamResponse:
    if "ticket" in request.query:
        conversation_id = await webchat.use_ticket(request.config_dict[SHOP], request.query["ticket"])
        if conversation_id is None:
            raise Unauthorised("this ticket is unknown, used or over; ask for a new one")
    else:
        conversation_id = await _conversation(request)
    # A browser's EventSource sends the header only when it comes back by itself: a new one says it in the address.
    last_id = request.headers.get("Last-Event-ID") or request.query.get("after") or None
    listener = _Listener(request.config_dict[SHOP], conversation_id, last_id)
    topics = (f"conversation:{conversation_id}", listener.typing_topic)
    return await stream(request, request.config_dict[LIVE], topics, listener.render)


class _Listener:
    """What one stream has told already. Without a cursor it begins with what is new from now on."""

    def __init__(self, shop: Workshop, conversation_id: str, last_id: str | None) -> None:
        self.typing_topic = typing_topic(conversation_id)
        self._shop, self._conversation_id, self._last_id = shop, conversation_id, last_id
        self._told: set[str] | None = None
        self._owner: dict[str, Any] | None = None
        self._answered = False

    async def render(self, changed: frozenset[str]) -> Sequence[ServerEvent]:
        """The events since the last time."""
        first = self._told is None
        messages = await self._messages()
        owner = await webchat.owner(self._shop, self._conversation_id)
        events: list[ServerEvent] = []
        if owner != self._owner:
            self._owner = owner
            events.append(ServerEvent("owner", _compact(owner)))
        # Before the messages: who has just sent one is not typing any more.
        # The hint may come after the answer it announced.
        if not first and self.typing_topic in changed and not (owner["owner"] == Owner.BOT and self._answered):
            events.append(ServerEvent("typing", _compact({"typing": True, "name": owner["name"]})))
        return events + messages

    async def _messages(self) -> list[ServerEvent]:
        thread = await webchat.thread(self._shop, self._conversation_id)
        if self._told is None:
            ids = [message["id"] for message in thread]
            # An id we do not know comes from another time: better the whole thread again than a gap in it.
            known = ids.index(self._last_id) + 1 if self._last_id in ids else 0
            self._told = set(ids[: known if self._last_id else len(ids)])
        fresh = [message for message in thread if message["id"] not in self._told]
        self._answered = bool(thread) and thread[-1]["author"] != Author.CUSTOMER
        self._told.update(message["id"] for message in fresh)
        return [ServerEvent("message", _compact(message), message["id"]) for message in fresh]


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
