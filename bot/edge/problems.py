"""Every error becomes one clear answer: problem details (RFC 9457) for programs, a readable page for people."""

from __future__ import annotations

import json
import math
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import structlog
from aiohttp import ClientConnectionResetError, web
from aiohttp.typedefs import Handler, Middleware
from pydantic import ValidationError

from bot.core.dialogue import DialogueRejected, DialogueUnavailable
from bot.core.errors import AfterwordError, ChannelError, Conflict, NotFound, Refused
from bot.edge.security import Forbidden, Unauthorised

log = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"
LARGEST_BODY = 1024 * 1024
"""Bytes of a request that are read at most."""
_FOR_PROGRAMS = ("/api/", "/webchat/", "/webhooks/", "/simulator/", "/demo/", "/livez", "/readyz", "/metrics")


@dataclass(frozen=True, slots=True)
class Problem:
    """One error as it is answered. `errors` names each offending field as a dotted path."""

    status: int
    detail: str
    errors: list[dict[str, str]] = field(default_factory=list)
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The status in words."""
        return HTTPStatus(self.status).phrase

    def response(self) -> web.Response:
        """As problem details."""
        body: dict[str, Any] = {
            "type": "about:blank",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
        }
        if self.errors:
            body["errors"] = self.errors
        text = json.dumps(body, ensure_ascii=False)
        return web.Response(status=self.status, text=text, content_type=MEDIA_TYPE, headers=self.headers)


def problem_of(error: Exception) -> Problem | None:
    """What to answer to an error, or None for one nobody expected."""
    match error:
        case ValidationError():
            return _invalid(error)
        case Refused():
            return _about_field(error.field, str(error))
        case NotFound():
            return Problem(404, str(error))
        case Conflict():
            return Problem(409, str(error))
        case Unauthorised():
            return Problem(401, str(error), headers={"WWW-Authenticate": "Bearer"})
        case Forbidden():
            return Problem(403, str(error))
        case DialogueUnavailable():
            words = "the dialogue does not answer at the moment; nothing is lost, try again shortly"
            return Problem(503, words, headers={"Retry-After": "5"})
        case DialogueRejected():
            return Problem(502, "the dialogue could not read this request")
        case ChannelError():
            return _channel(error)
        case AfterwordError():
            return Problem(422, str(error))
        case web.HTTPException():
            return _http(error)
    return None


def _about_field(name: str | None, words: str) -> Problem:
    if not name:
        return Problem(422, words)
    return Problem(422, f"{name}: {words}", [{"field": name, "message": words}])


def _invalid(error: ValidationError) -> Problem:
    found = error.errors(include_url=False, include_input=False)
    if found and found[0]["type"] == "json_invalid":
        return Problem(400, f"the body is not JSON: {found[0]['msg'].removeprefix('Invalid JSON: ')}")
    errors = [
        {"field": ".".join(map(str, one["loc"])) or "body", "message": one["msg"].removeprefix("Value error, ")}
        for one in found[:50]
    ]
    return Problem(422, "; ".join(f"{one['field']}: {one['message']}" for one in errors[:5]), errors)


def _channel(error: ChannelError) -> Problem:
    retry = error.retry_after
    headers = {"Retry-After": str(math.ceil(retry))} if retry is not None else {}
    return Problem(
        502 if error.permanent or error.ambiguous else 503, "the channel did not take the message", [], headers
    )


def _http(error: web.HTTPException) -> Problem:
    kept = {name: error.headers[name] for name in ("Allow", "Retry-After") if name in error.headers}
    words = {
        404: "there is nothing at this address",
        405: f"this address takes {kept.get('Allow', 'other methods')} only",
        413: f"the request is larger than {LARGEST_BODY} bytes",
    }
    return Problem(error.status, words.get(error.status, error.reason), headers=kept)


ErrorPage = Callable[[web.Request, Problem], web.Response]


def problems(page: ErrorPage) -> Middleware:
    """A middleware that answers every error; `page` draws the one for people."""

    @web.middleware
    async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            _check_length(request)
            return await handler(request)
        except web.HTTPException as error:
            if error.status < 400 or error.content_type == MEDIA_TYPE:
                raise
            return _answer(request, error, page)
        except ClientConnectionResetError:
            raise
        except Exception as error:  # the last resort: whatever it is, the caller gets an answer
            return _answer(request, error, page)

    return answer_errors


def _check_length(request: web.Request) -> None:
    """Raises HTTPRequestEntityTooLarge when the request says itself that it is too large."""
    if request.content_length is not None and request.content_length > LARGEST_BODY:
        raise web.HTTPRequestEntityTooLarge(LARGEST_BODY, request.content_length)


def _answer(request: web.Request, error: Exception, page: ErrorPage) -> web.Response:
    problem = problem_of(error)
    if problem is None:
        _report(request, error)
        problem = Problem(500, "something went wrong here; it has been noted")
    if wants_page(request):
        return page(request, problem)
    return problem.response()


def _report(request: web.Request, error: Exception) -> None:
    """Type and place only: the message of an error may quote a customer."""
    resource = request.match_info.route.resource
    frames = [
        f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)[-6:]
    ]
    route = resource.canonical if resource is not None else "unknown"
    log.error("edge.unexpected", error=type(error).__name__, method=request.method, route=route, frames=frames)


def wants_page(request: web.Request) -> bool:
    """Whether a person is looking."""
    return not request.path.startswith(_FOR_PROGRAMS) and "text/html" in request.headers.get("Accept", "text/html")
