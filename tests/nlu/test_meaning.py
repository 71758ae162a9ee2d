"""The second reading: when it is asked, what it adds, and the reasons it gives."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from bot.nlu.embedding import WIDTH, Vectors
from bot.nlu.linear import Model
from bot.nlu.meaning import MOST_WORDS_LOGIT, Direction, Meaning, read_meaning, write_meaning
from bot.nlu.questions import GOOD, IMPROVE, OPEN, UNASKED
from bot.nlu.scorer import Scorer


def direction(bias: float, weight: float) -> Direction:
    """Unhappiness along the first of the numbers."""
    weights = np.zeros(WIDTH, np.float32)
    weights[0] = weight
    return Direction(bias, weights)


MEANING = Meaning(
    directions={
        OPEN: direction(0.0, 4.0),
        IMPROVE: direction(1.0, 4.0),
        GOOD: direction(-1.0, 4.0),
        UNASKED: direction(0.0, 2.0),
    },
    words=0.5,
    words_unasked=0.25,
    cues={"hedge": 0.7},
    unsure={"asked": (0.2, 0.8), "en asked": (0.4, 0.6), "unasked": (0.0, 1.0)},
)


class Feeling:
    """Texts with "cold" in them point to unhappiness, all others away from it."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def embed(self, texts: Sequence[str]) -> Vectors:
        """[texts, WIDTH]."""
        self.asked += texts
        vectors = np.zeros((len(texts), WIDTH), np.float32)
        vectors[:, 0] = [1.0 if "cold" in text else -1.0 for text in texts]
        return vectors


def scorer(embedder: Feeling | None, bias: float = 0.0) -> Scorer:
    """One that knows no words in English and nothing of any other language."""
    return Scorer({"en": Model(bias), "any": Model(bias)}, MEANING, embedder)


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    """Rounding to whole numbers moves no weight by more than a four-thousandth of the heaviest."""
    write_meaning(MEANING, tmp_path / "meaning.json.gz")

    read = read_meaning(tmp_path / "meaning.json.gz")

    assert read is not None
    assert (read.words, read.words_unasked, read.cues, read.unsure) == (0.5, 0.25, {"hedge": 0.7}, MEANING.unsure)
    for question, expected in MEANING.directions.items():
        assert read.directions[question].bias == expected.bias
        assert np.abs(read.directions[question].weights - expected.weights).max() <= 4.0 / 4000


def test_the_same_weights_are_the_same_bytes(tmp_path: Path) -> None:
    """No time of day in the file."""
    for name in ("one", "two"):
        write_meaning(MEANING, tmp_path / name)

    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_without_weights_there_is_no_second_reading(tmp_path: Path) -> None:
    """The file is optional."""
    assert read_meaning(tmp_path / "meaning.json.gz") is None


def test_the_meaning_is_asked_only_where_the_words_leave_doubt() -> None:
    """Sure words cost no embedding; doubtful ones are overruled by the meaning."""
    sure, doubtful = Feeling(), Feeling()

    certain = scorer(sure, bias=3.0).score("soup", "en")
    overruled = scorer(doubtful).score("soup was cold", "en")

    assert sure.asked == []
    assert certain.p == pytest.approx(0.9526)
    assert doubtful.asked == ["soup was cold"]
    assert overruled.p > 0.95


def test_the_reason_is_named_with_the_customers_words() -> None:
    """The signal "meaning" carries what the embedding added, and a piece of the text."""
    heard = scorer(Feeling()).score("soup was cold", "en")

    [meaning] = [signal for signal in heard.signals if signal.name == "meaning"]
    assert meaning.weight == pytest.approx(4.0)
    assert meaning.evidence == "soup was cold"


def test_what_was_asked_bends_the_meaning() -> None:
    """The same vector is unhappier after "what could be better?" than after "what was good?"."""
    reader = scorer(Feeling())

    assert reader.score("cold", "en", IMPROVE).p > reader.score("cold", "en", OPEN).p
    assert reader.score("cold", "en", OPEN).p > reader.score("cold", "en", GOOD).p


def test_words_count_up_to_a_point_and_cues_only_in_answers() -> None:
    """Beyond the cut the words are no surer; a text that answers nothing has its cues in its words already."""
    assert MEANING.rest(50.0, [], OPEN) == 0.5 * MOST_WORDS_LOGIT
    assert MEANING.rest(0.0, ["hedge"], OPEN) == 0.7
    assert MEANING.rest(0.0, ["hedge"], UNASKED) == 0.0


@pytest.mark.parametrize(
    ("p", "language", "question", "unsure"),
    [(0.3, "en", OPEN, False), (0.5, "en", OPEN, True), (0.3, "tr", IMPROVE, True), (0.9, "tr", UNASKED, True)],
)
def test_each_language_and_kind_of_text_has_its_own_doubt(p: float, language: str, question: str, unsure: bool) -> None:
    """The band of the language, else that of answers or of other texts."""
    assert MEANING.is_unsure(p, language, question) is unsure


def test_without_an_embedder_the_words_stand() -> None:
    """The probability of the first reading, and none of the second's reasons."""
    heard = scorer(None).score("soup was cold", "en")

    assert heard.p == 0.5
    assert "meaning" not in {signal.name for signal in heard.signals}


def test_what_an_unknown_language_means_orders_and_does_not_decide() -> None:
    """Unhappier texts stay above happier ones, all of them where we abstain."""
    reader = scorer(Feeling())

    unhappy, happy = reader.score("ซุป cold มาก", "th"), reader.score("ซุปอร่อยมาก", "th")

    assert 0.3 <= happy.p < unhappy.p < 0.5
