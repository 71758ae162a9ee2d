"""What silence means: the verdict on a service event whose check-in nobody answered (P3)."""

from __future__ import annotations

from dataclasses import dataclass

from bot.core.assessment import Assessment, Signal
from bot.core.facts import Facts, operations_signals
from bot.core.vocabulary import Verdict

AT_RISK_FROM = 0.5
_BASE_LOG_ODDS = -1.6


@dataclass(frozen=True, slots=True)
class Silence:
    """What is known when the time to answer has passed.

    `answered_before` and `asked_before` count this customer's earlier check-ins.
    """

    facts: Facts
    opted_out: bool = False
    undeliverable: bool = False
    asked_before: int = 0
    answered_before: int = 0


def judge_silence(silence: Silence) -> Assessment:
    """A first, openly stated model: bad facts raise the risk, and so does silence from someone who always answered.

    Its weights are assumptions, not measurements: no labelled data on non-reply exists.
    """
    if silence.opted_out:
        return Assessment(Verdict.OPTED_OUT, 0.0, AT_RISK_FROM, ())
    if silence.undeliverable:
        return Assessment(Verdict.UNREACHABLE, 0.0, AT_RISK_FROM, ())
    signals = [Signal(*signal) for signal in operations_signals(silence.facts, damped=False)]
    if silence.asked_before >= 2 and silence.answered_before == silence.asked_before:
        signals.append(Signal("unusual_silence", 1.2, f"answered all {silence.asked_before} earlier check-ins"))
    total = _BASE_LOG_ODDS + sum(signal.weight for signal in signals)
    probability = round(1 / (1 + 2.718281828459045**-total), 4)
    verdict = Verdict.SILENT_AT_RISK if probability >= AT_RISK_FROM else Verdict.SILENT_OK
    return Assessment(verdict, probability, AT_RISK_FROM, tuple(signals))
