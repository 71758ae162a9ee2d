"""What intents are told by: one spelling, n-grams, and a second reading where the words leave a doubt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from rasa.shared.nlu.training_data.message import Message

from bot.nlu.embedding import WIDTH, Vectors
from bot.nlu.intent_examples import FOLDS, Said, folds_of, near_duplicates, read_examples
from bot.nlu.intent_learning import Reader, Readings, says_of, train_reader
from bot.nlu.intent_meaning import IntentMeaning, read_intent_meaning, write_intent_meaning
from bot.nlu.spelling import ngrams, spelled

ANSWERS = [
    *(Said(text, "affirm", "en") for text in ("yes", "yes please", "yeah", "sure", "yes go ahead", "yes do that")),
    *(Said(text, "deny", "en") for text in ("no", "no thanks", "nope", "no need", "no not yet", "not really no")),
]


class Embedder:
    """Gives every text the same vector, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def embed(self, texts: Sequence[str]) -> Vectors:
        """All ones."""
        self.asked += texts
        return np.ones((len(texts), WIDTH), np.float32)


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    """Yes and no, learnt through the components of config.yml."""
    return train_reader(ANSWERS, tmp_path)


def meaning(*labels: str) -> IntentMeaning:
    """A second reading that takes everything for the last intent."""
    weights = np.zeros((len(labels), WIDTH))
    weights[-1] = 100.0
    return IntentMeaning(labels, weights, np.zeros(len(labels)), 1.0, 1.0, sure=0.9)


def intent_of(reader: Reader, text: str) -> str:
    """What the classifier makes of a text."""
    message: Message = reader.featurized(text)
    reader.classifier.process([message])
    return str(message.get("intent")["name"])


@pytest.mark.parametrize(
    ("own", "typed"), [("καλά ήταν", "kala itan"), ("ÇOK GÜZELDİ", "cok guzeldi"), ("¿Quién?", "¿quien?")]
)
def test_what_is_typed_in_plain_letters_is_spelt_alike(own: str, typed: str) -> None:
    """Missing accents and Greek on a Latin keyboard cost nothing."""
    assert spelled(own) == spelled(typed)


def test_a_word_at_the_end_is_not_a_word_in_the_middle() -> None:
    """The ends of a text are neighbours too; a text without words has no n-grams."""
    grams = list(ngrams("no, works"))

    assert {"wno", "wworks", "p no", "pno works", "pworks ", "c no", "cwork"} <= set(grams)
    assert list(ngrams("🎉 !!")) == []


def test_near_duplicates_stay_in_one_fold() -> None:
    """A changed accent or a full stop is no new sentence; another intent's or language's is."""
    examples = [
        *(Said(text, "thanks", "tr") for text in ("çok teşekkür ederim", "cok tesekkur ederim.", "sağ olun")),
        Said("cok tesekkur ederim", "thanks", "en"),
    ]

    same, as_this, other, foreign = near_duplicates(examples)

    assert same == as_this
    assert len({same, other, foreign}) == 3


def test_folds_are_the_same_every_time_and_keep_what_is_alike_together() -> None:
    """Cross-validated figures can be compared from one day to the next."""
    examples = [e for e in read_examples() if e.language == "fa" and e.intent in ("greet", "deny")]

    folds = folds_of(examples)

    assert set(folds) == set(range(FOLDS))
    assert (folds == folds_of(examples)).all()
    by_group: dict[int, set[int]] = {}
    for group, fold in zip(near_duplicates(examples), folds, strict=True):
        by_group.setdefault(group, set()).add(int(fold))
    assert all(len(in_folds) == 1 for in_folds in by_group.values())


def test_the_meaning_is_asked_only_where_the_words_leave_a_doubt(reader: Reader) -> None:
    """A clear answer needs no embedding, which is what costs time."""
    embedder, second = Embedder(), meaning(*reader.classifier.labels)

    reader.classifier.read_twice(replace(second, sure=0.0), embedder)
    assert intent_of(reader, "yes please") == "affirm"
    assert embedder.asked == []

    reader.classifier.read_twice(replace(second, sure=2.0), embedder)
    assert intent_of(reader, "yes please") == "deny"
    assert embedder.asked == ["yes please"]


@pytest.mark.parametrize("labels", [("affirm",), ("affirm", "deny", "thanks")])
def test_a_second_reading_of_other_intents_is_not_asked(reader: Reader, labels: tuple[str, ...]) -> None:
    """A bot with intents of its own is read by its words until it is taught anew."""
    embedder = Embedder()
    reader.classifier.read_twice(meaning(*labels), embedder)

    intent_of(reader, "yes and no")

    assert embedder.asked == []


def test_what_ships_knows_the_intents_of_the_examples() -> None:
    """Else nothing would ever be read twice."""
    shipped = read_intent_meaning()

    assert shipped is not None
    assert shipped.knows(sorted({example.intent for example in read_examples()}))


def test_weights_survive_being_written(tmp_path: Path) -> None:
    """Rounded a little; the same weights give the same bytes."""
    shipped = read_intent_meaning()
    assert shipped is not None

    for name in ("a", "b"):
        write_intent_meaning(shipped, tmp_path / name)

    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    again = read_intent_meaning(tmp_path / "a")
    assert again is not None
    assert np.allclose(again.weights, shipped.weights, atol=np.abs(shipped.weights).max() / 2000)
    assert read_intent_meaning(tmp_path / "missing") is None


def test_the_better_reading_counts_more() -> None:
    """How much each counts is learnt from what was held out."""
    truth, chance = np.array([0, 1] * 200), np.random.default_rng(7)
    often, seldom = chance.random(400) < 0.9, chance.random(400) < 0.6

    words, sense = says_of(Readings(("a", "b"), _right_where(seldom, truth), _right_where(often, truth), truth))

    assert sense > words > 0


def _right_where(right: NDArray[Any], truth: NDArray[Any]) -> NDArray[Any]:
    """Log-probabilities that are 0.7 sure of the truth there, and of the other intent elsewhere."""
    said = np.where(right, truth, 1 - truth)
    return np.asarray(np.log(np.where(np.eye(2)[said] > 0, 0.7, 0.3)))
