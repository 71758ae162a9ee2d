"""Is this webhook really Twilio's? Asked for every inbound message and every status callback, before anything else.

Twilio signs the exact address it called with the form it posted. Behind a proxy the address we see is another one, so
it is rebuilt from the public address in our settings and the raw path and query of the request.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from twilio.request_validator import (  # type: ignore[import-untyped]
    HMAC_SHA256,
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
    `headers` must be blind to case. `shared_keys` maps the names of the account's shared keys to their secrets: where
    there are any, only SHA-256 with one of them counts, as the header says which; whoever asks for less is refused.
    """
    signature = headers.get(SIGNATURE_HEADER)
    settings = headers.get(SIGNATURE_SETTINGS_HEADER)
    algorithm = get_signature_algorithm(settings)
    if shared_keys and algorithm != HMAC_SHA256:
        return False
    secret = shared_keys.get(_key_name(settings)) if shared_keys else auth_token
    if not signature or not secret:
        return False
    return bool(RequestValidator(secret).validate(url, params, signature, algorithm))


def _key_name(settings: str | None) -> str:
    named = (part.strip().removeprefix("key=") for part in (settings or "").split(",") if part.strip()[:4] == "key=")
    return next(named, "")
