"""Pace: so many segments a second, a burst after a quiet time, and answers before those with which we write first."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.pace import Meter, Pace, admit, pace_of

START = datetime(2026, 3, 4, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("sender", "asked", "per_second"),
    [
        ("+447700900001", 0, 1),
        ("+15005550006", 0, 1),
        ("+18885550006", 0, 3),
        ("+18005550006", 0, 3),
        ("12345", 0, 10),
        ("MG" + "0" * 32, 0, 1),
        ("12345", 100, 100),
        ("+447700900001", 0.5, 0.5),
    ],
)
def test_the_pace_of_a_sender(sender: str, asked: float, per_second: float) -> None:
    """What carriers allow its kind, unless the business knows better."""
    assert pace_of(sender, asked).segments_per_second == per_second
    assert pace_of(sender, asked).burst >= 10


@dataclass(frozen=True, order=True)
class Text:
    """One message: when it is written, in which conversation, and what it costs."""

    at: float
    number: int
    conversation: int
    segments: int
    first: bool


@dataclass
class Day:
    """What happens to texts that ask `admit` whenever they are due, each conversation in its order."""

    pace: Pace
    meter: Meter = field(default_factory=lambda: Meter(START, START, START))
    left: list[tuple[datetime, Text]] = field(default_factory=list)
    tries: int = 0

    def live_through(self, texts: list[Text]) -> None:
        """Every text asks when it is due; one waits for those before it in its conversation."""
        order = count()
        queue = [(START + timedelta(seconds=text.at), next(order), text, False) for text in sorted(texts)]
        heapq.heapify(queue)
        waiting: dict[tuple[int, bool], list[Text]] = {}
        for text in sorted(texts):
            waiting.setdefault((text.conversation, text.first), []).append(text)
        while queue:
            now, _, text, placed = heapq.heappop(queue)
            lane = waiting[text.conversation, text.first]
            if lane[0] is not text:
                # As the lock does: it is looked at again when the one before it is done.
                again = min((entry[0] for entry in queue if entry[2] is lane[0]), default=now)
                heapq.heappush(queue, (max(now, again), next(order), text, placed))
                continue
            self.tries += 1
            self.meter, at = admit(
                self.pace, self.meter, segments=text.segments, first=text.first, placed=placed, now=now
            )
            if at is None:
                lane.pop(0)
                self.left.append((now, text))
            else:
                assert at > now
                heapq.heappush(queue, (at, next(order), text, True))

    def most_in(self, window: timedelta) -> int:
        """The most segments that left in any window of that length."""
        return max(
            sum(text.segments for at, text in self.left if begin <= at < begin + window) for begin, _ in self.left
        )


TEXTS = st.lists(
    st.builds(
        Text,
        at=st.floats(0, 60, allow_nan=False).map(lambda at: round(at, 2)),
        number=st.integers(0, 10**9),
        conversation=st.integers(0, 5),
        segments=st.integers(1, 6),
        first=st.booleans(),
    ),
    min_size=1,
    max_size=40,
    unique_by=lambda text: text.number,
)


@given(TEXTS, st.sampled_from([Pace(1), Pace(3), Pace(10, 50), Pace(1, 2)]), st.floats(0.5, 120))
def test_no_window_ever_carries_more_than_the_pace_and_one_burst(texts: list[Text], pace: Pace, length: float) -> None:
    """Nothing is lost either, and every conversation keeps its order."""
    day = Day(pace)

    day.live_through(texts)

    largest = max(text.segments for text in texts)
    assert day.most_in(timedelta(seconds=length)) <= pace.segments_per_second * length + max(pace.burst, largest) + 1e-6
    assert sorted(text for _, text in day.left) == sorted(texts)
    for lane in {(text.conversation, text.first) for text in texts}:
        mine = [text for _, text in day.left if (text.conversation, text.first) == lane]
        assert mine == sorted(mine)


def test_a_backlog_of_ten_thousand_questions_holds_up_no_reply() -> None:
    """An agent's three segments leave within the time they take themselves; the questions take their hours."""
    questions = [Text(0, n, n, 2, True) for n in range(10_000)]
    replies = [Text(600 + 60 * n, 20_000 + n, 20_000 + n, 3, False) for n in range(10)]
    day = Day(Pace(1))

    day.live_through(questions + replies)

    waits = [(at - START).total_seconds() - text.at for at, text in day.left if not text.first]
    assert max(waits) < 0.01
    whole = max(at for at, _ in day.left) - START
    assert timedelta(hours=5.5) < whole < timedelta(hours=6), "and no time is wasted"
    assert day.tries < 3 * len(day.left)


def test_a_burst_of_answers_is_served_in_order_and_before_questions() -> None:
    """A hundred replies at once leave one after the other; the question written before most of them waits for all."""
    replies = [Text(0, n, n, 1, False) for n in range(100)]
    day = Day(Pace(1))

    day.live_through([*replies, Text(0.5, 500, 500, 1, True)])

    assert [text.number for _, text in day.left] == [*range(100), 500]


def test_a_text_larger_than_the_burst_leaves_when_nothing_is_under_way() -> None:
    """It would wait for ever otherwise."""
    day = Day(Pace(1, 2))

    day.live_through([Text(0, 1, 1, 2, False), Text(0, 2, 2, 9, False)])

    assert [text.number for _, text in day.left] == [1, 2]
