"""Is this webhook really Twilio's? Asked for every inbound message and every status callback, before anything else.

Twilio signs the exact address it called with the form it posted. Behind a proxy the address we see is another one, so
it is rebuilt from the public address in our settings and the raw path and query of the request.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from twilio.request_validator import (  # type: ignore[import-untyped]
    SIGNATURE_HEADER,
    SIGNATURE_SETTINGS_HEADER,
    RequestValidator,
    get_signature_algorithm,
)


def public_url_of(public_url: str, path_and_query: str) -> str:
    """The address Twilio called: our public origin, and the raw (still encoded) path and query of the request."""
    origin = urlsplit(public_url)
    return f"{origin.scheme}://{origin.netloc}{path_and_query}"


def verify(
    url: str,
    params: Mapping[str, str],
    headers: Mapping[str, str],
    auth_token: str,
    shared_keys: Mapping[str, str] | None = None,
) -> bool:
    """Whether `headers` carry a signature of `url` and `params` by our account. No signature is a wrong signature.

    `url` is the exact public address, without a fragment; `params` the posted form (a multidict is welcome), untrimmed;
    `headers` must be blind to case. Accounts that sign with shared keys (SHA-256) name the key in a header of its own:
    `shared_keys` maps the names of keys to their secrets.
    """
    signature = headers.get(SIGNATURE_HEADER)
    if not signature or not auth_token:
        return False
    settings = headers.get(SIGNATURE_SETTINGS_HEADER)
    secret = (shared_keys or {}).get(_key_name(settings), auth_token)
    validator = RequestValidator(secret)
    return bool(validator.validate(url, params, signature, get_signature_algorithm(settings)))


def _key_name(settings: str | None) -> str:
    named = (part.strip().removeprefix("key=") for part in (settings or "").split(",") if part.strip()[:4] == "key=")
    return next(named, "")
