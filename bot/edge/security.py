"""Headers on every answer, who may call from which page, and what a caller must show."""

from __future__ import annotations

from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from bot.core.errors import AfterwordError
from bot.settings import Settings

POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "object-src 'none'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'self'",
    )
)
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_A_YEAR = 365 * 24 * 3600
_CORS_METHODS = "GET, POST, OPTIONS"
_CORS_HEADERS = "Authorization, Content-Type, Last-Event-ID, Cache-Control"


class Forbidden(AfterwordError):
    """This may not be done from here or with this key."""


class Unauthorised(AfterwordError):
    """Say who you are."""


def _for_other_sites(path: str) -> bool:
    return path == "/widget.js" or path.startswith("/webchat/")


class Origins:
    """Whose pages may talk to the web chat: those in the settings, and our own."""

    def __init__(self, settings: Settings) -> None:
        self._allowed = {_origin(address) for address in (*settings.web_origins, settings.base_url())}
        self._development = not settings.production

    def allows(self, request: web.Request) -> bool:
        """Whether the page behind a request may. Without an Origin it is no page of another site: browsers add one."""
        origin = request.headers.get("Origin")
        if origin is None or _origin(origin) in self._allowed:
            return True
        # On a developer's machine we are reached under several names: localhost, 127.0.0.1, a forwarded port.
        return self._development and urlsplit(origin).netloc == request.host


def _origin(address: str) -> str:
    parts = urlsplit(address.strip())
    return f"{parts.scheme}://{parts.netloc}".lower()


def install(app: web.Application, settings: Settings) -> Middleware:
    """Put the headers on every answer of `app`, streams included; the middleware to add answers CORS preflights."""
    origins = Origins(settings)
    secure = settings.base_url().startswith("https://")

    async def set_headers(request: web.Request, response: web.StreamResponse) -> None:
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        if secure:
            response.headers.setdefault("Strict-Transport-Security", f"max-age={_A_YEAR}; includeSubDomains")
        if _for_other_sites(request.path):
            _share(request, response, origins)

    app.on_response_prepare.append(set_headers)
    return _cross_origin(origins)


def _share(request: web.Request, response: web.StreamResponse, origins: Origins) -> None:
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    response.headers["Vary"] = "Origin"
    origin = request.headers.get("Origin")
    if origin is not None and origins.allows(request):
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Expose-Headers"] = "Retry-After"


def _cross_origin(origins: Origins) -> Middleware:
    @web.middleware
    async def cross_origin(request: web.Request, handler: Handler) -> web.StreamResponse:
        """Another site's page that is not allowed is refused before anything happens; preflights are answered."""
        if not request.path.startswith("/webchat/"):
            return await handler(request)
        if not origins.allows(request):
            raise Forbidden("this website may not embed the chat; add its origin to AFTERWORD_WEB_ORIGINS")
        if request.method != "OPTIONS":
            return await handler(request)
        allow = {"Access-Control-Allow-Methods": _CORS_METHODS, "Access-Control-Allow-Headers": _CORS_HEADERS}
        return web.Response(status=204, headers={**allow, "Access-Control-Max-Age": "600"})

    return cross_origin


def bearer(request: web.Request) -> str:
    """The token in the Authorization header. Raises Unauthorised."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthorised("send `Authorization: Bearer …`")
    return token.strip()
