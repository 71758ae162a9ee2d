"""How the desk says things: marks, reasons, times, money."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.vocabulary import CheckInState, Failure, GrantKind, HandoffReason, Step, Verdict
from bot.edge.desk.evidence import mark, quotable
from bot.edge.desk.labels import named, signal_words
from bot.edge.desk.looks import Clock, ago, localdate, localtime, money, telling_time

NOW = datetime(2026, 7, 8, 12, 0, tzinfo=UTC)
ISTANBUL = Clock(ZoneInfo("Europe/Istanbul"), NOW)


@pytest.mark.parametrize(
    ("text", "evidence", "marked"),
    [
        ("fine I guess", ["i guess"], ["I guess"]),
        ("it’s ok", ["it's ok"], ["it’s ok"]),
        ("bit  of a\nwait", ["bit of a wait"], ["bit  of a\nwait"]),
        ("butter but butter", ["but"], ["but"]),
        ("ages, ages", ["ages"], ["ages", "ages"]),
        ("we waited ages for it", ["waited ages", "ages for it"], ["waited ages for it"]),
        ("FENA DEĞİLDİ", ["FENA DEĞİLDİ"], ["FENA DEĞİLDİ"]),
        ("1 (one) [two] *", ["(one)", "*"], ["(one)", "*"]),
        ("nothing here", ["elsewhere"], []),
    ],
)
def test_evidence_is_found_where_it_was_said(text: str, evidence: list[str], marked: list[str]) -> None:
    """Whole words, whatever the case, spacing or apostrophes; overlapping evidence is one mark."""
    assert [part.text for part in mark(text, evidence) if part.marked] == marked


@given(st.text(), st.lists(st.text(), max_size=5))
def test_the_parts_of_a_text_join_to_the_text(text: str, evidence: list[str]) -> None:
    """Marking never changes a character."""
    assert "".join(part.text for part in mark(text, evidence)) == text


def test_only_words_that_speak_for_unhappiness_are_marked() -> None:
    """What operations know, kind words and mere brevity are no evidence in the text."""
    signals = [
        {"name": "hedge", "weight": 0.6, "evidence": "I guess"},
        {"name": "positive_words", "weight": -1.0, "evidence": "lovely"},
        {"name": "long_wait", "weight": 1.0, "evidence": "waited 55 min"},
        {"name": "brevity", "weight": 0.4, "evidence": "ok"},
    ]
    assert quotable(signals, "cold soup") == ["I guess", "cold soup"]


def test_signals_are_reasons_a_person_would_give() -> None:
    """Known ones in plain words, unknown ones under their own name, none without its evidence."""
    assert signal_words({"name": "hedge", "weight": 1, "evidence": "I guess"}) == "hedges: “I guess”"
    assert signal_words({"name": "brand_new", "weight": 1, "evidence": "x {} y"}) == "brand new: x {} y"
    assert signal_words({"name": "hedge", "weight": 1, "evidence": "{}"}) == "hedges: “{}”"
    assert signal_words({"name": "late", "weight": 1, "evidence": ""}) == "we were late"


@pytest.mark.parametrize(
    ("kind", "codes"),
    [
        ("failure", Failure),
        ("reason", HandoffReason),
        ("grant", GrantKind),
        ("check_in", CheckInState),
        ("verdict", Verdict),
        ("step", Step),
    ],
)
def test_every_code_has_words(kind: str, codes: type[Failure]) -> None:
    """A code that the vocabulary gains needs words here."""
    for code in codes:
        assert named(code, kind)
        assert "_" not in named(code, kind)


@pytest.mark.parametrize(
    ("at", "said"),
    [
        ("2026-07-08T11:30:00+00:00", "14:30"),
        ("2026-07-07T11:30:00+00:00", "yesterday 14:30"),
        ("2026-07-09T06:00:00+00:00", "tomorrow 09:00"),
        ("2026-07-05T06:00:00+00:00", "Sun 09:00"),
        ("2026-03-04T06:00:00+00:00", "4 Mar, 09:00"),
        ("2024-03-04T06:00:00+00:00", "4 Mar 2024, 09:00"),
    ],
)
def test_times_are_told_on_the_agents_clock(at: str, said: str) -> None:
    """With as much of the date as it takes; daylight saving included."""
    with telling_time(ISTANBUL):
        element = localtime(at)
    assert element.endswith(f">{said}</time>")
    assert f'<time datetime="{at}"' in element


@pytest.mark.parametrize(
    ("at", "said"),
    [
        ("2026-07-08T11:59:30+00:00", "just now"),
        ("2026-07-08T11:55:00+00:00", "5 min ago"),
        ("2026-07-08T08:00:00+00:00", "4 h ago"),
        ("2026-07-01T12:00:00+00:00", "7 days ago"),
        ("2026-07-08T12:20:00+00:00", "in 20 min"),
    ],
)
def test_distances_in_time_are_round(at: str, said: str) -> None:
    """As one says it."""
    with telling_time(ISTANBUL):
        assert f">{said}</time>" in ago(at)


def test_nothing_is_said_of_what_is_not_known() -> None:
    """No time, no amount: no words."""
    assert (localtime(None), ago(""), localdate(None), money(None)) == ("", "", "", "")
    assert money({"value": "1234.5", "currency": "EUR"}) == "€1,234.50"
