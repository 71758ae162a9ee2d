"""Which language a reply is taken to be in."""

from __future__ import annotations

import pytest

from bot.nlu.identifying import language_of


def test_the_recorded_language_is_never_overruled() -> None:
    """A customer known to prefer Turkish keeps it, even when the words look English."""
    assert language_of("this is clearly an English sentence", "tr") == "tr"


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("we waited far too long for the food", "en"),
        ("siparişimiz bir saat sonra soğuk geldi", "tr"),
        ("memnun kalmadik cok bekledik bir daha gelmeyiz", "tr"),
        ("Όλα ήταν υπέροχα", "el"),
        ("خیلی خوب بود", "fa"),
        ("Све је било одлично", "sr"),
        ("Čekali smo jako dugo na hranu", "sr"),
        ("¿Dónde está mi pedido?", "es"),
        ("Wir haben sehr lange auf das Essen gewartet", "de"),
    ],
)
def test_an_unknown_customer_is_understood_from_the_text(text: str, language: str) -> None:
    """Seven languages, by letters that only one of them has or by the words."""
    assert language_of(text, None) == language


def test_three_words_or_fewer_are_not_guessed() -> None:
    """Too little to tell: the business's default, or nothing."""
    assert language_of("super ok", None) is None
    assert language_of("super ok", None, "de") == "de"
