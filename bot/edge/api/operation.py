"""How an operation is declared, and what happens around every one: the key, the Idempotency-Key, the body."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from aiohttp import web
from pydantic import BaseModel

from bot.core.errors import Conflict, Refused
from bot.edge.keys import SHOP
from bot.edge.security import Forbidden, Unauthorised, bearer
from bot.services.agents import api_key
from bot.services.entities import ApiKey, KeptAnswer
from bot.services.workshop import Workshop

Handler = Callable[[web.Request], Awaitable[web.Response]]

KEEPS_ANSWERS = timedelta(hours=24)
"""For how long the answer to a request with an Idempotency-Key is kept."""
_BEING_ANSWERED = 0
_ABANDONED_AFTER = timedelta(minutes=1)
_LONGEST_KEY = 200


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter in the path or the query."""

    name: str
    place: Literal["path", "query"]
    description: str
    schema: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """One successful answer."""

    status: int
    description: str
    model: type[BaseModel]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the API. `takes` are the models its body may have; `refuses` the statuses of its errors."""

    method: Literal["GET", "POST"]
    path: str
    handler: Handler
    summary: str
    description: str
    tag: str
    answers: tuple[Answer, ...]
    scope: Literal["api", "desk"] = "api"
    takes: tuple[type[BaseModel], ...] = ()
    parameters: tuple[Parameter, ...] = ()
    refuses: tuple[int, ...] = ()
    keeps_answer: bool = True

    @property
    def name(self) -> str:
        """The operationId."""
        return self.handler.__name__.strip("_")

    @property
    def idempotent(self) -> bool:
        """Whether an Idempotency-Key is honoured: a POST that stores nothing needs none."""
        return self.method == "POST" and self.keeps_answer

    def guarded(self) -> Handler:
        """The handler behind the check of the key and, for a POST, of the Idempotency-Key."""

        async def guarded(request: web.Request) -> web.StreamResponse:
            key = await _checked_key(request, self.scope)
            if self.idempotent and "Idempotency-Key" in request.headers:
                return await _once(request, key, self.handler)
            return await self.handler(request)

        return guarded  # type: ignore[return-value]


async def _checked_key(request: web.Request, scope: str) -> ApiKey:
    key = await api_key(request.config_dict[SHOP], bearer(request))
    if key is None:
        raise Unauthorised("there is no such API key")
    if scope == "desk" and key.scope != "desk":
        raise Forbidden("this key may not act for agents; make one with `--scope desk`")
    return key


async def body_of[M: BaseModel](request: web.Request, model: type[M]) -> M:
    """The request's body as `model`. Raises ValidationError."""
    return model.model_validate_json(await request.read())


def answer(body: Any, status: int = 200) -> web.Response:
    """A JSON answer that nobody keeps."""
    return web.json_response(body, status=status, headers={"Cache-Control": "no-store"})


async def _once(request: web.Request, key: ApiKey, handler: Handler) -> web.Response:
    """Work off a request, or repeat what the same request was answered before.

    The place is taken first, in a transaction of its own: of two equal requests at once only one is worked off.
    """
    shop, given = request.config_dict[SHOP], request.headers["Idempotency-Key"]
    if not 1 <= len(given) <= _LONGEST_KEY:
        raise Refused(f"1 to {_LONGEST_KEY} characters", field="Idempotency-Key")
    place = hashlib.sha256(f"{key.id}:{given}".encode()).hexdigest()
    content = f"{request.method} {request.path}\n".encode() + await request.read()
    kept = await _take(shop, place, hashlib.sha256(content).hexdigest())
    if kept is not None:
        headers = {"Idempotency-Replayed": "true", "Cache-Control": "no-store"}
        return web.Response(status=kept.status, text=kept.body, content_type="application/json", headers=headers)
    try:
        response = await handler(request)
    except BaseException:
        # A refusal changed nothing: the request may be corrected and sent again with the same key.
        await _release(shop, place)
        raise
    await _keep(shop, place, response)
    return response


async def _take(shop: Workshop, place: str, fingerprint: str) -> KeptAnswer | None:
    """Reserve the place; the answer kept there if the same request was answered before. Raises Conflict or Refused."""
    now = shop.clock()
    async with shop.store() as tx:
        kept = await tx.find(KeptAnswer, place)
        if kept is None:
            tx.add(KeptAnswer(id=place, fingerprint=fingerprint, status=_BEING_ANSWERED, body="", at=now))
        elif kept.at < now - KEEPS_ANSWERS:
            kept.fingerprint, kept.status, kept.body, kept.at = fingerprint, _BEING_ANSWERED, "", now
        elif kept.fingerprint != fingerprint:
            raise Refused("this key was used for another request; use a new one", field="Idempotency-Key")
        elif kept.status != _BEING_ANSWERED:
            return kept
        elif kept.at > now - _ABANDONED_AFTER:
            raise Conflict("the first request with this Idempotency-Key is still being answered")
        else:
            kept.at = now
        await tx.commit()
    return None


async def _keep(shop: Workshop, place: str, response: web.Response) -> None:
    async with shop.store() as tx:
        kept = await tx.get(KeptAnswer, place)
        kept.status, kept.body = response.status, response.text or ""
        await tx.commit()


async def _release(shop: Workshop, place: str) -> None:
    async with shop.store() as tx:
        kept = await tx.find(KeptAnswer, place)
        if kept is not None:
            await tx.delete(kept)
            await tx.commit()
