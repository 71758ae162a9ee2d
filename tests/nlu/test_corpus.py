"""What may be learnt from, and what becomes of data that are not as they should be."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from bot.core.errors import Unusable
from bot.nlu.corpus import REPLIES, SOURCES, languages, read_own, read_public, rows
from bot.nlu.questions import IMPROVE, OPEN, UNASKED

REPLY = {"id": "1", "text": "soup was cold", "lang": "en", "label": "dissatisfied"}


def put(path: Path, *lines: Any) -> Path:
    """A JSON Lines file, compressed if its name says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{oops", "line 2: not JSON"),
        ("[1, 2]", 'line 2: expected an object with a "text"'),
        ({"id": "1", "label": "satisfied"}, 'line 2: expected an object with a "text"'),
        ({**REPLY, "label": "furious"}, "line 2: unknown label 'furious'; known are"),
        ({"id": "1", "text": "fine"}, "line 2: unknown label None"),
    ],
)
def test_a_line_that_cannot_be_used_is_named(tmp_path: Path, line: Any, said: str) -> None:
    """The file, the line, and what is wrong with it, in one line."""
    path = put(tmp_path / "set.jsonl", REPLY, line)

    with pytest.raises(Unusable) as refused:
        list(rows(path))

    assert str(path) in str(refused.value)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_file_that_is_not_what_its_name_says_is_named(tmp_path: Path) -> None:
    """A .gz that is not compressed."""
    (tmp_path / "set.jsonl.gz").write_text("plain")

    with pytest.raises(Unusable, match=r"set\.jsonl\.gz cannot be read"):
        list(rows(tmp_path / "set.jsonl.gz"))


def test_public_sets_are_read_with_what_was_asked(tmp_path: Path) -> None:
    """The question asked last counts; a set that is not in the folder is passed over."""
    asked = [{"role": "bot", "text": "What could we do better?"}]
    put(tmp_path / "measure" / "en_fft.jsonl", REPLY, {**REPLY, "id": "2", "context": asked})
    put(tmp_path / "train" / "en_fft_phase1.jsonl.gz", {**REPLY, "context": [{"role": "bot", "text": "Q1"}]})

    examples = read_public(tmp_path)

    assert [(e.origin, e.question, e.unhappy) for e in examples] == [
        ("en_fft", UNASKED, 1.0),
        ("en_fft", IMPROVE, 1.0),
        ("phase1", IMPROVE, 1.0),
    ]


def test_what_may_only_be_measured_is_never_learnt_from() -> None:
    """The sets whose licences forbid it are not among the sources."""
    paths = " ".join(source.path for source in SOURCES)

    assert not any(name in paths for name in ("airline", "fa_reviews", "sr_comments", "sarcasm", "tr_affect"))


@pytest.mark.parametrize("language", languages())
def test_every_fifth_reply_of_ours_is_kept_for_testing(language: str) -> None:
    """A test set in each language, of which nothing is learnt, not even by another file."""
    learnt, kept = read_own(language), read_own(language, held_out=True)

    assert len(kept) * 6 >= len(list(rows(REPLIES / f"{language}.jsonl")))
    assert not {e.text for e in learnt} & {e.text for e in kept}
    assert {e.question for e in learnt} >= {OPEN}
