"""What silence means: the verdict on a service event whose check-in nobody answered (P3).

A customer who will answer does so at a falling rate: most within minutes, hardly anyone after a day. The longer
somebody stays silent after seeing the question, the less is explained by "not yet". How much that says depends on them:
silence from someone who always answers is news, silence from someone who never does is not. By Bayes' rule the odds of
unhappiness, given what operations know, are multiplied by

    P(silent so far | unhappy) / P(silent so far | content) = (1 - s·κ·r·F(t)) / (1 - s·r·F(t))

with s how surely the question was seen, r this customer's rate of answering (a Beta prior updated by their own record),
κ how much less the unhappy answer, and F(t) the share of answers that have come by t (log-normal).

The constants below are assumptions, stated so that they can be argued with: no labelled data on non-reply exists.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from bot.core.assessment import Assessment, Signal
from bot.core.facts import Facts, operations_signals
from bot.core.vocabulary import Verdict

AT_RISK_FROM = 0.35
"""From this probability of unhappiness a silence is worth a human's look. Low on purpose: a look costs the customer
nothing."""

PRIOR_UNHAPPY = 0.15
ANSWERS_PRIOR = (1.0, 1.5)
UNHAPPY_ANSWERS_RATIO = 0.5
MEDIAN_ANSWER_MINUTES = 20.0
ANSWER_SPREAD = 2.0
SEEN = {"read": 1.0, "delivered": 0.9}
SEEN_OTHERWISE = 0.6


@dataclass(frozen=True, slots=True)
class Silence:
    """What is known when the time to answer has passed.

    `asked_before` and `answered_before` count this customer's earlier check-ins; `waited_hours` is since the question
    left, `delivery` the provider's last word on it.
    """

    facts: Facts
    opted_out: bool = False
    undeliverable: bool = False
    asked_before: int = 0
    answered_before: int = 0
    waited_hours: float = 24.0
    delivery: str = "delivered"


def judge_silence(silence: Silence) -> Assessment:
    """Silent at risk, silent and fine, unreachable or opted out, with the signals that moved it."""
    if silence.opted_out:
        return Assessment(Verdict.OPTED_OUT, 0.0, AT_RISK_FROM, ())
    if silence.undeliverable:
        return Assessment(Verdict.UNREACHABLE, 0.0, AT_RISK_FROM, ())
    facts = [Signal(*signal) for signal in operations_signals(silence.facts, damped=False)]
    signals = (*facts, _silence_itself(silence))
    total = _logit(PRIOR_UNHAPPY) + sum(signal.weight for signal in signals)
    probability = round(1 / (1 + math.exp(-total)), 4)
    verdict = Verdict.SILENT_AT_RISK if probability >= AT_RISK_FROM else Verdict.SILENT_OK
    return Assessment(verdict, probability, AT_RISK_FROM, signals)


def answered_by(hours: float) -> float:
    """The share of all answers that have come `hours` after the question: 0..1, never falling."""
    if hours <= 0:
        return 0.0
    z = (math.log(hours * 60) - math.log(MEDIAN_ANSWER_MINUTES)) / ANSWER_SPREAD
    return 0.5 * (1 + math.erf(z / math.sqrt(2)))


def answer_rate(asked: int, answered: int) -> float:
    """How often this customer answers when content, by their record so far."""
    yes, no = ANSWERS_PRIOR
    return (yes + min(answered, asked)) / (yes + no + asked)


def _silence_itself(silence: Silence) -> Signal:
    rate = answer_rate(silence.asked_before, silence.answered_before)
    come = SEEN.get(silence.delivery, SEEN_OTHERWISE) * rate * answered_by(silence.waited_hours)
    weight = math.log((1 - UNHAPPY_ANSWERS_RATIO * come) / (1 - come))
    evidence = f"no answer in {silence.waited_hours:.0f} h"
    if silence.asked_before:
        evidence += f", answered {silence.answered_before} of {silence.asked_before} earlier check-ins"
    always = silence.asked_before >= 2 and silence.answered_before >= silence.asked_before
    return Signal("unusual_silence" if always else "silence", round(weight, 3), evidence)


def _logit(p: float) -> float:
    return math.log(p / (1 - p))
