"""The shipped detector on its own: `python -m bot.nlu.score < texts.jsonl > predictions.jsonl`.

A line in is `{"id", "text", "lang", "rating"?, "context"?}`, where `rating` is 1..5 with 5 best and `context` the turns
before (`role`, `text`), the question last. A line out is `{"id", "p", "label", "signals"}`: the text read as in the
conversation, and fused with the rating by the same decision. Without `context` nothing is assumed to have been asked.
A line that cannot be read is named on standard error, left out, and makes the exit status 1.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Iterator
from typing import Any, TextIO

from bot.core.assessment import UNSURE_FROM, Assessment, Circumstances, Reading, Signal, assess
from bot.core.calibration import THRESHOLD
from bot.nlu.identifying import language_of
from bot.nlu.questions import question_of_context
from bot.nlu.scorer import Scorer, default_scorer


class Unreadable(ValueError):
    """A line that is not a text to be scored; the message says why."""


def predict(row: dict[str, Any], scorer: Scorer) -> dict[str, Any]:
    """What the detector says of one row. Raises Unreadable."""
    text, rating, context = _checked(row)
    fused = judge(text, row.get("lang") or None, question_of_context(context), rating, scorer)
    return {
        "id": row["id"],
        "p": fused.probability,
        "label": label_of(fused.probability),
        "signals": [{"name": s.name, "weight": s.weight, "evidence": s.evidence} for s in fused.signals],
    }


def judge(text: str, recorded: str | None, question: str, rating: int | None, scorer: Scorer) -> Assessment:
    """The decision of the core about a text, with nothing known but its rating."""
    language = language_of(text, recorded)
    heard = scorer.score(text, language, question)
    reading = Reading(
        text=text,
        p=heard.p,
        signals=tuple(Signal(cue.name, cue.weight, cue.evidence) for cue in heard.signals),
        failure=heard.failure,
        failure_words=heard.failure_words,
        language=language,
        rating=rating,
    )
    return assess(reading, Circumstances())


def label_of(probability: float) -> str:
    """Recovered, asked once more, or thanked."""
    if probability >= THRESHOLD:
        return "dissatisfied"
    return "neutral_or_mixed" if probability >= UNSURE_FROM else "satisfied"


def run(lines: Iterable[str], out: TextIO, err: TextIO, scorer: Scorer) -> int:
    """Answer each line as it comes; how many could not be read."""
    unreadable = 0
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            answer = predict(_parsed(line), scorer)
        except Unreadable as error:
            unreadable += 1
            err.write(f"line {number}: {error}\n")
            continue
        out.write(json.dumps(answer, ensure_ascii=False) + "\n")
        out.flush()
    return unreadable


def _parsed(line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise Unreadable(f"not JSON: {error.msg} at character {error.pos + 1}") from None
    if not isinstance(row, dict):
        raise Unreadable("not an object")
    return row


def _checked(row: dict[str, Any]) -> tuple[str, int | None, list[dict[str, Any]]]:
    if not isinstance(row.get("id"), str | int):
        raise Unreadable('"id" is missing, or neither text nor a whole number')
    text, rating, context = row.get("text"), row.get("rating"), row.get("context") or []
    if not isinstance(text, str):
        raise Unreadable('"text" is missing, or not a text')
    if not isinstance(row.get("lang"), str | None):
        raise Unreadable('"lang" is not a text')
    if rating is not None and (isinstance(rating, bool) or not isinstance(rating, int | float) or not 1 <= rating <= 5):
        raise Unreadable('"rating" is not a number from 1 to 5')
    if not isinstance(context, list) or not all(isinstance(turn, dict) for turn in context):
        raise Unreadable('"context" is not a list of turns')
    return text, None if rating is None else math.floor(rating + 0.5), context


def _lines(stream: TextIO) -> Iterator[str]:
    while line := stream.readline():
        yield line


def main() -> None:
    """Read standard input to its end."""
    for stream in (sys.stdin, sys.stdout):
        stream.reconfigure(encoding="utf-8", errors="replace")  # type: ignore[union-attr]
    raise SystemExit(1 if run(_lines(sys.stdin), sys.stdout, sys.stderr, default_scorer()) else 0)


if __name__ == "__main__":
    main()
