"""Secrets an embedded installation makes for itself, kept where only its owner can read them."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from bot.settings import Settings

_FILE = "secrets.json"
_NAMES = ("rasa_token", "twilio_auth_token", "identity_secret", "suppression_key")


def ensure_secrets(data_dir: Path) -> dict[str, str]:
    """The secrets by setting name; made anew at the first call and the same ever after."""
    path = data_dir / _FILE
    kept: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    missing = {name: secrets.token_hex(32) for name in _NAMES if name not in kept}
    if missing:
        kept |= missing
        write_private(path, kept)
    return kept


def with_kept_secrets(settings: Settings) -> Settings:
    """The settings, with the secrets that an embedded installation keeps where none were given."""
    if not (settings.data_dir / _FILE).exists():
        return settings
    kept = ensure_secrets(settings.data_dir)
    wanted = {name: SecretStr(kept[name]) for name in _NAMES if not getattr(settings, name).get_secret_value()}
    if settings.twilio_account_sid:
        # The one made here is the look-alike's; a real account has its own.
        wanted.pop("twilio_auth_token", None)
    return settings.model_copy(update=wanted)


def secrets_in_force(settings: Settings) -> dict[str, str]:
    """The secrets that are set, by setting name."""
    known = {name: str(getattr(settings, name).get_secret_value()) for name in _NAMES}
    return {name: secret for name, secret in known.items() if secret}


def with_secrets_of(settings: Settings, another: dict[str, str]) -> Settings:
    """The settings, with another installation's secrets where none were given."""
    missing = {name: SecretStr(secret) for name, secret in another.items() if name not in secrets_in_force(settings)}
    return settings.model_copy(update=missing)


def adopt_secrets(data_dir: Path, secrets_of_another: dict[str, str]) -> None:
    """Keep the secrets that came with an archive, unless there are some already."""
    if not (data_dir / _FILE).exists():
        write_private(data_dir / _FILE, secrets_of_another)


def write_private(path: Path, content: Any) -> None:
    """Write JSON that only this account can read (mode 600), whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=2, ensure_ascii=False)
    draft.replace(path)
