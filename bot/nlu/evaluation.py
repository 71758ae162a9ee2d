"""Measures the shipped detector on public sets and on our own held-out replies.

A set that was learnt from is read by five scorers, each of which has not seen the fifth it reads; any other by the
scorer that ships. Everything goes through `bot.nlu.score.judge`: both readings and the decision of the core.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bot.core.assessment import UNSURE_FROM
from bot.core.calibration import THRESHOLD
from bot.nlu.corpus import REPLIES, languages, rows
from bot.nlu.measuring import Flags, Scores, auroc, calibration_error, false_alarms_at, recall_at
from bot.nlu.questions import OPEN, UNASKED, question_of_context
from bot.nlu.score import judge
from bot.nlu.scorer import Scorer
from bot.nlu.training import fold_of

LEARNT_FROM = frozenset({"en_fft", "el_reviews", "th_brand"})
WHY = "Please tell us why"
_FEWEST = 10
_TIMED = 200

type Pick = Callable[[str], Scorer]


@dataclass(frozen=True, slots=True)
class Reply:
    """A labelled text with what is known beside it."""

    text: str
    language: str
    question: str
    rating: int | None
    unhappy: bool
    masked: bool
    masked_strict: bool
    mismatch: bool
    asked: str


@dataclass(frozen=True, slots=True)
class Figures:
    """One line of the table; a figure that cannot be given is NaN."""

    name: str
    how: str
    n: int
    auroc: float
    recall: float
    masked: float
    masked_strict: float
    mismatch: float
    ece: float
    false_alarms: float
    false_alarms_asked: float
    mean_ms: float
    p95_ms: float


def public_sets(folder: Path) -> Iterator[tuple[str, list[Reply]]]:
    """Every measuring set in a folder, by name."""
    for path in sorted(folder.glob("*.jsonl")):
        yield path.stem, [_public(row) for row in rows(path)]


def own_sets(*, held_out: bool) -> Iterator[tuple[str, list[Reply]]]:
    """Our own replies by language, those kept for testing or those learnt from; answers first, then remarks.

    A lukewarm one is neither happy nor unhappy and is left out.
    """
    for language in languages():
        found = [row for row in rows(REPLIES / f"{language}.jsonl") if (row.get("split") == "test") is held_out]
        replies = [_own(row, language) for row in found if row["label"] != "lukewarm"]
        yield f"our own, {language}", [reply for reply in replies if reply.question != UNASKED]
        yield f"our own, {language}: remarks", [reply for reply in replies if reply.question == UNASKED]


def measure(name: str, how: str, replies: Sequence[Reply], pick: Pick, timed: Scorer | None = None) -> Figures:
    """The figures of some replies; `pick` gives the scorer that may read a text, `timed` the one whose time counts."""
    scores = np.array([_p(reply, pick(reply.text)) for reply in replies])
    return figures(name, how, replies, scores, _milliseconds(replies, timed) if timed else (float("nan"),) * 2)


def figures(
    name: str, how: str, replies: Sequence[Reply], scores: Scores, times: tuple[float, float] = (float("nan"),) * 2
) -> Figures:
    """The figures of scores that are already there."""
    unhappy = np.array([reply.unhappy for reply in replies])

    def among(flag: Callable[[Reply], bool]) -> float:
        chosen: Flags = ~unhappy | np.array([flag(reply) for reply in replies])
        enough = (unhappy & chosen).sum() >= _FEWEST
        return recall_at(unhappy[chosen], scores[chosen]) if enough else float("nan")

    return Figures(
        name,
        how,
        len(replies),
        auroc(unhappy, scores),
        recall_at(unhappy, scores),
        among(lambda reply: reply.masked),
        among(lambda reply: reply.masked_strict),
        among(lambda reply: reply.mismatch),
        calibration_error(unhappy, scores),
        false_alarms_at(unhappy, scores, THRESHOLD),
        false_alarms_at(unhappy, scores, UNSURE_FROM),
        *times,
    )


def by_fifth(scorers: Sequence[Scorer]) -> Pick:
    """Whoever has not seen a text reads it."""
    return lambda text: scorers[fold_of(text)]


def as_table(lines: Sequence[Figures]) -> str:
    """The figures as a Markdown table."""
    head = (
        "| set | n | read | AUROC | recall | masked | strict | rating good, text bad | ECE |"
        f" false alarms at {THRESHOLD:g} | at {UNSURE_FROM:g} | ms mean | ms p95 |"
    )
    rule = "|---|---|---|" + "---|" * 10
    return "\n".join([head, rule, *(_line(line) for line in lines)])


def _line(line: Figures) -> str:
    exact = (line.auroc, line.recall, line.masked, line.masked_strict, line.mismatch, line.ece)
    alarms = (line.false_alarms, line.false_alarms_asked)
    cells = [*(_number(x, 3) for x in (*exact, *alarms)), *(_number(x, 1) for x in (line.mean_ms, line.p95_ms))]
    return f"| {line.name} | {line.n:,} | {line.how} | " + " | ".join(cells) + " |"


def _number(value: float, digits: int) -> str:
    if np.isnan(value):
        return ""
    return f"{value:.{digits}f}".removeprefix("0") if digits == 3 else f"{value:.{digits}f}"


def _p(reply: Reply, scorer: Scorer) -> float:
    return judge(reply.text, reply.language, reply.question, reply.rating, scorer).probability


def _milliseconds(replies: Sequence[Reply], scorer: Scorer) -> tuple[float, float]:
    """Mean and 95th percentile of the processor's time over some replies, evenly drawn: others may use it, too."""
    taken = []
    for reply in replies[:: max(1, len(replies) // _TIMED)]:
        started = time.process_time()
        _p(reply, scorer)
        taken.append((time.process_time() - started) * 1000)
    return float(np.mean(taken)), float(np.quantile(taken, 0.95))


def _public(row: Mapping[str, Any]) -> Reply:
    context = row.get("context") or []
    return Reply(
        row["text"],
        row["lang"],
        question_of_context(context),
        row.get("rating"),
        row["label"] == "dissatisfied",
        bool(row.get("masked")),
        bool(row.get("masked_strict")),
        bool(row.get("rating_text_mismatch")),
        str(context[-1].get("text", "")) if context else "",
    )


def _own(row: Mapping[str, Any], language: str) -> Reply:
    unhappy = row["label"] == "dissatisfied"
    return Reply(row["text"], language, row.get("question", OPEN), None, unhappy, bool(row["masked"]), False, False, "")
