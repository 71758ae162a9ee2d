"""The trained bot on texts it has never seen, and every branch of its dialogue."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.launch.training import ensure_model

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent
LANGUAGES = sorted(file.stem.removeprefix("held_out_") for file in HERE.glob("held_out_*.yml"))

pytestmark = pytest.mark.e2e

SCRIPT = """
import asyncio, json, pathlib, sys, yaml
from bot import rasa_compat
rasa_compat.install()
from rasa.__main__ import main
out = pathlib.Path(sys.argv[1])
model = "models/afterword.tar.gz"
for words in ("data validate", f"test core --e2e --stories tests/stories --model {model} --out {out / 'results'}"):
    sys.argv = ["rasa", *words.split()]
    main()
from rasa.core.agent import Agent
agent = Agent.load(model)
async def read():
    heard = []
    for file in sorted(pathlib.Path("tests/nlu").glob("held_out_*.yml")):
        for entry in yaml.safe_load(file.read_text("utf-8"))["nlu"]:
            for line in entry["examples"].splitlines():
                said = await agent.parse_message(line.removeprefix("- "))
                heard.append({"file": file.stem, "meant": entry["intent"], **said})
    for language, kinds in yaml.safe_load(pathlib.Path("tests/nlu/stopping.yml").read_text("utf-8")).items():
        for kind, texts in kinds.items():
            for text in texts:
                said = await agent.parse_message(text)
                heard.append({"file": f"stopping_{language}", "meant": kind, **said})
    return heard
(out / "heard.json").write_text(json.dumps(asyncio.run(read()), default=float))
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the results: trained if anything changed, then validated, tested and asked."""
    out = tmp_path_factory.mktemp("bot")
    ensure_model(ROOT, out)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(out)],
        cwd=ROOT,
        env={**os.environ, "RASA_TELEMETRY_ENABLED": "false", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    return out


@pytest.fixture(scope="module")
def heard(trained: Path) -> list[dict[str, Any]]:
    """What the bot made of every held-out text."""
    found: list[dict[str, Any]] = json.loads((trained / "heard.json").read_text("utf-8"))
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_intents_are_understood_on_unseen_texts(heard: list[dict[str, Any]], language: str) -> None:
    """Macro-F1 of at least 0.85 in each language."""
    mine = [row for row in heard if row["file"] == f"held_out_{language}"]

    assert macro_f1([(row["meant"], row["intent"]["name"]) for row in mine]) >= 0.85


@pytest.mark.parametrize("language", LANGUAGES)
def test_asking_us_to_stop_is_an_opt_out_and_telling_of_a_stop_is_none(
    heard: list[dict[str, Any]], language: str
) -> None:
    """ "Please stop texting me" against "the noise didn't stop"; either mistake would cost a customer."""
    mine = [row for row in heard if row["file"] == f"stopping_{language}"]

    assert {row["meant"] for row in mine} == {"asks", "tells"}
    mistaken = [row["text"] for row in mine if (row["intent"]["name"] == "opt_out") is not (row["meant"] == "asks")]
    assert mistaken == []


def test_every_branch_of_the_dialogue_is_taken_as_written(trained: Path) -> None:
    """No test story failed, neither in its words nor in its steps."""
    failed = (trained / "results" / "failed_test_stories.yml").read_text("utf-8")

    assert "None of the test stories failed" in failed, failed


def test_what_the_detector_heard_travels_with_the_message(heard: list[dict[str, Any]]) -> None:
    """`dissatisfaction` and `language` are part of what Rasa parsed."""
    [row] = [row for row in heard if row["text"] == "it was ok but we waited ages"]

    assert row["language"] == "en"
    assert row["dissatisfaction"]["p"] >= 0.5
    assert row["dissatisfaction"]["failure"] == "wait"


@pytest.mark.parametrize("language", LANGUAGES)
def test_held_out_texts_stay_held_out(language: str) -> None:
    """None of them is among the examples that are learnt from."""
    assert not texts(HERE / f"held_out_{language}.yml") & texts(ROOT / "data" / "nlu" / f"{language}.yml")


def texts(path: Path) -> set[str]:
    """Every example of a file, in lower case."""
    entries = yaml.safe_load(path.read_text("utf-8"))["nlu"]
    return {line.removeprefix("- ").strip().lower() for entry in entries for line in entry["examples"].splitlines()}


def macro_f1(pairs: list[tuple[str, str]]) -> float:
    """The mean over the meant intents of the harmonic mean of precision and recall."""
    hits, meant, guessed = defaultdict(int), defaultdict(int), defaultdict(int)
    for true, guess in pairs:
        meant[true] += 1
        guessed[guess] += 1
        hits[true] += true == guess
    return sum(2 * hits[intent] / (meant[intent] + guessed[intent]) for intent in meant) / len(meant)
