"""Amounts, order numbers, times and what failed, on sentences written for the purpose and never learnt from."""

from __future__ import annotations

import pytest

from benchmarks.entities import ENTITIES, measure, sentences

LANGUAGES = sorted(path.stem for path in ENTITIES.glob("*.jsonl"))


def test_every_language_has_its_sentences() -> None:
    """At least twenty in each of the seven."""
    assert LANGUAGES == ["de", "el", "en", "es", "fa", "sr", "tr"]
    assert all(len(sentences(language)) >= 20 for language in LANGUAGES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_particulars_of_a_language_are_found(language: str) -> None:
    """Nearly all that is there, and nearly nothing that is not."""
    figures = measure(language)["details"]

    assert figures.precision >= 0.95
    assert figures.recall >= 0.9


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_failed_is_named(language: str) -> None:
    """The kind of failure, where there is one."""
    figures = measure(language)["failure"]

    assert figures.precision >= 0.85
    assert figures.recall >= 0.75
