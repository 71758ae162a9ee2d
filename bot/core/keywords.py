"""The words that bind us by law: STOP, START and HELP, in every language we write.

A keyword is the whole message and nothing else: "Stop." is one, "the noise didn't stop" is not, and "please stop
texting me" is for the intent layer. Reading is blind to case, accents, dotted and dotless i, width, surrounding
punctuation and invisible direction marks, because none of them changes what the customer meant.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from enum import StrEnum


class Keyword(StrEnum):
    """What the customer commands."""

    STOP = "stop"
    START = "start"
    HELP = "help"


@dataclass(frozen=True, slots=True)
class Command:
    """A keyword, and the language of its word where the word belongs to one alone."""

    keyword: Keyword
    language: str | None


_EVERYWHERE = ""

_WORDS: dict[Keyword, dict[str, tuple[str, ...]]] = {
    Keyword.STOP: {
        _EVERYWHERE: (
            *("stop", "stop all", "stopall", "unsubscribe", "cancel", "end", "quit", "revoke", "optout", "opt out"),
            *("arret", "remove", "td"),
        ),
        "tr": ("dur", "iptal", "ret"),
        "el": ("στοπ", "διαγραφή"),
        "fa": ("لغو",),
        "sr-Cyrl": ("стоп", "одјава"),
        "sr-Latn": ("odjava",),
        "es": ("baja",),
        "de": ("stopp", "abmelden"),
    },
    Keyword.START: {
        _EVERYWHERE: ("start", "unstop"),
        "tr": ("başla", "başlat"),
        "el": ("έναρξη",),
        "fa": ("شروع",),
        "sr-Cyrl": ("старт", "пријава"),
        "sr-Latn": ("prijava",),
        "es": ("alta",),
        "de": ("anmelden",),
    },
    Keyword.HELP: {
        _EVERYWHERE: ("help", "info"),
        "tr": ("yardım",),
        "el": ("βοήθεια",),
        "fa": ("راهنما",),
        "sr-Cyrl": ("помоћ",),
        "sr-Latn": ("pomoć",),
        "es": ("ayuda",),
        "de": ("hilfe",),
    },
}

_YES: dict[str, tuple[str, ...]] = {
    "en": ("yes",),
    "tr": ("evet",),
    "el": ("ναι",),
    "fa": ("بله",),
    "sr-Cyrl": ("да",),
    "sr-Latn": ("da",),
    "es": ("sí",),
    "de": ("ja",),
}


def read_keyword(body: str, *, opted_out: bool = False) -> Command | None:
    """The command that `body` is, or None when it is a message like any other.

    "Yes" takes back an opt-out, so it is a command only from someone who is `opted_out`; otherwise it is an answer.
    """
    word = _fold(body)
    return _COMMANDS.get(word) or (_YES_COMMANDS.get(word) if opted_out else None)


def _fold(body: str) -> str:
    """Letters and digits only, lower case, without marks; inner punctuation and spaces become one space.

    Turkish upper-cases i to İ and ı to I, so all four are one letter here: "İPTAL", "iptal" and "ıptal" are one word.
    """
    plain = (c for c in unicodedata.normalize("NFKD", body) if unicodedata.category(c) not in {"Mn", "Me", "Cf"})
    lower = "".join(plain).casefold().replace("ı", "i")
    return " ".join("".join(c if c.isalnum() else " " for c in lower).split())


def _commands() -> dict[str, Command]:
    return {
        _fold(word): Command(keyword, language or None)
        for keyword, languages in _WORDS.items()
        for language, words in languages.items()
        for word in words
    }


_COMMANDS = _commands()
_YES_COMMANDS = {_fold(word): Command(Keyword.START, language) for language, words in _YES.items() for word in words}
