"""What the dialogue side of the bot says and understands, and how it fails."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bot.core.errors import AfterwordError


class DialogueUnavailable(AfterwordError):
    """The dialogue did not answer; the message is kept and will be tried again."""


class DialogueRejected(AfterwordError):
    """The dialogue refused the request as malformed; trying again will not help."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """One message of the bot; `name` is the response it came from, where that is known."""

    text: str
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Intent:
    """What a text was taken to mean, with a confidence of 0..1."""

    name: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Turn:
    """What the bot answered to one message."""

    utterances: tuple[Utterance, ...]
    intent: Intent | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Parsed:
    """What the bot understood in one text."""

    intent: Intent
    language: str | None
    dissatisfaction: Mapping[str, Any] = field(default_factory=dict)
    entities: tuple[Mapping[str, Any], ...] = ()
