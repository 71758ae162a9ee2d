"""The particulars in a customer's words: what is found, what is left alone, and the words it came from."""

from __future__ import annotations

import pytest

from bot.core.details import DetailKind, details_in


def found(text: str) -> list[tuple[str, str]]:
    """Kind and value of every detail, in order."""
    return [(detail.kind.value, detail.value) for detail in details_in(text)]


def test_a_detail_keeps_the_words_it_came_from() -> None:
    """An agent can check each of them against what was written, whatever the alphabet and the case."""
    text = "Η ΠΑΡΑΓΓΕΛΊΑ 4471 άργησε Μισή Ώρα, πλήρωσα 35 ευρώ"

    details = details_in(text)

    assert [detail.words for detail in details] == ["ΠΑΡΑΓΓΕΛΊΑ 4471", "Μισή Ώρα", "35 ευρώ"]
    assert all(text[detail.start : detail.end] == detail.words for detail in details)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.250,50 €", "1250.50 EUR"),
        ("€1,250.50", "1250.50 EUR"),
        ("1.250 euro", "1250 EUR"),
        ("12.5 pounds", "12.5 GBP"),
        ("۲۵۰ هزار تومان", "250000 toman"),
        ("٢٥٠ ریال", "250 IRR"),
        ("2 hiljade dinara", "2000 RSD"),
        ("2 хиљаде динара", "2000 RSD"),
        ("₺99,90", "99.90 TRY"),
    ],
)
def test_amounts_are_read_in_every_format(text: str, value: str) -> None:
    """Commas or points, signs before or after, Persian and Arabic digits, words for thousands."""
    assert found(text) == [("amount", value)]


@pytest.mark.parametrize(
    "text",
    [
        "call me on 07700 900123",
        "10/10",
        "five stars",
        "room 204",
        "we were 2 people",
        "in 2024 it was better",
        "the order was wrong",
        "I sat by the window",
        "100% happy",
        "",
    ],
)
def test_other_numbers_are_left_alone(text: str) -> None:
    """Phone numbers, ratings, rooms and years are no details."""
    assert found(text) == []


def test_what_is_one_thing_is_not_another_too() -> None:
    """A bill of 350 lira is an amount and no order number; "saat 5" is a time and "5 saat" is how long."""
    assert found("fatura 350 tl") == [("amount", "350 TRY")]
    assert found("saat 5'te geldim") == [("time", "5:00")]
    assert found("5 saat bekledim") == [("duration", "5 h")]


def test_an_evening_hour_is_told_on_one_clock() -> None:
    """Half past seven in the evening is 19:30; noon and midnight are not moved."""
    assert found("7:30 pm") == [("time", "19:30")]
    assert found("12:15 pm") == [("time", "12:15")]
    assert found("25:00") == []


def test_a_very_long_text_is_read_only_so_far() -> None:
    """Nothing a customer pastes takes noticeable time."""
    assert DetailKind.AMOUNT.value not in [kind for kind, _ in found("x " * 1000 + "35 €")]
