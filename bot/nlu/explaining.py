"""Why a reply was read as it was: the customer's own words, each with what it adds to the log-odds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from bot.nlu.lexicon import LONGEST_QUOTE, Found, Lexicon, Span
from bot.nlu.linear import Model, features, names
from bot.nlu.meaning import MEANING, Meaning, Vector, probability
from bot.nlu.questions import UNASKED
from bot.nlu.text import Folded, fold

MOST_SIGNALS = 8
_WORTH_A_LOOK = -0.85
"""From these log-odds on (p of 0.3) somebody will want to know which clause it was; below, the whole reply is named."""

UNKNOWN_LANGUAGE, TOO_LITTLE = "unknown_language", "too_little"
"""Why we abstain: in a language that was not learnt, or without so much as a word or a known sign."""


@dataclass(frozen=True, slots=True)
class Cue:
    """A hint found in a text: `evidence` is the customer's own characters from `start` to `end`.

    `weight` is what these words add to the log-odds of dissatisfaction: positive is unhappier.
    """

    name: str
    weight: float
    evidence: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class ByWords:
    """The first reading of a reply: everything it looked at, and the log-odds it came to."""

    model: Model
    lexicon: Lexicon
    folded: Folded
    found: Found
    question: str
    logit: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "logit", self.of(self.folded.text, names(self.found)))

    @property
    def p(self) -> float:
        """The probability it came to."""
        return probability(self.logit)

    def of(self, folded_text: str, cue_names: Iterable[str]) -> float:
        """What the model says of another text under the same question."""
        return self.model.logit(features(folded_text, self.question), cue_names)


def explain_words(words: ByWords) -> tuple[Cue, ...]:
    """Each cue weighs what the log-odds lose without all of its words; the first of them is its evidence."""
    cues: list[Cue] = []
    for name in dict.fromkeys(span.name for span in words.found.cues):
        spans = [span for span in words.found.cues if span.name == name]
        if name == "brevity":
            weight = words.model.cues.get(name, 0.0)
        else:
            rest = fold(_without(words.folded.text, spans))
            weight = words.logit - words.of(rest.text, names(words.lexicon.find(rest)))
        cues.append(_cue(name, weight, words.folded, words.folded.raw_span(spans[0].start, spans[0].end)))
    return _heaviest(cues)


def explain_meaning(
    words: ByWords, cues: Iterable[Cue], meaning: Meaning, vector: Vector, total: float
) -> tuple[Cue, ...]:
    """The cues as the second reading weighs them, and the meaning itself with the clause that carries it most."""
    say = meaning.words_unasked if words.question == UNASKED else meaning.words
    reweighed = [
        replace(cue, weight=round(say * cue.weight + meaning.say_of(cue.name, words.question), 3)) for cue in cues
    ]
    start, end = _unhappiest(words) if total >= _WORTH_A_LOOK else (0, len(words.folded.raw))
    felt = meaning.felt(vector, words.question)
    return _heaviest([*reweighed, _cue(MEANING, felt, words.folded, (start, min(end, start + LONGEST_QUOTE)))])


def explain_doubt(words: ByWords, cues: Iterable[Cue], reason: str, moved: float) -> tuple[Cue, ...]:
    """The cues, and why the log-odds were moved by so much towards "we do not know"."""
    whole = (0, min(len(words.folded.raw), LONGEST_QUOTE))
    return _heaviest([*cues, _cue(reason, moved, words.folded, whole)])


def _unhappiest(words: ByWords) -> tuple[int, int]:
    """Where the unhappiest clause stands, by its words: to embed each clause by itself would cost too much."""
    folded = words.folded
    clauses = words.lexicon.clauses(folded.text)
    if len(clauses) < 2:
        return 0, len(folded.raw)
    spans = [folded.raw_span(clause.start, clause.end) for clause in clauses]
    weights = [words.of(folded.text[clause.start : clause.end], ()) for clause in clauses]
    return spans[weights.index(max(weights))]


def _cue(name: str, weight: float, folded: Folded, span: tuple[int, int]) -> Cue:
    return Cue(name, round(weight, 3), folded.raw[slice(*span)], *span)


def _heaviest(cues: Iterable[Cue]) -> tuple[Cue, ...]:
    return tuple(sorted(cues, key=lambda cue: -abs(cue.weight))[:MOST_SIGNALS])


def _without(text: str, spans: Iterable[Span]) -> str:
    for span in sorted(spans, key=lambda span: -span.start):
        text = f"{text[: span.start]} {text[span.end :]}"
    return text
