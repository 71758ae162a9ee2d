"""The one door through which the rest of Afterword talks to Rasa: `/webhooks/afterword/...`.

Every request carries the shared secret (`Authorization: Bearer ...`). A turn is all or nothing: when an action fails or
the database refuses, the answer is an error, the tracker is left as it was, and the same turn may be sent again. A turn
that was already taken is answered with the words it brought the first time.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import os
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from rasa.core.channels.channel import InputChannel
from rasa.shared.exceptions import RasaException
from sanic import Blueprint, Request, Sanic
from sanic.response import HTTPResponse
from sanic.response import json as json_response
from sqlalchemy.exc import SQLAlchemyError

from bot import collector
from bot.rasa_compat import turns
from bot.rasa_compat.errors import ActionFailed, ConversationErased, ConversationMoved, StoreNotFound
from bot.rasa_compat.lock_store import ConversationLocks
from bot.rasa_compat.tracker_store import EventTableStore

logger = logging.getLogger(__name__)
TOKEN = "AFTERWORD_RASA_TOKEN"  # noqa: S105  (the name of the setting, not the secret)
LARGEST_BATCH = 500
Handler = Callable[[Any, dict[str, Any]], Awaitable[dict[str, Any]]]


class Malformed(Exception):
    """The request's body is not what this address takes."""


TURNS_AT_ONCE = 2
"""A turn is work, not waiting: begun together, many turns all end late; one after the other, most end early. While the
action server works for one turn, another goes on."""


class AfterwordInput(InputChannel):  # type: ignore[misc]
    """Rasa's side of `bot.dialogue`; credentials.yml names it."""

    @classmethod
    def name(cls) -> str:
        """The part of the address after `/webhooks/`."""
        return "afterword"

    @classmethod
    def from_credentials(cls, credentials: dict[str, Any] | None) -> AfterwordInput:
        """The secret comes from the environment only."""
        token = os.environ.get(TOKEN, "")
        if not token:
            raise RasaException(f"{TOKEN} is not set: Rasa and the rest of Afterword share this secret.")
        return cls(token)

    def __init__(self, token: str) -> None:
        self._token = token.encode()
        self._room = asyncio.Semaphore(TURNS_AT_ONCE)

    def blueprint(self, on_new_message: Callable[..., Awaitable[Any]]) -> Blueprint:
        """The routes, and the check at the start that conversations are kept where they should be."""
        blueprint = Blueprint("afterword")
        handlers = {
            "turn": self._in_turn(take_turn),
            "trigger": self._in_turn(trigger),
            "parse": parse,
            "resume": resume,
            "forget": forget,
        }
        for path, handler in handlers.items():
            blueprint.add_route(self._guarded(handler), f"/{path}", methods=["POST"], name=path)
        blueprint.add_route(readyz, "/readyz", methods=["GET"], name="readyz")
        blueprint.listener("after_server_start")(refuse_to_forget)
        return blueprint

    def _guarded(self, handler: Handler) -> Callable[[Request], Coroutine[Any, Any, HTTPResponse]]:
        async def guarded(request: Request) -> HTTPResponse:
            if not self._knows_the_secret(request):
                return problem(401, "The shared secret is missing or wrong.")
            agent = getattr(request.app.ctx, "agent", None)
            if agent is None or not agent.is_ready():
                return problem(503, "No model is loaded yet.")
            return await answer(handler, agent, request.body)

        return guarded

    def _in_turn(self, handler: Handler) -> Handler:
        async def wait_and_handle(agent: Any, body: dict[str, Any]) -> dict[str, Any]:
            async with self._room:
                return await handler(agent, body)

        return wait_and_handle

    def _knows_the_secret(self, request: Request) -> bool:
        scheme, _, secret = request.headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and hmac.compare_digest(secret.strip().encode(), self._token)


async def answer(handler: Handler, agent: Any, raw: bytes) -> HTTPResponse:
    """Run a handler on a JSON object; each kind of failure has its own status."""
    try:
        body = json.loads(raw)
        if not isinstance(body, dict):
            raise Malformed("The body must be a JSON object.")
        return json_response(await handler(agent, body))
    except Malformed as error:
        return problem(422, str(error))
    except ValueError:
        return problem(422, "The body is not JSON.")
    except ActionFailed as error:
        logger.error("A turn was given back: %s", error)
        return problem(502, "An action failed; nothing was saved, and the turn can be tried again.")
    except ConversationErased:
        return problem(410, "The conversation was erased; nothing was saved, and trying again does not help.")
    except (ConversationMoved, SQLAlchemyError, OSError) as error:
        logger.error("A turn was given back: %s", type(error).__name__)
        return problem(503, "The conversation could not be saved; the turn can be tried again.")


async def readyz(request: Request) -> HTTPResponse:
    """Whether turns can be taken: a model is loaded and the conversations can be read. Needs no secret, tells none."""
    agent: Any = getattr(request.app.ctx, "agent", None)
    checks = {"model": agent is not None and agent.is_ready()}
    checks["store"] = checks["model"] and await agent.tracker_store.answers()
    ready = all(checks.values())
    body = {"ready": ready, "checks": {name: "ok" if passed else "failing" for name, passed in checks.items()}}
    return json_response(body, status=200 if ready else 503, headers={"Cache-Control": "no-store"})


def problem(status: int, detail: str) -> HTTPResponse:
    """An error as RFC 9457 describes it."""
    return json_response(
        {"type": "about:blank", "status": status, "detail": detail},
        status=status,
        content_type="application/problem+json",
    )


async def take_turn(agent: Any, body: dict[str, Any]) -> dict[str, Any]:
    """The customer's message in, the bot's words out."""
    message = turns.CustomerMessage(
        conversation_id=_word(body, "conversation_id"),
        message_id=_word(body, "message_id"),
        text=_text(body),
        metadata=_mapping(body, "metadata"),
    )
    return await turns.take(agent, message)


async def trigger(agent: Any, body: dict[str, Any]) -> dict[str, Any]:
    """Something outside happened (a check-in is due): the bot speaks first."""
    intent = _word(body, "intent")
    if intent not in agent.domain.intents:
        raise Malformed(f"The domain has no intent '{intent}'.")
    slots = _mapping(body, "slots")
    channel = _mapping(body, "metadata").get("channel")
    occasion = _word(body, "occasion")
    return await turns.trigger(agent, _word(body, "conversation_id"), occasion, intent, slots, channel)


async def parse(agent: Any, body: dict[str, Any]) -> dict[str, Any]:
    """What the language side makes of some texts, without any conversation."""
    items = body.get("items")
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise Malformed("'items' must be a list of objects.")
    if len(items) > LARGEST_BATCH:
        raise Malformed(f"At most {LARGEST_BATCH} items at once.")
    texts = [(_text(item), _mapping(item, "metadata")) for item in items]
    return {"items": [await turns.parse(agent, text, metadata) for text, metadata in texts]}


async def resume(agent: Any, body: dict[str, Any]) -> dict[str, Any]:
    """The conversation is the bot's again."""
    await turns.resume(agent, _word(body, "conversation_id"))
    return {}


async def forget(agent: Any, body: dict[str, Any]) -> dict[str, Any]:
    """Erase a conversation from Rasa's memory."""
    return {"events": await turns.forget(agent, _word(body, "conversation_id"))}


async def refuse_to_forget(app: Sanic[Any, Any]) -> None:
    """Stop the start when Rasa fell back to stores that lose conversations or their order, or has no model."""
    agent = app.ctx.agent
    if not isinstance(agent.tracker_store, EventTableStore):
        raise StoreNotFound(f"The tracker store is {type(agent.tracker_store).__name__}: check endpoints.yml.")
    if not isinstance(agent.lock_store, ConversationLocks):
        raise StoreNotFound(f"The lock store is {type(agent.lock_store).__name__}: check endpoints.yml.")
    if not agent.is_ready():
        raise StoreNotFound("No model could be loaded: train one first.")
    await agent.tracker_store.ready()
    collector.settle()


def _word(body: dict[str, Any], field: str) -> str:
    value = body.get(field)
    if not isinstance(value, str) or not value or len(value) > 255:
        raise Malformed(f"'{field}' must be a text of 1 to 255 characters.")
    return value


def _text(body: dict[str, Any]) -> str:
    value = body.get("text")
    if not isinstance(value, str):
        raise Malformed("'text' must be a text.")
    return value


def _mapping(body: dict[str, Any], field: str) -> dict[str, Any]:
    value = body.get(field)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Malformed(f"'{field}' must be an object.")
    return value
