"""How texts are made comparable, and how a finding leads back to the customer's own characters."""

from __future__ import annotations

import pytest

from bot.nlu.text import answer_ngrams, fold, ngrams


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("DEĞİL", "degil"),
        ("didn’t", "didnt"),
        ("Čekali smo", "cekali smo"),
        ("Чекали смо", "čekali smo"),
        ("Љубазни људи, џабе", "ljubazni ljudi, džabe"),
        ("Ђорђе", "Đorđe"),
        ("dođite", "dodjite"),
        ("كيفيت عالي", "کیفیت عالی"),
        ("می‌شود", "میشود"),
        ("Ήταν Ωραία", "ηταν ωραια"),
        ("Größe", "grosse"),
    ],
)
def test_what_reads_alike_is_alike(one: str, other: str) -> None:
    """Case, accents, apostrophes, both scripts of Serbian, Arabic letters in Persian."""
    assert fold(one).text == fold(other).text


@pytest.mark.parametrize("raw", ["Чекали смо дуго, љубазно", "غذا سرد بود كه", "İdare ederdi ☹️", "Größe", "e\u0301e"])
def test_every_folded_letter_knows_where_it_stood(raw: str) -> None:
    """Each origin is a character of the raw text, in order, and the span of the whole is the whole."""
    folded = fold(raw)

    assert len(folded.origin) == len(folded.text)
    assert list(folded.origin) == sorted(folded.origin)
    assert folded.raw_span(0, len(folded.text)) == (0, len(raw))


def test_a_letter_that_becomes_two_is_quoted_whole() -> None:
    """The span of "lju" in "љубазно" covers two characters, not three."""
    folded = fold("баш љубазно")
    at = folded.text.index("lju")

    start, end = folded.raw_span(at, at + 3)

    assert folded.raw[start:end] == "љу"


def test_an_answer_is_counted_by_words_pairs_and_parts() -> None:
    """Words, pairs and parts of words, and the first words again under the question."""
    found = set(ngrams("too slow"))

    assert {"wtoo", "wtoo slow", "c slow", "c o"} & found == {"wtoo", "wtoo slow", "c slow"}
    assert list(answer_ngrams("nothing really", "improve")) == ["qimprove", "qimprove nothing", "qimprove really"]
