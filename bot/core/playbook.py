"""What a business does about a failure it knows, by kind and severity: words, a gesture, hints, and how soon (P22).

A playbook proposes. The person who owns the case decides, and the case says which playbook it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

from bot.core.vocabulary import Failure, GrantKind, Severity


@dataclass(frozen=True, slots=True)
class Gesture:
    """Something for the trouble, within what any agent may give alone. `currency` None: the site's own."""

    kind: GrantKind
    value: Decimal
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class Playbook:
    """One failure at one severity. What is None is left to the rules that hold without a playbook.

    `words`: a reply to begin with, by language. `asks_hidden_cost`: whether the bot asks what else it cost them.
    """

    failure: Failure
    severity: Severity
    version: int
    words: Mapping[str, str] = field(default_factory=dict)
    gesture: Gesture | None = None
    first_response: timedelta | None = None
    asks_hidden_cost: bool | None = None
    hints: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """As a case records it: `wait/high@3`."""
        return f"{self.failure}/{self.severity}@{self.version}"

    def words_in(self, language: str) -> str | None:
        """The words in this language, `sr-Latn` in `sr` where there are no others; never in another language."""
        return self.words.get(language) or self.words.get(language.partition("-")[0])


class Playbooks:
    """Every playbook of a business. Without any, a case names its failure and severity, and judgement does the rest."""

    def __init__(self, playbooks: Iterable[Playbook] = ()) -> None:
        self._known = {(one.failure, one.severity): one for one in playbooks}

    def __iter__(self) -> Iterator[Playbook]:
        return iter(self._known.values())

    def find(self, failure: Failure, severity: Severity) -> Playbook | None:
        """The playbook for this, else the one for failures of no particular kind, else None."""
        return self._known.get((failure, severity)) or self._known.get((Failure.OTHER, severity))

    def id_for(self, failure: Failure, severity: Severity) -> str:
        """What a case records: the playbook and its version, or the bare failure and severity when there is none."""
        playbook = self.find(failure, severity)
        return playbook.id if playbook else f"{failure or Failure.OTHER}/{severity}"

    def recorded(self, id: str) -> Playbook | None:
        """The playbook a case recorded, in the version of today; None when there is none any more."""
        failure, _, severity = id.partition("@")[0].partition("/")
        known = failure in set(Failure) and severity in set(Severity)
        return self._known.get((Failure(failure), Severity(severity))) if known else None
