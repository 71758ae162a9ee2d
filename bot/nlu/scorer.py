"""How unhappy one reply sounds, and why.

Two readings. The first counts words and cues in the reply's language, in about a millisecond and without a numerical
library. Where it is not sure, a sentence embedding is asked what the reply means; where there is no embedding (see
`bot.nlu.embedding`) the first reading stands. The raw text is read, because a tokenizer would already have thrown away
the emoji.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from bot.core.assessment import UNSURE_FROM
from bot.core.calibration import THRESHOLD
from bot.nlu.embedding import Embeds, default_embedder
from bot.nlu.explaining import TOO_LITTLE, UNKNOWN_LANGUAGE, ByWords, Cue, explain_doubt, explain_meaning, explain_words
from bot.nlu.lexicon import LEXICONS, Found, Lexicon, lexicon_for
from bot.nlu.linear import Model, names, read_model
from bot.nlu.meaning import Meaning, probability, read_meaning
from bot.nlu.questions import OPEN, QUESTIONS
from bot.nlu.text import Folded, fold

WEIGHTS = Path(__file__).parent / "weights"
MEANING_FILE = "meaning.json.gz"
ANY = "any"
"""The model of languages that have none of their own: cues alone."""

_FEWEST_LETTERS = 2
_SAYING_NOTHING = frozenset({"brevity", "faint_praise"})


@dataclass(frozen=True, slots=True)
class Heard:
    """What was read in one text. `failure` is a code or `""`; `failure_words` are the customer's own words for it."""

    p: float
    signals: tuple[Cue, ...] = ()
    failure: str = ""
    failure_words: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The form in which it travels with a message."""
        signals = [
            {"name": s.name, "weight": s.weight, "evidence": s.evidence, "start": s.start, "end": s.end}
            for s in self.signals
        ]
        return {"p": self.p, "signals": signals, "failure": self.failure, "failure_words": self.failure_words}


class Scorer:
    """Scores replies in every language that was learnt; of any other it says what can be told, and abstains."""

    def __init__(
        self, models: Mapping[str, Model], meaning: Meaning | None = None, embedder: Embeds | None = None
    ) -> None:
        self._models = dict(models)
        self._meaning = meaning if embedder else None
        self._embedder = embedder

    @classmethod
    def load(cls, folder: Path = WEIGHTS, embedder: Embeds | None = None) -> Scorer:
        """The scorer with the weights in a folder."""
        linear = (path for path in sorted(folder.glob("*.json.gz")) if path.name != MEANING_FILE)
        models = {path.name.removesuffix(".json.gz"): read_model(path) for path in linear}
        return cls(models, read_meaning(folder / MEANING_FILE), embedder)

    def score(self, text: str, language: str | None, question: str | None = None) -> Heard:
        """Read one reply. An empty text says nothing: p is 0 and there are no signals.

        `question` is one of `QUESTIONS`; without it the reply is taken to answer an open question.
        """
        if not text.strip():
            return Heard(0.0)
        asked = question if question in QUESTIONS else OPEN
        folded = fold(text)
        tongue = self._tongue(folded, language)
        lexicon, model = lexicon_for(tongue), self._models.get(tongue) or self._models.get(ANY, Model())
        found = lexicon.find(folded)
        words = ByWords(model, lexicon, folded, found, asked)
        logit, signals = self._second_reading(words, tongue)
        if reason := _doubt(words, tongue):
            logit, signals = _undecided(words, logit, signals, reason)
        p = round(probability(logit), 4)
        return Heard(p, signals, found.failure.name if found.failure else "", _quote(lexicon, folded, found))

    def _second_reading(self, words: ByWords, tongue: str) -> tuple[float, tuple[Cue, ...]]:
        """The log-odds and their reasons, after asking for the meaning where the words left doubt."""
        cues, meaning, embedder = explain_words(words), self._meaning, self._embedder
        if meaning is None or embedder is None or not meaning.is_unsure(words.p, tongue, words.question):
            return words.logit, cues
        [vector] = embedder.embed([words.folded.raw])
        total = meaning.felt(vector, words.question) + meaning.rest(words.logit, names(words.found), words.question)
        return total, explain_meaning(words, cues, meaning, vector, total)

    def _tongue(self, folded: Folded, language: str | None) -> str:
        """The language to read in: the one given if it is ours, else the one whose cues these are, else `ANY`."""
        given = (language or ANY).split("-")[0].lower()
        if given in self._models and given != ANY:
            return given
        return _language_of_cues(folded) or ANY


def _doubt(words: ByWords, tongue: str) -> str:
    """Why nothing is to be decided about a text: `UNKNOWN_LANGUAGE`, `TOO_LITTLE`, or `""`.

    "3", "k" and a row of dots are too little; a thumb or a heart is a cue, and enough.
    """
    if tongue == ANY:
        return UNKNOWN_LANGUAGE
    letters = sum(character.isalpha() for character in words.folded.text)
    return TOO_LITTLE if letters < _FEWEST_LETTERS and names(words.found) <= _SAYING_NOTHING else ""


def _undecided(words: ByWords, logit: float, signals: tuple[Cue, ...], reason: str) -> tuple[float, tuple[Cue, ...]]:
    """Drawn together to where we abstain: what was learnt elsewhere orders these texts and decides nothing."""
    p = UNSURE_FROM + (THRESHOLD - UNSURE_FROM) * min(probability(logit), 0.99)
    drawn = math.log(p / (1 - p))
    return drawn, explain_doubt(words, signals, reason, drawn - logit)


@cache
def default_scorer() -> Scorer:
    """The shipped scorer, read once per process."""
    return Scorer.load(embedder=default_embedder())


def _language_of_cues(folded: Folded) -> str | None:
    """The language whose cues make up the most of a text, if it is at least half: "fine I guess" needs no guessing."""
    letters = len(folded.text.replace(" ", ""))
    covered = {
        path.stem: sum(
            len(folded.text[cue.start : cue.end].replace(" ", ""))
            for cue in lexicon_for(path.stem).find(folded).cues
            if cue.name not in {"brevity", "named_failure"}
        )
        for path in _lexicons()
    }
    best = max(covered, key=lambda language: (covered[language], language == "en", language), default=None)
    return best if best is not None and covered[best] * 2 >= letters > 0 else None


@cache
def _lexicons() -> tuple[Path, ...]:
    return tuple(sorted(LEXICONS.glob("*.toml")))


def _quote(lexicon: Lexicon, folded: Folded, found: Found) -> str:
    if found.clause is None or lexicon.is_coarse(folded.text[found.clause.start : found.clause.end]):
        return ""
    start, end = folded.raw_span(found.clause.start, found.clause.end)
    return folded.raw[start:end]
