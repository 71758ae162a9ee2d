"""Which playbook answers which failure."""

from __future__ import annotations

from bot.core.playbook import Playbook, Playbooks
from bot.core.vocabulary import Failure, Severity

WAIT = Playbook(Failure.WAIT, Severity.HIGH, 3, words={"en": "Sorry.", "sr": "Izvinite."})
OTHER = Playbook(Failure.OTHER, Severity.HIGH, 1)
KNOWN = Playbooks([WAIT, OTHER])


def test_a_failure_at_a_severity_has_its_playbook() -> None:
    """And a case names it with its version."""
    assert KNOWN.find(Failure.WAIT, Severity.HIGH) is WAIT
    assert KNOWN.id_for(Failure.WAIT, Severity.HIGH) == "wait/high@3"


def test_what_has_none_of_its_own_follows_the_one_for_everything_else() -> None:
    """At the same severity only."""
    assert KNOWN.id_for(Failure.PRICE, Severity.HIGH) == "other/high@1"
    assert KNOWN.id_for(Failure.NONE, Severity.HIGH) == "other/high@1"
    assert KNOWN.find(Failure.PRICE, Severity.LOW) is None


def test_without_a_playbook_the_case_still_says_what_it_is() -> None:
    """Judgement does the rest."""
    assert Playbooks().id_for(Failure.WAIT, Severity.HIGH) == "wait/high"
    assert KNOWN.id_for(Failure.NONE, Severity.LOW) == "other/low"


def test_an_older_version_is_answered_by_the_one_of_today() -> None:
    """A case that was opened under version 2 is still proposed something; one of a playbook that is gone is not."""
    assert KNOWN.recorded("wait/high@2") is WAIT
    assert KNOWN.recorded("wait/high") is WAIT
    for unknown in ("price/high@1", "wait/low@1", "", "wait", "weather/high@1"):
        assert KNOWN.recorded(unknown) is None


def test_words_come_in_the_customers_language_or_not_at_all() -> None:
    """A script without words of its own takes those of its language."""
    assert WAIT.words_in("sr-Latn") == "Izvinite."
    assert WAIT.words_in("en") == "Sorry."
    assert WAIT.words_in("tr") is None
