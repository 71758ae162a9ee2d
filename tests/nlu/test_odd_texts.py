"""Odd replies get a sensible answer: nobody is recovered or thanked on the strength of a dot."""

from __future__ import annotations

import pytest

from bot.core.vocabulary import Verdict
from bot.nlu.identifying import LANGUAGES
from bot.nlu.questions import OPEN
from bot.nlu.score import judge
from bot.nlu.scorer import Scorer, default_scorer


@pytest.fixture(scope="module", params=["as shipped", "without embeddings"])
def scorer(request: pytest.FixtureRequest) -> Scorer:
    """The scorer that ships, and the same where there is no sentence embedding."""
    return default_scorer() if request.param == "as shipped" else Scorer.load(embedder=None)


def verdict(scorer: Scorer, text: str, language: str | None) -> Verdict:
    """What comes of a reply with nothing else known."""
    return judge(text, language, OPEN, None, scorer).verdict


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("text", ["3", "5", "k", "...", "?", "😐", "7 8", "🤷"])
def test_too_little_to_go_by_is_not_decided(scorer: Scorer, text: str, language: str) -> None:
    """A number, a letter, dots, a blank face: we abstain, which asks one soft question, and say why."""
    judged = judge(text, language, OPEN, None, scorer)

    assert judged.verdict is Verdict.LUKEWARM
    assert "too_little" in {signal.name for signal in judged.signals}


@pytest.mark.parametrize("language", [*LANGUAGES, None])
def test_a_thumb_is_an_answer_in_any_language(scorer: Scorer, language: str | None) -> None:
    """A thumb up is thanked, a thumb down recovered, with or without a language."""
    assert verdict(scorer, "👍", language) is Verdict.SATISFIED
    assert verdict(scorer, "👎", language) in {Verdict.MASKED, Verdict.COMPLAINT}


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("อาหารอร่อยมาก ขอบคุณค่ะ", "th"),
        ("แย่มาก รอนานมาก ไม่มาอีกแล้ว", "th"),
        ("Tutto perfetto, grazie mille", "it"),
        ("Il servizio era pessimo e nessuno ci ha aiutati", "it"),
        ("料理が冷めていました", "ja"),
    ],
)
def test_a_language_we_have_not_learnt_is_not_decided(scorer: Scorer, text: str, language: str) -> None:
    """We abstain and say that it is the language; nobody is thanked for a complaint we could not read."""
    judged = judge(text, language, OPEN, None, scorer)

    assert judged.verdict is Verdict.LUKEWARM
    assert "unknown_language" in {signal.name for signal in judged.signals}


def test_a_transcript_without_punctuation_is_heard(scorer: Scorer) -> None:
    """As a voice message arrives: no commas, no capitals, no full stops."""
    said = (
        "yeah so we went in on saturday and it was all right i suppose um the lady at the desk was nice enough but then"
        " we sat there for about fifty minutes and nobody came and told us anything in the end my husband went to ask"
    )

    assert verdict(scorer, said, "en") in {Verdict.MASKED, Verdict.COMPLAINT}


@pytest.mark.parametrize(
    ("text", "unhappy"),
    [
        ("The waiting went on and on and nobody told us anything at all. " * 26, True),
        ("The starters were lovely and everybody was kind to my mother. " * 26, False),
    ],
)
def test_sixteen_hundred_characters_are_read(scorer: Scorer, text: str, unhappy: bool) -> None:
    """As long as the longest SMS of ten segments: the whole of it counts."""
    judged = judge(text[:1600], "en", OPEN, None, scorer)

    assert (judged.verdict in {Verdict.MASKED, Verdict.COMPLAINT}) is unhappy
    assert all(len(signal.evidence) <= 100 for signal in judged.signals)


@pytest.mark.parametrize(
    ("text", "language", "unhappy"),
    [
        ("gut danke but the room was cold", "en", True),
        ("food was great pero esperamos una hora", "es", True),
        ("merhaba, everything was perfect, thank you so much", "en", False),
        ("muy bien todo, thank you, perfecto", "es", False),
    ],
)
def test_two_languages_in_one_reply(scorer: Scorer, text: str, language: str, unhappy: bool) -> None:
    """Read in the language that is recorded, which is enough where the point is made in it."""
    assert (verdict(scorer, text, language) in {Verdict.MASKED, Verdict.COMPLAINT}) is unhappy
