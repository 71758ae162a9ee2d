"""Which language a customer asks for, and which script they write in."""

from __future__ import annotations

import re
import unicodedata

_NAMES = {
    "en": ("english", "ingilizce", "αγγλικα", "انگلیسی", "engleski", "енглески", "ingles", "englisch"),
    "tr": ("turkish", "turkce", "τουρκικα", "ترکی", "turski", "турски", "turco", "turkisch"),
    "el": ("greek", "yunanca", "ελληνικα", "ellinika", "یونانی", "grcki", "грчки", "griego", "griechisch"),
    "fa": ("persian", "farsi", "farsca", "περσικα", "فارسی", "persijski", "персијски", "persa", "persisch"),
    "sr": ("serbian", "sirpca", "σερβικα", "صربی", "srpski", "srpskom", "српски", "српском", "serbio", "serbisch"),
    "es": ("spanish", "ispanyolca", "ισπανικα", "اسپانیایی", "spanski", "шпански", "espanol", "spanisch"),
    "de": ("german", "almanca", "γερμανικα", "آلمانی", "nemacki", "немачки", "aleman", "deutsch"),
}
_POLITE = re.compile(
    r"\b(please|in|can we|could you|speak|write|do you|lutfen|olarak|konus\w*|yaz\w*|parakalo|παρακαλω|στα|σε|μιλα\w*"
    r"|لطفا|لطفاً|به|molim|молим|na|на|en|por|favor|hable|escriba|auf|bitte|sprechen|schreiben)\b"
)
_LONGEST_REQUEST = 6


def requested_language(text: str) -> str | None:
    """The language that a short message asks to go on in, or None when it asks for none.

    "in English please" and "Türkçe lütfen" ask; "the English breakfast was cold" does not.
    """
    words = _folded(text).split()
    if not 0 < len(words) <= _LONGEST_REQUEST:
        return None
    for language, names in _NAMES.items():
        named = [word for word in words if word in names]
        if named:
            rest = [word for word in words if word not in names and not _POLITE.fullmatch(word)]
            polite = any(_POLITE.fullmatch(word) for word in words)
            return language if not rest and (polite or len(words) == 1) else None
    return None


def script_of(text: str) -> str | None:
    """`Cyrl` or `Latn`, whichever most letters of the text are in; None when there are none of either."""
    cyrillic = sum("CYRILLIC" in unicodedata.name(letter, "") for letter in text if letter.isalpha())
    latin = sum("LATIN" in unicodedata.name(letter, "") for letter in text if letter.isalpha())
    if not cyrillic and not latin:
        return None
    return "Cyrl" if cyrillic > latin else "Latn"


def with_script(language: str, text: str) -> str:
    """Serbian in the script this text is written in; every other language as it is."""
    if language.partition("-")[0] != "sr":
        return language
    script = script_of(text)
    return f"sr-{script}" if script else language


def _folded(text: str) -> str:
    plain = (c for c in unicodedata.normalize("NFKD", text) if unicodedata.category(c) not in {"Mn", "Cf"})
    lower = "".join(plain).casefold().replace("ı", "i")
    return "".join(c if c.isalnum() else " " for c in lower)
