"""Secrets an embedded installation makes for itself, kept where only its owner can read them."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Any

_NAMES = ("rasa_token", "twilio_auth_token", "identity_secret")


def ensure_secrets(data_dir: Path) -> dict[str, str]:
    """The secrets by setting name; made anew at the first call and the same ever after."""
    path = data_dir / "secrets.json"
    kept: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    missing = {name: secrets.token_hex(32) for name in _NAMES if name not in kept}
    if missing:
        kept |= missing
        write_private(path, kept)
    return kept


def write_private(path: Path, content: Any) -> None:
    """Write JSON that only this account can read (mode 600), whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=2, ensure_ascii=False)
    draft.replace(path)
