"""Which language a text is in, as far as its letters and words tell; needs no Rasa."""

from __future__ import annotations

from functools import cache

from py3langid.langid import MODEL_DIR, MODEL_FILE, LanguageIdentifier

LANGUAGES = ("en", "tr", "el", "fa", "sr", "es", "de")
TOO_FEW_WORDS = 3
SCRIPTS = (("el", "\u0370", "\u03ff"), ("sr", "\u0400", "\u04ff"), ("fa", "\u0600", "\u06ff"))
LETTERS = {"tr": set("ğĞşŞıİ"), "es": set("ñÑ¿¡"), "de": set("ßäÄ"), "sr": set("čČćĆžŽđĐšŠ")}


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
