"""What the detector thinks of a text, without storing anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from bot.core.assessment import Assessment, Circumstances, Reading, Signal, assess
from bot.core.dialogue import Parsed
from bot.core.facts import Facts
from bot.services.entities import Json
from bot.services.workshop import Workshop


@dataclass(frozen=True, slots=True)
class Sample:
    """A text with what surrounds it. `rating` is 1..5 with 5 best."""

    text: str
    question: str | None = None
    rating: int | None = None
    language: str | None = None
    facts: Json = field(default_factory=dict)
    reply_seconds: float | None = None


async def assess_samples(shop: Workshop, samples: Sequence[Sample]) -> list[Json]:
    """Assess each text as a reply to a check-in would be, in order. Raises DialogueUnavailable."""
    items = [{"text": s.text, "metadata": {"language": s.language, "question": s.question}} for s in samples]
    parsed = await shop.dialogue.parse(items) if items else []
    return [_assessed(sample, understood) for sample, understood in zip(samples, parsed, strict=True)]


def _assessed(sample: Sample, parsed: Parsed) -> Json:
    around = Circumstances(facts=Facts.of(sample.facts), reply_seconds=sample.reply_seconds)
    result: Assessment = assess(reading_of(sample.text, parsed, sample.rating), around)
    return {
        "verdict": result.verdict.value,
        "probability": result.probability,
        "threshold": result.threshold,
        "signals": [asdict(signal) for signal in result.signals],
        "failure": {"code": result.failure.value, "words": result.failure_words},
        "language": sample.language or parsed.language,
        "intent": {"name": parsed.intent.name, "confidence": round(parsed.intent.confidence, 4)},
    }


def reading_of(text: str, parsed: Parsed, rating: int | None = None) -> Reading:
    """What the dialogue understood in a text, as the core reads it."""
    found: Mapping[str, Any] = parsed.dissatisfaction
    return Reading(
        text=text,
        p=float(found.get("p", 0.5)),
        signals=tuple(Signal(s["name"], s["weight"], s["evidence"]) for s in found.get("signals", ())),
        intent=parsed.intent.name,
        intent_confidence=parsed.intent.confidence,
        failure=found.get("failure", ""),
        failure_words=found.get("failure_words", ""),
        language=parsed.language,
        rating=rating,
    )
