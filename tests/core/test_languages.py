"""A customer who asks for their language gets it; one who mentions a language does not."""

import pytest

from bot.core.languages import requested_language, script_of, with_script


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("in English please", "en"),
        ("English?", "en"),
        ("Türkçe lütfen", "tr"),
        ("TÜRKÇE", "tr"),
        ("στα ελληνικά παρακαλώ", "el"),
        ("فارسی لطفا", "fa"),
        ("na srpskom molim", "sr"),
        ("srpski molim", "sr"),
        ("на српски молим", "sr"),
        ("en español por favor", "es"),
        ("auf Deutsch bitte", "de"),
    ],
)
def test_a_request_for_a_language_is_understood_in_every_language(text: str, language: str | None) -> None:
    """With the polite words that come along."""
    assert requested_language(text) == language


@pytest.mark.parametrize(
    "text",
    ["the English breakfast was cold", "Turkish coffee was lovely", "deutsch", "", "my German colleague waited"],
)
def test_naming_a_language_is_not_asking_for_it(text: str) -> None:
    """Except when the name is all there is."""
    assert requested_language(text) == ("de" if text == "deutsch" else None)


@pytest.mark.parametrize(
    ("text", "script"), [("чекали смо", "Cyrl"), ("čekali smo", "Latn"), ("👍 5/5", None), ("OK, чекали смо", "Cyrl")]
)
def test_the_script_is_that_of_most_letters(text: str, script: str | None) -> None:
    """Digits and emoji have none."""
    assert script_of(text) == script


def test_serbian_comes_in_the_customers_script_and_nothing_else_changes() -> None:
    """A text without letters leaves the script as it was."""
    assert with_script("sr-Latn", "чекали смо") == "sr-Cyrl"
    assert with_script("sr-Cyrl", "👍") == "sr-Cyrl"
    assert with_script("en", "чекали смо") == "en"
