"""Learning everything that ships, and measuring it, on a small world of two languages."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bot.__main__ import main
from bot.core.errors import Unusable
from bot.launch import detection
from bot.nlu import corpus, evaluation
from bot.nlu.ablation import ablation
from bot.nlu.embedding import WIDTH, Vectors
from bot.nlu.evaluation import as_table, by_fifth, measure, public_sets
from bot.nlu.learning import learn
from bot.nlu.scorer import MEANING_FILE, Scorer
from bot.nlu.training import fold_of

THINGS = [
    f"{kind} {thing}" for kind in ("the first", "the second", "my", "our") for thing in ("soup", "room", "call", "tea")
]
GOOD = ["lovely", "warm", "on time"]
BAD = ["cold", "late", "forgotten"]


class Feeling:
    """Texts with a bad word point one way, all others another; their letters tell them apart."""

    def embed(self, texts: Sequence[str]) -> Vectors:
        """[texts, WIDTH], each row of length one."""
        vectors = np.zeros((len(texts), WIDTH), np.float32)
        for row, text in zip(vectors, texts, strict=True):
            row[0] = 3.0 if any(word in text for word in BAD) else -3.0
            for character in text:
                row[1 + ord(character) % (WIDTH - 1)] += 0.2
            row /= np.linalg.norm(row)
        return vectors


def replies(**more: Any) -> list[dict[str, Any]]:
    """Ninety-six replies, half of them unhappy."""
    made = []
    for at, thing in enumerate(THINGS):
        for word in (*GOOD, *BAD):
            label = "dissatisfied" if word in BAD else "satisfied"
            made.append(
                {"text": f"{thing} was {word}", "label": label, "masked": word == "late", "trade": "any", **more}
            )
            if at % 4 == 3:
                made[-1]["split"] = "test"
    return made


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with our own replies in two languages and public ones with the question and the rating known."""
    own = tmp_path / "own"
    for name, lines in (("en", replies()), ("tr", replies())):
        put(own / f"{name}.jsonl", lines)
    why = [{"role": "bot", "text": "Please tell us why you gave your answer"}]
    public = [
        {**row, "id": f"{at}", "lang": "en", "text": f"well {row['text']}", "context": why, "rating": 3 + at % 3}
        for at, row in enumerate(replies())
    ]
    put(tmp_path / "data" / "measure" / "en_fft.jsonl", public)
    put(tmp_path / "data" / "measure" / "en_airline.jsonl", [{**row, "context": []} for row in public])
    monkeypatch.setattr(corpus, "REPLIES", own)
    monkeypatch.setattr(evaluation, "REPLIES", own)
    monkeypatch.setattr(corpus, "INTENTS", tmp_path / "none")
    monkeypatch.setattr(detection, "default_embedder", Feeling)
    return tmp_path


def put(path: Path, lines: list[dict[str, Any]]) -> None:
    """A JSON Lines file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(map(json.dumps, lines)), "utf-8")


def test_learning_twice_gives_the_same_bytes(world: Path) -> None:
    """Linear models of both languages and of none, and the second reading."""
    for name in ("one", "two"):
        learn(world / "data", Feeling()).write(world / name)

    files = sorted(path.name for path in (world / "one").iterdir())
    assert files == ["any.json.gz", "en.json.gz", MEANING_FILE, "tr.json.gz"]
    assert all((world / "one" / name).read_bytes() == (world / "two" / name).read_bytes() for name in files)


def test_what_was_learnt_is_heard(world: Path) -> None:
    """Of words in new company, with both readings and with the first alone."""
    learn(world / "data", Feeling()).write(world / "weights")

    for embedder in (Feeling(), None):
        scorer = Scorer.load(world / "weights", embedder)
        assert scorer.score("their tea was cold", "en").p > 0.6
        assert scorer.score("their tea was lovely", "en").p < 0.4


def test_without_embeddings_the_first_reading_is_learnt_and_the_second_kept(
    world: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file of the second reading is left as it is, and that is said."""
    detection.train_detector(world / "data", world / "weights", world / "var")
    before = (world / "weights" / MEANING_FILE).read_bytes()
    monkeypatch.setattr(detection, "default_embedder", lambda: None)

    detection.train_detector(world / "data", world / "weights", world / "var")

    assert (world / "weights" / MEANING_FILE).read_bytes() == before
    assert f"{MEANING_FILE}: kept" in capsys.readouterr().out


def test_training_says_what_differs(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """New at first, the same the second time, and named when the data have changed."""
    weights, var = world / "weights", world / "var"

    assert not detection.train_detector(world / "data", weights, var)
    assert "en.json.gz: new" in capsys.readouterr().out
    assert detection.train_detector(world / "data", weights, var)
    assert "en.json.gz: the same, byte for byte" in capsys.readouterr().out
    put(world / "own" / "tr.jsonl", replies()[:60])
    assert not detection.train_detector(world / "data", weights, var)
    said = capsys.readouterr().out
    assert "tr.json.gz: differs" in said
    assert "en.json.gz: the same, byte for byte" in said


def test_nobody_is_measured_by_who_has_seen_them(world: Path) -> None:
    """Each of the five scorers was learnt without the fifth that it reads."""
    learnt = learn(world / "data", Feeling())
    without = learnt.without[fold_of("well my soup was cold")][0]["en"]

    assert "wwell my" in learnt.models["en"].ngrams
    assert len(learnt.without) == 5
    assert without.ngrams != learnt.models["en"].ngrams


def test_the_table_has_a_line_for_each_set_and_language(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """How each was read, what was asked, our own held-out replies, and with `parts` what each part adds."""
    detection.evaluate(world / "data" / "measure", world / "var", parts=True)

    table = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    names = [line.split(" | ")[0].strip("| ") for line in table]
    assert names[1:8] == [
        "en_airline",
        "en_fft",
        "en_fft: “Please tell us why…”",
        "our own, en",
        "our own, tr",
        "our own, en",
        "our own, tr",
    ]
    assert names[-1] == "+ the rating, as shipped"
    assert "never learnt from" in table[1]
    assert "5 folds" in table[2]
    assert ["held out" in line for line in table[4:8]] == [True, True, False, False]


def test_our_own_answers_and_remarks_are_measured_apart(world: Path) -> None:
    """Those kept for testing and those learnt from never mix, nor do answers and what was said unasked."""
    put(world / "own" / "en.jsonl", [*replies()[:30], *replies(question="unasked")[30:]])

    kept, learnt = (dict(evaluation.own_sets(held_out=held_out)) for held_out in (True, False))

    assert {reply.question for reply in kept["our own, en: remarks"]} == {"unasked"}
    assert {reply.question for reply in learnt["our own, en"]} == {"open"}
    texts = [{reply.text for name in found for reply in found[name]} for found in (kept, learnt)]
    assert not texts[0] & texts[1]
    assert len(texts[0] | texts[1]) == len({reply["text"] for reply in replies()})


def test_each_part_is_measured_without_the_others(world: Path) -> None:
    """Words, cues, question, embedding, cascade, rating: six lines, one name each."""
    sets = dict(public_sets(world / "data" / "measure"))
    learnt = learn(world / "data", Feeling())

    lines = list(ablation(world / "data", sets["en_fft"], learnt, Feeling()))

    assert len({line.name for line in lines}) == len(lines) == 6
    assert all(line.auroc > 0.9 for line in lines)


def test_figures_that_cannot_be_given_are_left_empty(world: Path) -> None:
    """Too few of a kind make no figure, and a set without ratings has no mismatch."""
    sets = dict(public_sets(world / "data" / "measure"))
    shipped = Scorer(learn(world / "data", None).models)

    line = measure("some", "here", sets["en_airline"][:30], lambda _: shipped)

    assert np.isnan(line.mismatch)
    assert "nan" not in as_table([line])
    assert by_fifth([shipped] * 5)("any text") is shipped


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["train-detector", "--data", "nowhere"], "nowhere has no folder measure/"),
        (["evaluate", "--data", "nowhere"], "there is no measuring set (*.jsonl) in nowhere"),
    ],
)
def test_a_folder_that_is_not_there_is_said_in_one_line(
    words: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """No traceback: the command's name, what is missing, and status 1."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["afterword", *words])

    with pytest.raises(SystemExit) as left:
        main()

    assert left.value.code == 1
    [line] = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("afterword: ")
    assert said in line


def test_an_unknown_label_stops_the_learning(world: Path) -> None:
    """Nothing is written from data that were misunderstood."""
    put(world / "data" / "measure" / "en_fft.jsonl", [{"id": "1", "lang": "en", "text": "hm", "label": "furious"}])

    with pytest.raises(Unusable, match=r"en_fft\.jsonl, line 1: unknown label 'furious'"):
        detection.train_detector(world / "data", world / "weights", world / "var")

    assert not (world / "weights").exists()
