"""The linear intent classifier inside Rasa's own pipeline machinery."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rasa.engine.graph import ExecutionContext, GraphSchema
from rasa.engine.storage.local_model_storage import LocalModelStorage
from rasa.engine.storage.resource import Resource
from rasa.shared.nlu.training_data.features import Features
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData
from scipy.sparse import csr_matrix

from bot.nlu.intent_classifier import LinearIntentClassifier

WORDS = ["cold", "late", "lovely", "thanks", "person", "call", "food", "the"]
EXAMPLES = {
    "complaint": ["cold food", "late", "the food late", "cold", "late food", "the cold food"],
    "praise": ["lovely", "thanks", "lovely food thanks", "the lovely food", "thanks lovely", "lovely the food"],
    "ask_for_person": ["person", "call", "person call", "the person", "call the person", "call call"],
}
CONTEXT = ExecutionContext(GraphSchema({}))


def message(text: str, intent: str | None = None) -> Message:
    """A message with a bag of words, as a featurizer leaves it."""
    counts = np.array([[text.split().count(word) for word in WORDS]], dtype=float)
    result = Message.build(text, intent)
    if counts.any():
        result.add_features(Features(csr_matrix(counts), "sentence", "text", "words"))
    return result


@pytest.fixture
def storage(tmp_path: Path) -> LocalModelStorage:
    """Where a model keeps its parts."""
    return LocalModelStorage(tmp_path)


def train(storage: LocalModelStorage, examples: dict[str, list[str]] = EXAMPLES, **config: Any) -> Any:
    """A classifier trained, stored, and loaded again."""
    resource = Resource("intents")
    data = TrainingData([message(text, intent) for intent, texts in examples.items() for text in texts])
    LinearIntentClassifier.create(config, storage, resource, CONTEXT).train(data)
    return LinearIntentClassifier.load(config, storage, resource, CONTEXT)


def ranking(classifier: Any, text: str) -> list[dict[str, Any]]:
    """What it makes of a text."""
    [result] = classifier.process([message(text)])
    found: list[dict[str, Any]] = result.get("intent_ranking")
    return found


@pytest.mark.parametrize("intents", [["complaint", "praise"], ["complaint", "praise", "ask_for_person"]])
def test_it_learns_and_remembers(storage: LocalModelStorage, intents: list[str]) -> None:
    """What was learnt is there after loading, whether there are two intents or more."""
    classifier = train(storage, {intent: EXAMPLES[intent] for intent in intents})

    for intent in intents:
        assert [ranking(classifier, text)[0]["name"] for text in EXAMPLES[intent]] == [intent] * 6


def test_confidences_are_a_distribution(storage: LocalModelStorage) -> None:
    """They are best first and sum to one, so that thresholds mean something."""
    confidences = [entry["confidence"] for entry in ranking(train(storage), "the lovely food")]

    assert confidences == sorted(confidences, reverse=True)
    assert sum(confidences) == pytest.approx(1.0)


def test_the_same_data_gives_the_same_model(tmp_path: Path) -> None:
    """Training twice changes nothing."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()

    first, second = (train(LocalModelStorage(tmp_path / name)) for name in ("a", "b"))

    assert ranking(first, "cold lovely") == ranking(second, "cold lovely")


def test_a_text_without_known_words_has_no_intent(storage: LocalModelStorage) -> None:
    """Nothing is guessed from nothing: the fallback takes over."""
    [result] = train(storage).process([message("🎉")])

    assert result.get("intent") == {"name": None, "confidence": 0.0}


def test_without_examples_there_is_no_intent(storage: LocalModelStorage) -> None:
    """A bot without data trains and answers nothing, rather than failing."""
    assert ranking(train(storage, {}), "lovely") == []


def test_calibration_lowers_the_confidence_of_what_cannot_be_known(tmp_path: Path) -> None:
    """When the same words mean either, a calibrated confidence says so."""
    (tmp_path / "raw").mkdir()
    (tmp_path / "calibrated").mkdir()
    doubtful = {"complaint": ["cold", "late"] * 6 + ["lovely"] * 6, "praise": ["lovely"] * 8 + ["cold", "late"] * 4}

    raw = train(LocalModelStorage(tmp_path / "raw"), doubtful, C=1000.0, calibrate=False)
    calibrated = train(LocalModelStorage(tmp_path / "calibrated"), doubtful, C=1000.0)

    assert ranking(calibrated, "cold cold")[0]["confidence"] < ranking(raw, "cold cold")[0]["confidence"] + 1e-9


def test_one_message_is_weighed_as_the_examples_were(storage: LocalModelStorage) -> None:
    """Reading a single message takes a shorter way than training, and arrives at the same numbers."""
    classifier = train(storage)
    asked = message("the lovely food")

    scores = classifier._features([asked]) @ classifier._weights.T + classifier._bias

    assert classifier._scores(asked) == pytest.approx(np.asarray(scores).ravel())
