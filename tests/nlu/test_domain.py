"""The bot's words: how they sound, that each language has them, and that exactly one text fits a moment."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.core.vocabulary import Failure

ROOT = Path(__file__).resolve().parents[2]
DOMAIN = yaml.safe_load((ROOT / "domain.yml").read_text("utf-8"))
RESPONSES: dict[str, list[dict[str, Any]]] = DOMAIN["responses"]
TEXTS = [(name, response["text"]) for name, responses in RESPONSES.items() for response in responses]
FINISHED_LANGUAGES = ("en", "tr", "el", "fa", "sr-Latn", "sr-Cyrl", "es", "de")

KNOWN = ("", "late", "wait", "remade", "rescheduled")
QUESTION_MARK = {"el": ";", "fa": "؟"}
WRITER = re.compile(
    r"automated assistant|otomatik asistan|αυτόματος βοηθός|دستیار خودکار|automatski asistent|аутоматски асистент"
    r"|asistente virtual|automatischer? Assistent"
)
WAY_OUT = re.compile(r"(?<!\w)(STOP|DUR|ΣΤΟΠ|لغو|СТОП)(?!\w)")
OWNED = re.compile(r"I am sorry|özür dilerim|ζητώ συγγνώμη|عذر می‌خواهم|Žao mi je|Жао ми је|lo siento|tut mir leid")

NEVER = re.compile(
    r"\b(but|unfortunately|however|inconvenience|please be advised|per our policy|you will need to contact|as stated"
    r"|calm down|our system|high volumes?|valued|we strive|survey|discount|voucher|rate us"
    r"|maalesef|ne yazık ki|ama|fakat|ancak|lakin|anket|indirim|kupon|puan verin"
    r"|αλλά|όμως|ωστόσο|δυστυχώς|έρευνα|έκπτωση|ولی|اما|متأسفانه|نظرسنجی|تخفیف"
    r"|ali|nažalost|anketa|popust|али|нажалост|анкета|попуст|pero|lamentablemente|encuesta|descuento"
    r"|aber|leider|umfrage|rabatt)\b|!",
    re.IGNORECASE,
)


def conditions(response: dict[str, Any]) -> dict[str, Any]:
    """The slots a text asks for."""
    return {condition["name"]: condition["value"] for condition in response.get("condition", ())}


def fitting(name: str, slots: dict[str, Any]) -> list[str]:
    """The texts Rasa would choose among: those whose conditions hold, else those without any."""
    responses = RESPONSES[name]
    held = [r for r in responses if conditions(r) and all(slots.get(k) == v for k, v in conditions(r).items())]
    return [r["text"] for r in held or [r for r in responses if not conditions(r)]]


@pytest.mark.parametrize(("name", "text"), TEXTS)
def test_nothing_we_say_is_an_excuse_or_a_sale(name: str, text: str) -> None:
    """No "but", no regret by formula, no gift before the fix, no exclamation marks (voice)."""
    assert not NEVER.search(text), name


@pytest.mark.parametrize("name", RESPONSES)
def test_every_finished_language_has_every_word(name: str) -> None:
    """English is the text without conditions; each other finished language has its own."""
    languages = {conditions(response).get("language", "en") for response in RESPONSES[name]}

    assert set(FINISHED_LANGUAGES) <= languages


@pytest.mark.parametrize(
    ("language", "channel", "known"),
    list(itertools.product([*FINISHED_LANGUAGES, "it", None], ["sms", "webchat"], KNOWN)),
)
def test_exactly_one_opening_fits(language: str | None, channel: str, known: str) -> None:
    """One text for each moment: it names the business, says what is writing, and owns what we know went wrong."""
    [text] = fitting("utter_check_in", {"language": language, "channel": channel, "known_failure": known})

    assert "{business}" in text
    assert text.count(QUESTION_MARK.get(language or "", "?")) == 1
    assert WRITER.search(text)
    if channel == "sms":
        assert WAY_OUT.search(text)
    if known and language in FINISHED_LANGUAGES:
        assert OWNED.search(text)


def test_the_web_chat_is_not_told_to_text_stop() -> None:
    """STOP is how one leaves SMS; a page can be closed."""
    for language, known in itertools.product(FINISHED_LANGUAGES, KNOWN):
        [text] = fitting("utter_check_in", {"language": language, "channel": "webchat", "known_failure": known})

        assert not WAY_OUT.search(text)


@pytest.mark.parametrize("failure", [failure.value for failure in Failure if failure is not Failure.NONE])
def test_every_failure_has_an_apology_of_its_own(failure: str) -> None:
    """With the customer's words where we have them, without them where we do not."""
    assert all("{failure_words}" in r["text"] for r in RESPONSES[f"utter_apologise_{failure}_words"])
    assert not any("{" in r["text"] for r in RESPONSES[f"utter_apologise_{failure}"])


@pytest.mark.parametrize(("name", "text"), TEXTS)
def test_a_text_names_only_slots_that_exist(name: str, text: str) -> None:
    """A misspelt slot would reach the customer in braces."""
    assert set(re.findall(r"{(\w+)}", text)) <= set(DOMAIN["slots"]), name


@pytest.mark.parametrize(("name", "text"), TEXTS)
def test_a_text_fits_two_segments(name: str, text: str) -> None:
    """Two SMS segments in the alphabet of the language, with names of ordinary length filled in."""
    filled = re.sub(
        r"{(\w+)}",
        lambda slot: {"failure_words": "a" * 25}.get(slot[1], "Ayşe Nur" if not text.isascii() else "Robin May"),
        text,
    )

    assert len(filled) <= (306 if filled.isascii() else 134), len(filled)
