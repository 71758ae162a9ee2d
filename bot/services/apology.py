"""The apology rules of every language, from data/apology, and what they say of an agent's draft."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bot.core.apology import ApologyRules, Finding, Kind, KindRules, lint_any
from bot.core.errors import Unusable
from bot.core.phrases import BadPhrase, check

DESK_LANGUAGE = "en"
"""Agents may write in the desk's own language whatever the customer speaks."""

_FIELDS = ("find", "without", "only_after", "unless_after")


def load(folder: Path) -> dict[str, ApologyRules]:
    """The rules in `folder`, one file a language: `tr.toml`. Raises Unusable naming the file and the line."""
    files = sorted(folder.glob("*.toml"))
    if not files:
        raise Unusable(f"{folder} has no rules for apologies; there should be a file like en.toml.")
    return {file.stem: read_rules(file) for file in files}


def read_rules(file: Path) -> ApologyRules:
    """The rules of one file. Raises Unusable."""
    try:
        text = file.read_text(encoding="utf-8")
        data = tomllib.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        raise Unusable(f"{file} cannot be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"line (\d+)", str(error))
        raise Unusable(f"{file}:{line[1] if line else text.count(chr(10)) + 1}: this is no TOML: {error}") from error
    known = set(Kind)
    for name in data:
        if name not in known:
            at = _line(text, rf"^\[{re.escape(name)}\]|^{re.escape(name)}\s*=")
            raise Unusable(f"{file}:{at}: {name!r} is no kind of finding; there are {', '.join(Kind)}.")
    kinds = {Kind(name): _kind(file, text, name, section) for name, section in data.items()}
    return ApologyRules(file.stem, kinds)


def draft_findings(rules: Mapping[str, ApologyRules], text: str, language: str) -> tuple[Finding, ...]:
    """What reads badly in a draft for a customer of this language; `sr-Cyrl` is read by the rules of `sr`."""
    wanted = (language, language.partition("-")[0], DESK_LANGUAGE)
    return lint_any(text, [rules[one] for one in dict.fromkeys(wanted) if one in rules])


def _kind(file: Path, text: str, name: str, section: Any) -> KindRules:
    at = _line(text, rf"^\[{name}\]|^{name}\s*=")
    if not isinstance(section, dict) or not section.get("find"):
        raise Unusable(f"{file}:{at}: [{name}] needs a list `find` of phrases to look for.")
    for field, phrases in section.items():
        here = _line(text, rf"^{re.escape(field)}\s*=", after=at)
        if field not in _FIELDS:
            raise Unusable(f"{file}:{here}: [{name}] knows no {field!r}; there are {', '.join(_FIELDS)}.")
        if not isinstance(phrases, list) or not all(isinstance(phrase, str) for phrase in phrases):
            raise Unusable(f"{file}:{here}: [{name}] {field} must be a list of phrases in quotes.")
        _check_phrases(file, text, phrases, here)
    return KindRules(**{field: tuple(phrases) for field, phrases in section.items()})


def _check_phrases(file: Path, text: str, phrases: list[str], after: int) -> None:
    for phrase in phrases:
        try:
            check(phrase)
        except BadPhrase as error:
            at = _line(text, re.escape(phrase), after=after) if phrase else after
            raise Unusable(f"{file}:{at}: {error}.") from error


def _line(text: str, wanted: str, *, after: int = 1) -> int:
    """The number of the first line from `after` on in which this expression is found; `after` when it is nowhere."""
    lines = text.splitlines()
    found = (number for number, line in enumerate(lines, 1) if number >= after and re.search(wanted, line))
    return next(found, after)
