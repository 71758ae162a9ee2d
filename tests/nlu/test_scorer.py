"""What the scorer hears in a reply, and the words it shows for it."""

from __future__ import annotations

import time

import pytest

from bot.nlu.scorer import Heard, Scorer, default_scorer


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    """The scorer that ships."""
    return default_scorer()


def names(heard: Heard) -> set[str]:
    """Which signals were seen."""
    return {signal.name for signal in heard.signals}


def test_a_masked_complaint_is_heard_with_the_words_that_gave_it_away(scorer: Scorer) -> None:
    """ "Fine I guess, bit of a wait though" is unhappy, and each hint is a piece of the customer's own text."""
    text = "it was fine I guess, bit of a wait though"

    heard = scorer.score(text, "en")

    assert heard.p > 0.7
    assert {"hedge", "contrast", "named_failure"} <= names(heard)
    assert (heard.failure, heard.failure_words) == ("wait", "bit of a wait")
    assert all(text[signal.start : signal.end] == signal.evidence for signal in heard.signals)


@pytest.mark.parametrize(
    ("text", "language", "failure", "words"),
    [
        (
            "It was alright I suppose, took a while for anyone to notice us",
            "en",
            "wait",
            "took a while for anyone to notice us",
        ),
        ("nice enough, but the shower was cold", "en", "quality", "the shower was cold"),
        ("Fine, though nobody told us about the change", "en", "communication", "nobody told us about the change"),
        ("İdare ederdi ama epey bekledik", "tr", "wait", "epey bekledik"),
        ("fena degildi, corba soguk geldi", "tr", "quality", "corba soguk geldi"),
        ("İyiydi de paketin köşesi ezilmişti", "tr", "damage", "paketin köşesi ezilmişti"),
        ("Neyse, KİMSE HABER VERMEDİ", "tr", "communication", "KİMSE HABER VERMEDİ"),
    ],
)
def test_polite_words_do_not_hide_what_went_wrong(
    scorer: Scorer, text: str, language: str, failure: str, words: str
) -> None:
    """The failure is named with the clause in the customer's own words and spelling."""
    heard = scorer.score(text, language)

    assert heard.p >= 0.5
    assert (heard.failure, heard.failure_words) == (failure, words)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("all good, thanks", "en"),
        ("no complaints at all, wonderful evening", "en"),
        ("I didn’t have to wait at all, brilliant", "en"),
        ("Lovely ❤️", "en"),
        ("her şey çok güzeldi, teşekkürler", "tr"),
        ("COK MEMNUN KALDIK", "tr"),
        ("hiç beklemedik, harikaydı", "tr"),
        ("süperdi 👍", "tr"),
    ],
)
def test_a_happy_customer_is_believed(scorer: Scorer, text: str, language: str) -> None:
    """Praise scores low and names no failure, denied failures included."""
    heard = scorer.score(text, language)

    assert heard.p < 0.3
    assert heard.failure == ""


@pytest.mark.parametrize(
    ("text", "language", "words"),
    [
        ("lovely, though parking was a pain", "en", "parking was a pain"),
        ("her şey harikaydı, sadece otopark doluydu", "tr", "otopark doluydu"),
    ],
)
def test_a_passing_remark_is_kept_without_making_a_complaint_of_it(
    scorer: Scorer, text: str, language: str, words: str
) -> None:
    """Praise with a remark stays praise; the remark is still named."""
    heard = scorer.score(text, language)

    assert heard.p < 0.5
    assert heard.failure == "availability"
    assert heard.failure_words == words


def test_what_was_asked_decides_what_an_answer_means(scorer: Scorer) -> None:
    """ "Staff" is praise after "what was good?" and a hint after "what could be better?"."""
    after_improve = scorer.score("staff", "en", "improve")
    after_good = scorer.score("staff", "en", "good")

    assert after_improve.p > 3 * after_good.p


@pytest.mark.parametrize(("text", "unhappy"), [("👎", True), ("😡", True), ("👍", False), ("😍", False)])
def test_an_emoji_alone_is_an_answer(scorer: Scorer, text: str, unhappy: bool) -> None:
    """The raw text is scored, emoji included, in a language with data and in one without."""
    assert (scorer.score(text, "en").p >= 0.5) is unhappy
    assert (scorer.score(text, "tr").p >= 0.5) is unhappy


@pytest.mark.parametrize("text", ["", "   ", "\n"])
def test_an_empty_text_says_nothing(scorer: Scorer, text: str) -> None:
    """No text, no probability, no signals."""
    assert scorer.score(text, "en") == Heard(0.0)


@pytest.mark.parametrize(
    "text",
    [
        "غذا سرد بود و خیلی منتظر ماندیم",
        "\u202eevil\u202c",
        "<script>alert('x')</script>",
        "\x00\x01",
        "ﷺ" * 40,
        "İ" * 50,
        "e\u0301" * 30,
    ],
)
def test_any_text_is_read_without_harm(scorer: Scorer, text: str) -> None:
    """Right-to-left, markup, control characters and combining marks keep their offsets."""
    for language in ("en", "tr", "fa", None):
        heard = scorer.score(text, language)

        assert 0 <= heard.p <= 1
        assert all(text[signal.start : signal.end] == signal.evidence for signal in heard.signals)


def test_a_very_long_text_is_read_and_quoted_briefly(scorer: Scorer) -> None:
    """Five thousand characters are scored, and what is said back stays short enough for one message."""
    text = ("we sat there and the waiting went on and on without a single word from anybody at all " * 60)[:5000]

    started = time.process_time()
    heard = scorer.score(text, "en")

    assert heard.p >= 0.5
    assert 0 < len(heard.failure_words) <= 90
    assert time.process_time() - started < 5


def test_coarse_words_are_heard_and_never_said_back(scorer: Scorer) -> None:
    """The failure is known; the quote stays empty, so the apology uses our own words."""
    heard = scorer.score("the fucking driver was rude", "en")

    assert heard.failure == "staff"
    assert heard.failure_words == ""


def test_a_language_without_data_still_gets_an_undecided_answer(scorer: Scorer) -> None:
    """Nothing is claimed where nothing was learnt: neither happy nor unhappy for certain."""
    heard = scorer.score("alles war irgendwie so lala", "xx")

    assert 0.1 < heard.p < 0.9
    assert heard.failure == ""
