"""Which language a message is in: the recorded one first, a guess only where nothing is recorded."""

from __future__ import annotations

from functools import cache
from typing import Any

from py3langid.langid import MODEL_DIR, MODEL_FILE, LanguageIdentifier
from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.shared.nlu.constants import METADATA, TEXT
from rasa.shared.nlu.training_data.message import Message

LANGUAGES = ("en", "tr", "el", "fa", "sr", "es", "de")
TOO_FEW_WORDS = 3
SCRIPTS = (("el", "\u0370", "\u03ff"), ("sr", "\u0400", "\u04ff"), ("fa", "\u0600", "\u06ff"))
LETTERS = {"tr": set("ğĞşŞıİ"), "es": set("ñÑ¿¡"), "de": set("ßäÄ"), "sr": set("čČćĆžŽđĐšŠ")}
LANGUAGE = "language"


def language_of(text: str, recorded: str | None, default: str | None = None) -> str | None:
    """The recorded language; else a guess from more than three words; else the business's default, or `None`.

    Letters that only one of the languages uses need no more than one word.
    """
    if recorded:
        return recorded
    if told := _telling_letters(text):
        return told
    if len(text.split()) <= TOO_FEW_WORDS:
        return default
    return str(_identifier().classify(text)[0])


@cache
def _identifier() -> LanguageIdentifier:
    identifier = LanguageIdentifier.from_modelpath(MODEL_DIR / MODEL_FILE, norm_probs=True)
    identifier.set_languages(list(LANGUAGES))
    return identifier


def _telling_letters(text: str) -> str | None:
    """A script or letters that only one of the languages uses; half of the text for a script, one letter in Latin."""
    for language, first, last in SCRIPTS:
        if sum(first <= character <= last for character in text) * 2 > len(text.replace(" ", "")):
            return language
    found = [language for language, letters in LETTERS.items() if letters & set(text)]
    return found[0] if len(found) == 1 else None


@DefaultV1Recipe.register([DefaultV1Recipe.ComponentType.ENTITY_EXTRACTOR], is_trainable=False)
class LanguageDetector(GraphComponent):  # type: ignore[misc]
    """Sets `language` on a message."""

    @classmethod
    def create(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> LanguageDetector:
        """A component without anything to configure."""
        return cls()

    def process(self, messages: list[Message]) -> list[Message]:
        """Add the language to each message; `None` where it cannot be told."""
        for message in messages:
            facts = message.get(METADATA) or {}
            text = message.get(TEXT) or ""
            language = language_of(text, facts.get("language"), facts.get("default_language"))
            message.set(LANGUAGE, language, add_to_output=True)
        return messages
