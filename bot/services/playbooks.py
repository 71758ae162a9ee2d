"""The playbooks of a business, from data/playbooks: one file a failure, checked before anything relies on it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any, NoReturn

from ruamel.yaml import YAML, YAMLError
from ruamel.yaml.comments import CommentedMap

from bot.core.authority import DEFAULT_LIMITS, Money
from bot.core.errors import Refused, Unusable
from bot.core.playbook import Gesture, Playbook, Playbooks
from bot.core.vocabulary import Failure, GrantKind, Role, Severity
from bot.services.entities import Case, Json

LONGEST_REPLY = 1600
LONGEST_WAIT = 24 * 60
LANGUAGES = frozenset({"en", "tr", "el", "fa", "sr", "sr-Latn", "sr-Cyrl", "es", "de"})
_FILE_KEYS = ("failure", "version", "playbooks")
_KEYS = ("words", "gesture", "first_response_minutes", "ask_hidden_cost", "hints")


def load(folder: Path) -> Playbooks:
    """Every playbook in `folder`. Raises Unusable naming the file, the line and what is wrong there."""
    found: dict[Failure, Path] = {}
    playbooks: list[Playbook] = []
    for file in sorted(folder.glob("*.yml")):
        of_file = read_playbooks(file)
        failure = of_file[0].failure
        if failure in found:
            raise Unusable(f"{file}:1: {found[failure].name} has the playbooks for '{failure}' already.")
        found[failure] = file
        playbooks += of_file
    return Playbooks(playbooks)


def read_playbooks(file: Path) -> list[Playbook]:
    """The playbooks of one file. Raises Unusable."""
    try:
        document = YAML(typ="rt", pure=True).load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise Unusable(f"{file} cannot be read: {error}") from error
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or "it cannot be understood"
        raise Unusable(f"{file}:{mark.line + 1 if mark else 1}: this is no YAML: {problem}.") from error
    return list(_Reader(file).playbooks(document))


def suggestion(playbooks: Playbooks, case: Case, *, language: str, currency: str, granted: bool) -> Json | None:
    """What the case's playbook proposes, in the customer's language; no gesture once one was granted."""
    playbook = playbooks.recorded(case.playbook)
    if playbook is None:
        return None
    gesture = playbook.gesture
    fits = gesture is not None and not granted and gesture.currency in (None, currency)
    return {
        "words": playbook.words_in(language),
        "gesture": _gesture_view(gesture, currency) if gesture is not None and fits else None,
        "hints": list(playbook.hints),
    }


def _gesture_view(gesture: Gesture, currency: str) -> Json:
    return {"kind": gesture.kind.value, "amount": {"value": f"{gesture.value:.2f}", "currency": currency}}


class _Reader:
    """Turns one document into playbooks and says of every mistake on which line it stands."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def playbooks(self, document: Any) -> Iterator[Playbook]:
        root = self._mapping(document, 1, "the file", _FILE_KEYS)
        failure = self._one(root, "failure", Failure)
        version = self._whole(root, "version", most=1_000_000)
        each = self._mapping(self._needed(root, "playbooks"), self._at(root, "playbooks"), "playbooks", None)
        if not each:
            self._refuse(self._at(root, "playbooks"), "give at least one severity: low, medium, high or critical")
        for name in each:
            if name not in set(Severity):
                self._refuse(self._at(each, name), f"{name!r} is no severity; there are {', '.join(Severity)}")
            yield self._playbook(failure, Severity(name), version, each[name], self._at(each, name))

    def _playbook(self, failure: Failure, severity: Severity, version: int, body: Any, at: int) -> Playbook:
        fields = self._mapping(body, at, f"{failure}/{severity}", _KEYS)
        minutes = self._whole(fields, "first_response_minutes", most=LONGEST_WAIT, needed=False)
        asks = fields.get("ask_hidden_cost")
        if asks is not None and not isinstance(asks, bool):
            self._refuse(self._at(fields, "ask_hidden_cost"), "ask_hidden_cost is yes or no: write true or false")
        return Playbook(
            failure,
            severity,
            version,
            words=self._words(fields),
            gesture=self._gesture(fields),
            first_response=timedelta(minutes=minutes) if minutes else None,
            asks_hidden_cost=asks,
            hints=self._hints(fields),
        )

    def _words(self, fields: CommentedMap) -> dict[str, str]:
        words = fields.get("words")
        if words is None:
            return {}
        each = self._mapping(words, self._at(fields, "words"), "words", tuple(sorted(LANGUAGES)))
        for language, text in each.items():
            at = self._at(each, language)
            if not isinstance(text, str) or not text.strip():
                self._refuse(at, f"the words in {language!r} must be a text")
            if "{" in text or "}" in text:
                self._refuse(at, "the words are sent as they stand, so they cannot have {slots}")
            if len(text) > LONGEST_REPLY:
                self._refuse(at, f"{len(text)} characters are too many for one message; {LONGEST_REPLY} are the most")
        return {language: str(text).strip() for language, text in each.items()}

    def _gesture(self, fields: CommentedMap) -> Gesture | None:
        if fields.get("gesture") is None:
            return None
        given = self._mapping(fields["gesture"], self._at(fields, "gesture"), "gesture", ("kind", "value", "currency"))
        kind = self._one(given, "kind", GrantKind)
        written, currency = self._needed(given, "value"), given.get("currency")
        limit = DEFAULT_LIMITS[Role.AGENT]
        try:
            money = Money.of(str(written), "EUR" if currency is None else str(currency))
        except Refused as refusal:
            at = "value" if refusal.field == "amount.value" else "currency"
            self._refuse(self._at(given, at), str(refusal))
        if money.value > limit:
            self._refuse(self._at(given, "value"), f"{written} is more than an agent may grant alone, which is {limit}")
        return Gesture(kind, Decimal(money.value), None if currency is None else money.currency)

    def _hints(self, fields: CommentedMap) -> tuple[str, ...]:
        hints = fields.get("hints")
        if hints is None:
            return ()
        if not isinstance(hints, list) or not all(isinstance(hint, str) and hint.strip() for hint in hints):
            self._refuse(self._at(fields, "hints"), "hints is a list of sentences")
        return tuple(str(hint).strip() for hint in hints)

    def _mapping(self, value: Any, at: int, what: str, keys: tuple[str, ...] | None) -> CommentedMap:
        if not isinstance(value, CommentedMap):
            self._refuse(at, f"{what} must have keys of its own" + (f": {', '.join(keys)}" if keys else ""))
        for key in value:
            if keys and key not in keys:
                self._refuse(self._at(value, key), f"{what} knows no {key!r}; there are {', '.join(keys)}")
        return value

    def _one[E: StrEnum](self, mapping: CommentedMap, key: str, among: type[E]) -> E:
        value, known = self._needed(mapping, key), [one.value for one in among if one.value]
        if value not in known:
            self._refuse(self._at(mapping, key), f"{key} must be one of {', '.join(known)}, not {value!r}")
        return among(value)

    def _whole(self, mapping: CommentedMap, key: str, *, most: int, needed: bool = True) -> int:
        value = self._needed(mapping, key) if needed else mapping.get(key)
        if value is None:
            return 0
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
            self._refuse(self._at(mapping, key), f"{key} must be a whole number from 1 to {most}, not {value!r}")
        return int(value)

    def _needed(self, mapping: CommentedMap, key: str) -> Any:
        if mapping.get(key) is None:
            self._refuse(self._at(mapping, key), f"{key!r} is missing")
        return mapping[key]

    def _at(self, mapping: CommentedMap, key: Any) -> int:
        """The line of a key; of what should have it when it is not there."""
        return int(mapping.lc.key(key)[0] if key in mapping else mapping.lc.line) + 1

    def _refuse(self, line: int, reason: str) -> NoReturn:
        raise Unusable(f"{self._file}:{line}: {reason}.")
