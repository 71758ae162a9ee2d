"""The apology rules as files: a mistake in one is told with its file and its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.core.apology import Kind
from bot.core.errors import Unusable
from bot.services.apology import draft_findings, load

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ('[excuse]\nfind = ["busy"\n', 3, "no TOML"),
        ('# words\n\n[excuses]\nfind = ["busy"]\n', 3, "no kind of finding"),
        ("\n[excuse]\nwithout = []\n", 2, "needs a list `find`"),
        ('[excuse]\nfind = ["busy"]\nexcept = ["me"]\n', 3, "knows no 'except'"),
        ("[excuse]\nfind = [1]\n", 2, "a list of phrases"),
        ('[excuse]\nfind = [\n  "busy",\n  "(very busy",\n]\n', 4, "a bracket too many or too few"),
        ('[hollow]\nfind = ["dear"]\n[excuse]\nfind = [\n  "*",\n]\n', 5, "fits everything"),
        ('excuse = "busy"\n', 1, "needs a list `find`"),
    ],
)
def test_a_mistake_is_told_with_its_file_and_line(tmp_path: Path, text: str, line: int, reason: str) -> None:
    """So that whoever edits the words finds it at once."""
    (tmp_path / "en.toml").write_text(text, encoding="utf-8")

    with pytest.raises(Unusable) as refused:
        load(tmp_path)

    assert f"en.toml:{line}: " in str(refused.value)
    assert reason in str(refused.value)


def test_a_folder_without_rules_is_told(tmp_path: Path) -> None:
    """Rather than every draft being fine."""
    with pytest.raises(Unusable, match=r"should be a file like en\.toml"):
        load(tmp_path)


def test_a_draft_is_read_in_the_customers_language_and_in_the_desks() -> None:
    """Whichever the agent writes."""
    rules = load(ROOT / "data/apology")

    assert [f.kind for f in draft_findings(rules, "Нажалост, систем је пао.", "sr-Cyrl")] == [Kind.HOLLOW, Kind.EXCUSE]
    assert [f.kind for f in draft_findings(rules, "It is our policy.", "tr")] == [Kind.POLICY]
    assert [f.evidence for f in draft_findings(rules, "Unfortunately", "en")] == ["Unfortunately"]
    assert draft_findings({}, "Unfortunately", "en") == ()
