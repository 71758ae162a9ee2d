"""How well intents and entities are understood, in each language.

`python -m benchmarks.intents` prints the tables of docs/intents.md: intents cross-validated over the examples of
`data/nlu` through the featurizer and the classifier of `config.yml`, entities on sentences written for the purpose.
The first run embeds every example (one to six minutes, by machine) and keeps that in `models/`; after that the five
trainings, each with three more for its temperature, bound it: one to two minutes.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from bot import rasa_compat

rasa_compat.install()

import numpy as np  # noqa: E402
from numpy.typing import NDArray  # noqa: E402
from sklearn.metrics import f1_score  # noqa: E402

from benchmarks.entities import measure  # noqa: E402
from bot.core.details import DetailKind  # noqa: E402
from bot.nlu.embedding import WIDTH  # noqa: E402
from bot.nlu.intent_examples import ALIKE, FOLDS, Said, fingerprint, near_duplicates, read_examples  # noqa: E402
from bot.nlu.intent_learning import SURE, Readings, cross_fitted, says_of, train_reader, vectors_of  # noqa: E402
from bot.nlu.intent_meaning import read_intent_meaning  # noqa: E402

LANGUAGES = ("en", "tr", "el", "fa", "sr", "es", "de")
HELD_OUT = Path(__file__).resolve().parent.parent / "tests" / "nlu"

type Guesses = NDArray[np.int_]


def main() -> None:
    """Print everything."""
    begun = time.perf_counter()
    examples = read_examples()
    groups = len(set(near_duplicates(examples)))
    print(f"{len(examples)} examples, {groups} when near-duplicates count once ({ALIKE:.0%} alike); {FOLDS} folds")
    vectors = vectors_of(examples)
    embedded = time.perf_counter()
    readings = cross_fitted(examples, np.zeros((len(examples), WIDTH)) if vectors is None else vectors)
    trained = time.perf_counter()
    by_words = readings.by_words.argmax(axis=1)
    unsure = np.exp(readings.by_words.max(axis=1)) < SURE
    twice = by_words if vectors is None else _both(readings, unsure)
    _print_languages(examples, readings, by_words, twice, unsure)
    _print_intents(examples, readings, twice)
    _print_entities()
    _print_time(examples)
    shipped = read_intent_meaning()
    if shipped is None or shipped.learnt_from != fingerprint(examples):
        print("\nThe weights that ship were learnt from other examples: run `python -m bot.nlu.intent_learning`.")
    print(f"\nEmbedding {embedded - begun:.0f} s, training {trained - embedded:.0f} s.")


def _both(readings: Readings, unsure: NDArray[np.bool_]) -> Guesses:
    words, meaning = says_of(readings)
    both = words * readings.by_words + meaning * readings.by_meaning
    return np.asarray(np.where(unsure[:, None], both, readings.by_words).argmax(axis=1))


def _rows(examples: list[Said], language: str) -> Guesses:
    return np.array([at for at, example in enumerate(examples) if example.language == language])


def _print_languages(
    examples: list[Said], readings: Readings, by_words: Guesses, twice: Guesses, unsure: NDArray[np.bool_]
) -> None:
    print(
        "\n| language | examples | macro-F1 | by words alone | weakest intent | read twice |\n|---|---|---|---|---|---|"
    )
    for language in LANGUAGES:
        at = _rows(examples, language)
        each = f1_score(readings.truth[at], twice[at], average=None)
        weakest = int(each.argmin())
        alone = f1_score(readings.truth[at], by_words[at], average="macro")
        print(
            f"| {language} | {len(at)} | {each.mean():.3f} | {alone:.3f} "
            f"| {readings.labels[weakest]} {each[weakest]:.2f} | {unsure[at].mean():.0%} |"
        )


def _print_intents(examples: list[Said], readings: Readings, twice: Guesses) -> None:
    print(f"\n| intent | {' | '.join(LANGUAGES)} |\n|---|{'---|' * len(LANGUAGES)}")
    rows = {language: _rows(examples, language) for language in LANGUAGES}
    each = {lang: f1_score(readings.truth[at], twice[at], average=None) for lang, at in rows.items()}
    for at, intent in enumerate(readings.labels):
        print(f"| {intent} | {' | '.join(f'{each[language][at]:.2f}' for language in LANGUAGES)} |")


def _print_entities() -> None:
    kinds = [*(kind.value for kind in DetailKind), "failure"]
    print(f"\n| precision / recall (how many) | {' | '.join(LANGUAGES)} |\n|---|{'---|' * len(LANGUAGES)}")
    figures = {language: measure(language) for language in LANGUAGES}
    for kind in kinds:
        of = [figures[language][kind] for language in LANGUAGES]
        print(f"| {kind} | {' | '.join(f'{f.precision:.2f} / {f.recall:.2f} ({f.there})' for f in of)} |")
    print(
        f"| F1 of all but failure | {' | '.join(f'{figures[language]["details"].f1:.2f}' for language in LANGUAGES)} |"
    )


def _print_time(examples: list[Said]) -> None:
    """One message through featurizer and classifier, by the words and as a whole."""
    texts = [said.text for said in read_examples(HELD_OUT, prefix="held_out_")]
    with tempfile.TemporaryDirectory() as folder:
        reader = train_reader(examples, Path(folder))
    took = sorted(_timed(reader, text) for text in texts)
    sure = SURE
    asked = sum(read is None or float(np.exp(read.max())) < sure for read in map(reader.by_words, texts))
    print(
        f"\nBy its words a message takes {_part(took, 0.5):.2f} ms (median), {_part(took, 0.95):.2f} ms (95 %); "
        f"of {len(texts)} texts held out {asked / len(texts):.0%} are read twice."
    )


def _timed(reader: Any, text: str) -> float:
    begun = time.perf_counter()
    reader.by_words(text)
    return (time.perf_counter() - begun) * 1000


def _part(took: list[float], share: float) -> float:
    return took[int(share * (len(took) - 1))]


if __name__ == "__main__":
    main()
