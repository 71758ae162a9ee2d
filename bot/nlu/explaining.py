"""Why a reply was read as it was: the customer's own words, each with what it adds to the log-odds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from bot.nlu.embedding import Embeds
from bot.nlu.lexicon import LONGEST_QUOTE, Found, Lexicon, Span
from bot.nlu.linear import Model, features, names
from bot.nlu.meaning import MEANING, Meaning, Vector
from bot.nlu.questions import UNASKED
from bot.nlu.text import Folded, fold

MOST_SIGNALS = 8
_MOST_CLAUSES = 4
_WORTH_A_LOOK = -0.85
"""From these log-odds on (p of 0.3) somebody will want to know which clause it was; below, the whole reply is named."""


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


def explain_words(
    model: Model, lexicon: Lexicon, folded: Folded, found: Found, question: str, logit: float
) -> tuple[Cue, ...]:
    """Each cue weighs what the log-odds lose without all of its words; the first of them is its evidence."""
    cues: list[Cue] = []
    for name in dict.fromkeys(span.name for span in found.cues):
        spans = [span for span in found.cues if span.name == name]
        if name == "brevity":
            weight = model.cues.get(name, 0.0)
        else:
            rest = fold(_without(folded.text, spans))
            weight = logit - model.logit(features(rest.text, question), names(lexicon.find(rest)))
        start, end = folded.raw_span(spans[0].start, spans[0].end)
        cues.append(Cue(name, round(weight, 3), folded.raw[start:end], start, end))
    return _heaviest(cues)


def explain_meaning(
    meaning: Meaning,
    embedder: Embeds,
    lexicon: Lexicon,
    folded: Folded,
    vector: Vector,
    question: str,
    total: float,
    cues: Iterable[Cue],
) -> tuple[Cue, ...]:
    """The cues as the second reading weighs them, and the meaning itself with the clause that carries it most."""
    say = meaning.words_unasked if question == UNASKED else meaning.words
    reweighed = [replace(cue, weight=round(say * cue.weight + meaning.cues.get(cue.name, 0.0), 3)) for cue in cues]
    felt = meaning.felt(vector, question)
    start, end = 0, len(folded.raw)
    if total >= _WORTH_A_LOOK:
        clauses = lexicon.clauses(folded.text)[:_MOST_CLAUSES]
        if len(clauses) > 1:
            spans = [folded.raw_span(clause.start, clause.end) for clause in clauses]
            vectors = embedder.embed([folded.raw[a:b] for a, b in spans])
            start, end = max(zip(spans, vectors, strict=True), key=lambda pair: meaning.felt(pair[1], question))[0]
    end = min(end, start + LONGEST_QUOTE)
    return _heaviest([*reweighed, Cue(MEANING, round(felt, 3), folded.raw[start:end], start, end)])


def _heaviest(cues: Iterable[Cue]) -> tuple[Cue, ...]:
    return tuple(sorted(cues, key=lambda cue: -abs(cue.weight))[:MOST_SIGNALS])


def _without(text: str, spans: Iterable[Span]) -> str:
    for span in sorted(spans, key=lambda span: -span.start):
        text = f"{text[: span.start]} {text[span.end :]}"
    return text
