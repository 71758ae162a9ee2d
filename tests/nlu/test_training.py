"""The weights can be learnt again, by anybody, from data."""

from __future__ import annotations

from pathlib import Path

from bot.nlu.corpus import read_own
from bot.nlu.linear import read_model
from bot.nlu.scorer import Scorer
from bot.nlu.training import Trainer, write_model


def test_the_same_replies_give_the_same_weights(tmp_path: Path) -> None:
    """Learnt twice from the replies in this repository, the files are equal byte for byte, and they work."""
    replies = read_own("tr")

    for name in ("first", "second"):
        write_model(Trainer("tr").fit(replies), tmp_path / name / "tr.json.gz")

    assert (tmp_path / "first" / "tr.json.gz").read_bytes() == (tmp_path / "second" / "tr.json.gz").read_bytes()
    scorer = Scorer.load(tmp_path / "first")
    assert scorer.score("epey bekledik ama neyse", "tr").p > 0.5 > scorer.score("harikaydı, sağ olun", "tr").p


def test_the_written_weights_say_what_the_learnt_ones_say(tmp_path: Path) -> None:
    """Rounding to whole numbers moves no probability noticeably."""
    replies = read_own("tr")
    trainer = Trainer("tr")
    model = trainer.fit(replies)

    write_model(model, tmp_path / "tr.json.gz")

    apart = trainer.logits(model, replies[:50]) - trainer.logits(read_model(tmp_path / "tr.json.gz"), replies[:50])
    assert abs(apart).max() < 0.25


def test_replies_come_from_many_trades_and_hide_their_complaints() -> None:
    """Several hundred Turkish replies, a good part of them unhappy without saying so."""
    replies = read_own("tr")

    assert len(replies) >= 400
    assert sum(reply.unhappy == 1.0 for reply in replies) >= 150
