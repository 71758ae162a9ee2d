"""From one reply and everything known around it to a verdict with a probability and its reasons.

The model is additive in log-odds: the text's own score first, then one weighted signal for each piece of evidence that
the text cannot carry (a rating that disagrees with the words, what operations recorded, how slowly the answer came).
Every weight that moved the result is in the assessment, so a verdict can always be explained.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from bot.core.calibration import AS_SHIPPED, THRESHOLD, Calibration, in_percent
from bot.core.facts import Facts, operations_signals
from bot.core.vocabulary import AwaitedAnswer, Failure, NextStep, Verdict

UNSURE_FROM = 0.3
"""From here to `THRESHOLD` the bot abstains and asks one soft question."""

COMPLAINT_INTENTS = frozenset({"complaint", "threat_or_safety"})
SATISFIED_INTENTS = frozenset({"satisfied", "thanks"})
HUMAN_INTENTS = frozenset({"ask_for_person", "call_me_back", "threat_or_safety"})

_LAST_WORDS = SATISFIED_INTENTS | {"goodbye", "affirm"}
_NOT_ABOUT_THE_SERVICE = {"opt_out": Verdict.OPTED_OUT, "wrong_person": Verdict.UNREACHABLE}
_NOTHING_ASKED = frozenset({AwaitedAnswer.NOTHING, AwaitedAnswer.LAST_WORD})
_MASKS = {"hedge", "faint_praise", "minimiser"}
_MIN_TEXT_P, _MAX_TEXT_P = 0.01, 0.99
_INTENT_TRUSTED = 0.6


@dataclass(frozen=True, slots=True)
class Signal:
    """One observed hint: its name, its weight in log-odds (positive is unhappier) and the words or facts behind it."""

    name: str
    weight: float
    evidence: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What the language model of the bot read in one reply.

    `p` is the text's own probability of dissatisfaction (0..1); `signals` are the cues in the text that explain it.
    `failure_words` are the customer's own words for what went wrong, `""` when none were found.
    """

    text: str
    p: float
    signals: tuple[Signal, ...] = ()
    intent: str = ""
    intent_confidence: float = 0.0
    failure: str = ""
    failure_words: str = ""
    language: str | None = None
    rating: int | None = None


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What surrounds a reply: the facts of the service event and how the customer behaves.

    `reply_seconds` is the time from our question to the answer, `usual_words` the customer's own median reply length.
    """

    facts: Facts = field(default_factory=Facts)
    reply_seconds: float | None = None
    usual_words: float | None = None
    awaited: AwaitedAnswer = AwaitedAnswer.CHECK_IN


@dataclass(frozen=True, slots=True)
class Assessment:
    """A verdict with its probability, the threshold it was held against, and every signal that moved it."""

    verdict: Verdict
    probability: float
    threshold: float
    signals: tuple[Signal, ...]
    failure: Failure = Failure.NONE
    failure_words: str = ""
    uncalibrated: float | None = None
    """The probability before what a site's own corrections have taught, which is what later corrections learn from."""


def assess(reading: Reading, around: Circumstances, *, calibration: Calibration = AS_SHIPPED) -> Assessment:
    """Fuse a reading with its circumstances into an assessment. Pure: the same arguments give the same answer."""
    extra = (
        *_rating_signals(reading),
        *_intent_signals(reading),
        *_brevity_signals(reading, around),
        *_pace_signals(reading, around),
        *operations_signals(around.facts, damped=_speaks_well(reading)),
    )
    extra_signals = tuple(Signal(name, round(weight, 3), evidence) for name, weight, evidence in extra)
    text_p = min(max(reading.p, _MIN_TEXT_P), _MAX_TEXT_P)
    uncalibrated = round(_sigmoid(_logit(text_p) + sum(signal.weight for signal in extra_signals)), 4)
    probability = round(calibration.apply(uncalibrated), 4) if calibration != AS_SHIPPED else uncalibrated
    failure = _failure(reading, around.facts)
    learnt = _learnt(uncalibrated, probability)
    signals = tuple(sorted((*reading.signals, *extra_signals, *learnt), key=lambda signal: -abs(signal.weight)))
    verdict = _verdict(reading, probability, calibration.threshold)
    return Assessment(
        verdict, probability, calibration.threshold, signals, failure, reading.failure_words, uncalibrated
    )


def _learnt(before: float, after: float) -> tuple[Signal, ...]:
    if before == after:
        return ()
    weight = _logit(min(max(after, 1e-4), 1 - 1e-4)) - _logit(min(max(before, 1e-4), 1 - 1e-4))
    return (
        Signal("site_learnt", round(weight, 3), f"corrections here moved {in_percent(before)} to {in_percent(after)}"),
    )


def next_step(
    assessment: Assessment, reading: Reading, awaited: AwaitedAnswer, *, story_known: bool = False
) -> NextStep:
    """What to do now, given what was last asked.

    An unsure reading gets one soft question and never a second: the answer to it is believed (voice, rule 5). A hand
    is offered once, too. Where nothing was asked, plain thanks are left as the last word (after a person's they are
    answered once), and what makes no sense is met with an open ear. `story_known`: a person has this customer's story
    already, so instead of asking for it that person is offered.
    """
    understood = reading.intent_confidence >= _INTENT_TRUSTED
    if reading.intent in HUMAN_INTENTS and understood:
        return NextStep.RECOVER
    if awaited is AwaitedAnswer.FOLLOW_UP:
        return NextStep.FOLLOW_UP
    kind = understood and reading.intent in _LAST_WORDS and reading.p < THRESHOLD
    if story_known and kind and awaited in _NOTHING_ASKED:
        # What operations know has been dealt with: it must not make a complaint of a "thank you".
        return NextStep.CLOSE_WARMLY if awaited is AwaitedAnswer.LAST_WORD else NextStep.STAY_SILENT
    if assessment.verdict in (Verdict.COMPLAINT, Verdict.MASKED):
        return NextStep.RECOVER
    if awaited is AwaitedAnswer.FIRST_WORDS and not (reading.intent == "satisfied" and understood):
        return NextStep.LISTEN
    if awaited in _NOTHING_ASKED and not understood:
        return NextStep.OFFER_HAND if story_known else NextStep.LISTEN
    if awaited is AwaitedAnswer.NOTHING and reading.intent in _LAST_WORDS:
        return NextStep.STAY_SILENT
    if assessment.verdict is Verdict.LUKEWARM:
        if assessment.failure is not Failure.NONE and awaited is not AwaitedAnswer.HAND_OFFERED:
            return NextStep.OFFER_HAND
        if awaited is AwaitedAnswer.CHECK_IN:
            return NextStep.ASK_SOFTLY
    return NextStep.CLOSE_WARMLY


def _verdict(reading: Reading, probability: float, threshold: float) -> Verdict:
    if reading.intent in _NOT_ABOUT_THE_SERVICE and reading.intent_confidence >= _INTENT_TRUSTED:
        return _NOT_ABOUT_THE_SERVICE[reading.intent]
    if probability >= threshold:
        return Verdict.COMPLAINT if _says_so_openly(reading) else Verdict.MASKED
    return Verdict.LUKEWARM if probability >= min(UNSURE_FROM, threshold) else Verdict.SATISFIED


def _says_so_openly(reading: Reading) -> bool:
    """A complaint behind a hedge or faint praise is masked, however clear it is to us."""
    if _has_any(reading, {"strong_words"}):
        return True
    return reading.intent in COMPLAINT_INTENTS and not _has_any(reading, _MASKS)


def _failure(reading: Reading, facts: Facts) -> Failure:
    if reading.failure in set(Failure) and reading.failure:
        return Failure(reading.failure)
    return facts.known_failure.as_failure()


def _rating_signals(reading: Reading) -> Iterable[tuple[str, float, str]]:
    if reading.rating is None:
        return
    if reading.rating <= 2:
        yield "low_rating", 1.6, f"{reading.rating} of 5"
    elif reading.rating >= 4 and reading.p >= THRESHOLD:
        # Kind figures beside unkind words: the words are believed, and the gap itself is a hint of restraint.
        yield "rating_against_text", 0.4, f"{reading.rating} of 5, yet the words say otherwise"
    elif reading.rating >= 4:
        yield "high_rating", -0.8, f"{reading.rating} of 5"


def _intent_signals(reading: Reading) -> Iterable[tuple[str, float, str]]:
    if reading.intent_confidence < _INTENT_TRUSTED:
        return
    if reading.intent == "threat_or_safety":
        yield "threat_or_safety", 3.0, _read_as(reading)
    elif reading.intent in COMPLAINT_INTENTS:
        yield "says_so", 1.2, _read_as(reading)
    elif reading.intent in SATISFIED_INTENTS and not _has_any(reading, {"contrast", "named_failure", "hedge"}):
        yield "says_well", -0.8, _read_as(reading)


def _read_as(reading: Reading) -> str:
    return f"read as {reading.intent}, {in_percent(reading.intent_confidence)} sure"


def _brevity_signals(reading: Reading, around: Circumstances) -> Iterable[tuple[str, float, str]]:
    words = len(reading.text.split())
    if around.usual_words and around.usual_words >= 6 and 0 < words <= around.usual_words / 3:
        yield "shorter_than_usual", 0.5, f"{words} words where {around.usual_words:g} are usual"


def _pace_signals(reading: Reading, around: Circumstances) -> Iterable[tuple[str, float, str]]:
    if around.reply_seconds is not None and around.reply_seconds >= 12 * 3600 and not _speaks_well(reading):
        yield "slow_reply", 0.2, f"answered after {around.reply_seconds / 3600:.0f} h"


def _speaks_well(reading: Reading) -> bool:
    return reading.p < 0.15 and not reading.failure


def _has_any(reading: Reading, names: set[str]) -> bool:
    return any(signal.name in names for signal in reading.signals)


def _logit(p: float) -> float:
    return math.log(p / (1 - p))


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))
