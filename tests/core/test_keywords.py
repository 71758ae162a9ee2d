"""Keywords: STOP, START and HELP in every language we write."""

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


@given(st.text(max_size=40))
def test_reading_never_fails(body: str) -> None:
    """Any text can be read, and the surrounding punctuation does not change what it says."""
    assert read_keyword(f" \t«{body}»!? ") == read_keyword(body)
