"""The bot's words without Rasa, for what must be said even when Rasa is down: opted out, help, "we have your message".

The words stay in domain.yml, and a variation is chosen by Rasa's own rules: its conditions must all hold; one written
for the channel comes before one for any channel; text without conditions is the fallback. Where several fit, the first
one is said, so the same situation always brings the same words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML, YAMLError

from bot.core.errors import AfterwordError, Unusable

_SLOT = re.compile(r"\{([^\n{}]+)\}")
Variation = Mapping[str, Any]


class WordsMissing(AfterwordError):
    """domain.yml has no fitting words, or the words need something that nobody gave."""


class Words:
    """The responses of a domain."""

    def __init__(self, responses: Mapping[str, Sequence[Variation]], default_language: str = "en") -> None:
        self._responses = responses
        self._default_language = default_language

    @classmethod
    def load(cls, path: Path, default_language: str = "en") -> Words:
        """Read domain.yml, or every .yml file of a domain folder. Raises Unusable with the file's name."""
        files = sorted(path.rglob("*.yml")) if path.is_dir() else [path]
        responses: dict[str, Sequence[Variation]] = {}
        for file in files:
            responses |= _responses_of(file)
        if not responses:
            raise Unusable(f"{path} has no responses.")
        return cls(responses, default_language)

    def names(self) -> frozenset[str]:
        """The names of all responses."""
        return frozenset(self._responses)

    def languages(self) -> frozenset[str]:
        """The languages there are words in: the default, and every one that a variation is conditioned on."""
        conditions = (
            condition
            for variations in self._responses.values()
            for variation in variations
            for condition in variation.get("condition") or ()
        )
        return frozenset({self._default_language, *(c["value"] for c in conditions if c["name"] == "language")})

    def render(
        self, name: str, language: str | None, channel: str | None = None, slots: Mapping[str, Any] | None = None
    ) -> str:
        """The words for a situation; a language without words of its own falls back, `sr-Latn` to `sr` to the default.

        Raises WordsMissing for a name that domain.yml does not have and for a slot in the words that has no value.
        """
        known = {**(slots or {}), **({"channel": channel} if channel else {})}
        for variation in self._by_preference(name, language, channel, known):
            return _fill(name, str(variation["text"]), {"language": language, **known})
        raise WordsMissing(f"domain.yml has no words for '{name}' in '{language}' on '{channel}'.")

    def _by_preference(
        self, name: str, language: str | None, channel: str | None, slots: Mapping[str, Any]
    ) -> Iterator[Variation]:
        if name not in self._responses:
            raise WordsMissing(f"domain.yml has no response '{name}'.")
        variations = [v for v in self._responses[name] if v.get("text")]
        plain = [v for v in variations if v.get("condition") is None]
        fitting = [
            variation
            for step in language_chain(language, self._default_language)
            for variation in variations
            if variation.get("condition") and _holds(variation["condition"], {**slots, "language": step})
        ]
        if channel is not None:
            yield from (v for v in fitting if v.get("channel") == channel)
            yield from (v for v in plain if v.get("channel") == channel)
        yield from (v for v in fitting if v.get("channel") is None)
        yield from (v for v in plain if v.get("channel") is None)


def language_chain(language: str | None, default: str) -> list[str]:
    """The languages to try, the nearest first: `sr-Latn`, `sr`, and the default."""
    chain = [language, language.partition("-")[0], default] if language else [default]
    return list(dict.fromkeys(chain))


def _holds(conditions: Sequence[Mapping[str, Any]], slots: Mapping[str, Any]) -> bool:
    return all(_equal(slots.get(condition["name"]), condition["value"]) for condition in conditions)


def _equal(actual: Any, wanted: Any) -> bool:
    if isinstance(actual, str) and isinstance(wanted, str):
        return actual.casefold() == wanted.casefold()
    return bool(actual == wanted)


def _fill(name: str, text: str, slots: Mapping[str, Any]) -> str:
    """Replace each {slot} once; what a value contains is never taken for a slot."""

    def value(match: re.Match[str]) -> str:
        found = slots.get(match[1])
        if found is None:
            raise WordsMissing(f"'{name}' needs a value for {{{match[1]}}}.")
        return str(found)

    return _SLOT.sub(value, text)


def _responses_of(file: Path) -> dict[str, Sequence[Variation]]:
    try:
        document = YAML(typ="safe", pure=True).load(file.read_text(encoding="utf-8")) or {}
        responses = document.get("responses") or {}
        for name, variations in responses.items():
            if not isinstance(variations, list) or not all(isinstance(v, dict) for v in variations):
                raise Unusable(f"{file}: the response '{name}' must be a list of variations.")
    except (OSError, YAMLError, AttributeError) as error:
        raise Unusable(f"{file} cannot be read as a domain: {error}") from error
    return dict(responses)
