"""What spoils an apology: excuses, blame, "but", policy, and the other ways of not being sorry (P13, P14, P15).

The words are data, one file a language; what they mean and what to say instead is here. A finding is a hint to whoever
writes, never a wall: a linter knows words, and a person knows the customer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from bot.core.folding import fold
from bot.core.phrases import check, pattern


class Kind(StrEnum):
    """How an apology is spoilt."""

    EXCUSE = "excuse"
    BLAME = "blame"
    BUT = "but"
    POLICY = "policy"
    SENT_ELSEWHERE = "sent_elsewhere"
    FALSE_EMPATHY = "false_empathy"
    NOT_OURS_TO_PROMISE = "not_ours_to_promise"
    DISCOUNT_BEFORE_FIX = "discount_before_fix"
    CONDITIONAL_APOLOGY = "conditional_apology"
    HOLLOW = "hollow"


READS_AS: Mapping[Kind, str] = {
    Kind.EXCUSE: "Reads as an excuse",
    Kind.BLAME: "Reads as blame",
    Kind.BUT: "Takes the apology back",
    Kind.POLICY: "Recites the rules",
    Kind.SENT_ELSEWHERE: "Sends the customer elsewhere",
    Kind.FALSE_EMPATHY: "Claims their feelings",
    Kind.NOT_OURS_TO_PROMISE: "Promises what is not ours",
    Kind.DISCOUNT_BEFORE_FIX: "Offers money before the fix",
    Kind.CONDITIONAL_APOLOGY: "Doubts that it happened",
    Kind.HOLLOW: "Could be said to anybody",
}
"""A finding in a few words, for the person who wrote it."""

ADVICE: Mapping[Kind, str] = {
    Kind.EXCUSE: "Say what happens next instead.",
    Kind.BLAME: "Say what we do about it, whoever caused it.",
    Kind.BUT: "End the sentence after the apology, and go on with what you will do.",
    Kind.POLICY: "Say what you can do, without the rule.",
    Kind.SENT_ELSEWHERE: "Do that for them, and say by when.",
    Kind.FALSE_EMPATHY: "Name what it did to their day instead.",
    Kind.NOT_OURS_TO_PROMISE: "Promise what you will do yourself, and by when.",
    Kind.DISCOUNT_BEFORE_FIX: "Say first how it is put right.",
    Kind.CONDITIONAL_APOLOGY: "It happened to them: apologise for it, without an if.",
    Kind.HOLLOW: "Name their own case, in their own words.",
}
"""What to write instead."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One place in a text. `start` and `end` are character offsets and `evidence` what stands between them."""

    kind: Kind
    evidence: str
    start: int
    end: int
    advice: str


@dataclass(frozen=True, slots=True)
class KindRules:
    """The words of one kind, as phrases (see `bot.core.phrases`).

    `without`: where one of these stands over it, it is no finding. `only_after`: it counts only behind one of these, in
    the same sentence or at the start of the next. `unless_after`: it does not count when one of these stands earlier.
    """

    find: tuple[str, ...]
    without: tuple[str, ...] = ()
    only_after: tuple[str, ...] = ()
    unless_after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ApologyRules:
    """What to look for in one language. Raises BadPhrase when a phrase cannot be understood."""

    language: str
    kinds: Mapping[Kind, KindRules]

    def __post_init__(self) -> None:
        for rules in self.kinds.values():
            for phrase in (*rules.find, *rules.without, *rules.only_after, *rules.unless_after):
                check(phrase)


_SENTENCE_END = re.compile(r"[.!?;؟…\n]+")
_QUOTED = re.compile('"[^"]{1,200}"|“[^”]{1,200}”|„[^“”"]{1,200}[“”"]|«[^»]{1,200}»')
_BLANK = "\ufffc"


def lint(text: str, rules: ApologyRules) -> tuple[Finding, ...]:
    """What in `text` reads badly, in order. What stands in quotation marks is the customer's own and is left alone."""
    folded = fold(_QUOTED.sub(lambda quoted: _BLANK * len(quoted[0]), text), rules.language)
    found = [
        (*folded.raw_span(*span), kind)
        for kind, words in rules.kinds.items()
        for span in _spans(folded.text, words, rules.language)
    ]
    kept: list[tuple[int, int, Kind]] = []
    for start, end, kind in sorted(found, key=lambda one: (one[0], -one[1])):
        if all(end > other_end for _, other_end, _ in kept):
            kept.append((start, end, kind))
    return tuple(Finding(kind, text[start:end], start, end, ADVICE[kind]) for start, end, kind in kept)


def lint_any(text: str, several: Iterable[ApologyRules]) -> tuple[Finding, ...]:
    """The findings of several languages together, each place once."""
    places = {(f.start, f.end): f for rules in several for f in lint(text, rules)}
    return tuple(places[place] for place in sorted(places))


def _spans(text: str, rules: KindRules, language: str) -> list[tuple[int, int]]:
    hits = [hit.span() for hit in pattern(rules.find, language).finditer(text)]
    if not hits:
        return []
    excused = [one.span() for one in pattern(rules.without, language).finditer(text)]
    return [
        (start, end)
        for start, end in hits
        if not any(first < end and start < last for first, last in excused)
        and (not rules.only_after or pattern(rules.only_after, language).search(_lead(text, start)))
        and not pattern(rules.unless_after, language).search(text[:start])
    ]


def _lead(text: str, at: int) -> str:
    """What leads up to a place: its sentence so far, with the one before when it stands first in its own."""
    starts = [0, *(end.end() for end in _SENTENCE_END.finditer(text, 0, at))]
    lead = text[starts[-1] : at]
    return lead if lead.strip() or len(starts) < 2 else text[starts[-2] : at]
