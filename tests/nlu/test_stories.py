"""The test stories: each branch of the dialogue, in each language and script."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

STORIES = Path(__file__).resolve().parents[1] / "stories"
BY_INTENT = ("ask_for_person", "call_me_back", "threat_or_safety", "wrong_person", "opt_out", "bot_challenge")
BY_INTENT += ("ask_help", "greet", "out_of_scope")
BY_NEXT_STEP = ("close_warmly", "ask_softly", "offer_hand", "recover", "listen", "follow_up", "stay_silent")
BRANCHES = {*BY_INTENT, *BY_NEXT_STEP, "hand taken", "hand declined"}
TURKISH = set("ğışçöüİ")
TURKISH_WITHOUT_ITS_LETTERS = {"idare eder", "gerek yok", "merhaba", "robot musun", "bu mesaj nedir"}


def language_of(file: Path, text: str) -> str:
    """English and Turkish share two files; Serbian is told by its script."""
    code = file.stem.removeprefix("test_")
    if code == "sr":
        return "sr-Cyrl" if any("Ѐ" <= character <= "ӿ" for character in text) else "sr-Latn"
    if code in ("answers", "people"):
        return "tr" if TURKISH & set(text) or text in TURKISH_WITHOUT_ITS_LETTERS else "en"
    return code


def turns(steps: list[dict[str, Any]]) -> Iterator[tuple[str, str, str | None]]:
    """Each thing a customer says: the words, the intent, and the next step decided on it."""
    for at, step in enumerate(steps):
        if "user" in step:
            after: str | None = None
            for later in steps[at + 1 :]:
                if "user" in later:
                    break
                after = next((d["next_step"] for d in later.get("slot_was_set", ()) if "next_step" in d), after)
            yield step["user"].strip(), step["intent"], after


def branches() -> dict[str, set[str]]:
    """The branches that the stories of each language take."""
    found: dict[str, set[str]] = defaultdict(set)
    for file in sorted(STORIES.glob("*.yml")):
        for story in yaml.safe_load(file.read_text("utf-8"))["stories"]:
            for text, intent, next_step in turns(story["steps"]):
                offered = {"affirm": "hand taken", "deny": "hand declined"}.get(intent, "")
                taken = intent if intent in BY_INTENT else next_step or offered
                found[language_of(file, text)].add(taken)
    return found


@pytest.mark.parametrize("language", ["en", "tr", "el", "fa", "sr-Latn", "sr-Cyrl", "es", "de"])
def test_every_branch_is_told_in_every_language(language: str) -> None:
    """A rule that nobody walked in a language may not hold there."""
    assert branches()[language] >= BRANCHES
