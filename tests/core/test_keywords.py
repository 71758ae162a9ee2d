"""Keywords: STOP, START and HELP in every language we write."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.keywords import Keyword, read_keyword

STOPS = {
    "everywhere": "STOP STOPALL UNSUBSCRIBE CANCEL END QUIT REVOKE OPTOUT ARRET ARRÊT REMOVE TD",
    "written by hand": "stop Stop. STOP! «Stop»",
    "Turkish": "DUR dur Dur! İPTAL iptal IPTAL ıptal ıptal? İptal. RET ret",
    "Greek": "ΣΤΟΠ στοπ Στοπ. ΔΙΑΓΡΑΦΗ διαγραφή Διαγραφη",
    "Persian": "لغو لغو. \u200fلغو\u200f",
    "Serbian": "СТОП стоп STOP ODJAVA odjava Odjava. ОДЈАВА",
    "Spanish and German": "BAJA baja STOPP Abmelden",
}


@pytest.mark.parametrize("body", [word for words in STOPS.values() for word in words.split()])
def test_stop(body: str) -> None:
    """Every opt-out word stops us, however it is written."""
    command = read_keyword(body)

    assert command is not None
    assert command.keyword is Keyword.STOP


@pytest.mark.parametrize("body", ["opt out", "Opt-out", " OPT  OUT\n", "stop all", "\ufeffSTOP", "ＳＴＯＰ", "STOP 🛑"])
def test_stop_in_unusual_clothes(body: str) -> None:
    """Spaces, hyphens, width, invisible marks and emoji do not hide an opt-out."""
    command = read_keyword(body)

    assert command is not None
    assert command.keyword is Keyword.STOP


@pytest.mark.parametrize(
    "body",
    [
        "",
        "...",
        "STOP please",
        "please stop texting me",
        "the noise didn't stop",
        "it never ends",
        "Durduk yere bekledik",
        "iptal etmek istiyorum",
        "دیر رسید",
        "fine, thanks",
        "yes",
        "helpful staff",
        "starter was cold",
    ],
)
def test_not_a_keyword(body: str) -> None:
    """A keyword inside a sentence is a sentence; the intent layer reads it."""
    assert read_keyword(body) is None


@pytest.mark.parametrize(
    ("body", "keyword"),
    [
        ("START", Keyword.START),
        ("unstop", Keyword.START),
        ("Başlat", Keyword.START),
        ("έναρξη", Keyword.START),
        ("HELP", Keyword.HELP),
        ("Info?", Keyword.HELP),
        ("YARDIM", Keyword.HELP),
        ("yardim", Keyword.HELP),
        ("Βοηθεια", Keyword.HELP),
        ("راهنما", Keyword.HELP),
        ("pomoc", Keyword.HELP),
    ],
)
def test_start_and_help(body: str, keyword: Keyword) -> None:
    """START and HELP are read the same way."""
    command = read_keyword(body)

    assert command is not None
    assert command.keyword is keyword


@pytest.mark.parametrize("body", ["YES", "Evet", "ναι", "بله", "Da.", "да", "sí", "Ja!"])
def test_yes_takes_back_an_opt_out_and_is_an_answer_otherwise(body: str) -> None:
    """YES re-subscribes only someone who is opted out."""
    assert read_keyword(body) is None

    command = read_keyword(body, opted_out=True)

    assert command is not None
    assert command.keyword is Keyword.START


@pytest.mark.parametrize(
    ("body", "language"),
    [
        ("STOP", None),
        ("dur", "tr"),
        ("ΣΤΟΠ", "el"),
        ("لغو", "fa"),
        ("СТОП", "sr-Cyrl"),
        ("odjava", "sr-Latn"),
        ("Hilfe", "de"),
    ],
)
def test_the_word_tells_the_language_of_the_answer(body: str, language: str | None) -> None:
    """Someone who writes DUR is answered in Turkish; STOP tells nothing."""
    command = read_keyword(body)

    assert command is not None
    assert command.language == language


LAW = {
    Keyword.STOP: (
        *("STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT", "opt out", "ARRET"),
        *("REMOVE", "TD", "DUR", "İPTAL", "RET", "ΣΤΟΠ", "ΔΙΑΓΡΑΦΗ", "لغو", "СТОП", "ODJAVA"),
    ),
    Keyword.HELP: ("HELP", "INFO"),
    Keyword.START: ("START", "UNSTOP"),
}
"""The words every carrier and the business's own countries ask for."""

CASES = (str, str.lower, str.upper, str.capitalize, str.swapcase)
AROUND = (*" \t\n.!?…,;:'\"-–*()«»“”¡¿", "🛑", "🙏🏽", "❤️", "\u200f", "\ufeff", "\u00a0")
trimmings = st.lists(st.sampled_from(AROUND), max_size=4).map("".join)


@given(
    st.sampled_from([(keyword, word) for keyword, words in LAW.items() for word in words]),
    st.sampled_from(CASES),
    st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]),
    trimmings,
    trimmings,
)
def test_every_word_is_heard_however_it_is_dressed(
    law: tuple[Keyword, str], case: Callable[[str], str], form: str, before: str, after: str
) -> None:
    """In any case, with its accents composed or apart, between spaces, marks and emoji."""
    keyword, word = law

    command = read_keyword(before + unicodedata.normalize(form, case(word)) + after)

    assert command is not None
    assert command.keyword is keyword


@given(st.permutations("İiIı"), st.sampled_from([("{}PTAL", Keyword.STOP), ("yard{}m", Keyword.HELP)]))
def test_the_four_turkish_is_are_one_letter(letters: list[str], word: tuple[str, Keyword]) -> None:
    """Phones set to another language write whichever they have."""
    for letter in letters:
        command = read_keyword(word[0].format(letter))
        assert command is not None
        assert command.keyword is word[1]


@given(st.text(max_size=40))
def test_reading_never_fails(body: str) -> None:
    """Any text can be read, and the surrounding punctuation does not change what it says."""
    assert read_keyword(f" \t«{body}»!? ") == read_keyword(body)
