"""The bot's words without Rasa."""

from pathlib import Path

import pytest

from bot.core.errors import Unusable
from bot.dialogue.words import Words, WordsMissing

DOMAIN = """
responses:
  utter_opted_out:
    - text: "You will get no more messages from {business}."
    - text: "{business} artık yazmayacak."
      condition: [{type: slot, name: language, value: tr}]
    - text: "{business} више неће писати."
      condition: [{type: slot, name: language, value: sr}]
    - text: "Webchat: {business} artık yazmayacak."
      channel: webchat
      condition: [{type: slot, name: language, value: tr}]
  utter_late:
    - text: "Sorry."
    - text: "Sorry, we were late."
      condition: [{type: slot, name: language, value: en}, {type: slot, name: late, value: true}]
  utter_only_turkish:
    - text: "Merhaba"
      condition: [{type: slot, name: language, value: tr}]
"""
BUSINESS = {"business": "Moda"}


@pytest.fixture
def words(tmp_path: Path) -> Words:
    """The words above."""
    (tmp_path / "domain.yml").write_text(DOMAIN, encoding="utf-8")
    return Words.load(tmp_path / "domain.yml")


def test_the_language_chooses_the_words(words: Words) -> None:
    """A language with words of its own is spoken to in it."""
    assert words.render("utter_opted_out", "tr", "sms", BUSINESS) == "Moda artık yazmayacak."


def test_words_for_the_channel_come_first(words: Words) -> None:
    """Where a text was written for the channel, it is said there."""
    assert words.render("utter_opted_out", "tr", "webchat", BUSINESS).startswith("Webchat")


@pytest.mark.parametrize("language", ["sr-Latn", "SR-Cyrl", "sr"])
def test_a_script_falls_back_to_its_language(words: Words, language: str) -> None:
    """Both scripts of Serbian find the words for Serbian."""
    assert words.render("utter_opted_out", language, slots=BUSINESS) == "Moda више неће писати."


@pytest.mark.parametrize("language", ["fa", "en", None])
def test_a_language_without_words_hears_the_default(words: Words, language: str | None) -> None:
    """The text without conditions is there for everybody."""
    assert words.render("utter_opted_out", language, slots=BUSINESS).startswith("You will get")


def test_every_condition_must_hold(words: Words) -> None:
    """A variation for a situation is for that situation only, and the default language has situations too."""
    assert words.render("utter_late", "en", slots={"late": False}) == "Sorry."
    assert words.render("utter_late", "fa", slots={"late": True}) == "Sorry, we were late."


def test_a_value_is_never_taken_for_a_slot(words: Words) -> None:
    """Braces in a name stay what they are."""
    assert "{business}" in words.render("utter_opted_out", "en", slots={"business": "{business} {x}"})


def test_missing_words_and_values_are_named(words: Words) -> None:
    """Nobody is ever sent a text with a hole in it."""
    with pytest.raises(WordsMissing, match="utter_unknown"):
        words.render("utter_unknown", "en")
    with pytest.raises(WordsMissing, match=r"\{business\}"):
        words.render("utter_opted_out", "en")
    with pytest.raises(WordsMissing, match="utter_only_turkish"):
        words.render("utter_only_turkish", "de")


@pytest.mark.parametrize("content", ["responses: [", "responses: {utter_a: text}", "intents: [a]", "- a list"])
def test_a_file_that_is_no_domain_is_refused(tmp_path: Path, content: str) -> None:
    """The error names the file."""
    (tmp_path / "domain.yml").write_text(content)

    with pytest.raises(Unusable, match=r"domain\.yml"):
        Words.load(tmp_path / "domain.yml")


def test_the_words_are_those_that_rasa_would_say(words: Words, tmp_path: Path) -> None:
    """Where a language has words for the situation, Rasa's own generator could have chosen the same text."""
    from bot import rasa_compat

    rasa_compat.install()
    from rasa.core.nlg.generator import ResponseVariationFilter
    from rasa.shared.core.domain import Domain

    responses = Domain.load(str(tmp_path / "domain.yml")).responses
    situations = [("utter_opted_out", language) for language in ("tr", "sr", "en", "fa")] + [("utter_late", "en")]
    for name, language in situations:
        for channel in ("sms", "webchat"):
            slots = {"language": language, "late": True, **BUSINESS}
            fitting = ResponseVariationFilter(responses).responses_for_utter_action(name, channel, slots)
            ours = words.render(name, language, channel, slots)
            assert ours in [variation["text"].replace("{business}", "Moda") for variation in fitting]
