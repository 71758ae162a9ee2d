"""What every use case is handed: the store, the clock, the ports and the business's own rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from bot.core.apology import ApologyRules
from bot.core.cases import DEFAULT_TARGETS, Targets
from bot.core.check_in import ContactPolicy
from bot.core.playbook import Playbooks
from bot.services.entities import Site
from bot.services.ports import Channels, Clock, Dialogue, Store, Words

_USUAL_SCRIPT = {"sr": "sr-Latn"}
"""For a language written in several scripts, the one to begin in; a customer's own answer settles it."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The business's own choices. `languages`: those with words; durations: how long before something happens."""

    business: str = "Harbour Kitchen"
    language: str = "en"
    languages: frozenset[str] = frozenset({"en"})
    contact: ContactPolicy = field(default_factory=ContactPolicy)
    targets: Targets = DEFAULT_TARGETS
    check_in_delay: timedelta = timedelta(minutes=30)
    silence_after: timedelta = timedelta(hours=24)
    progress_within: timedelta = timedelta(minutes=30)
    follow_up_delay: timedelta = timedelta(hours=24)
    follow_up_again_after: timedelta = timedelta(hours=48)
    follow_up_tries: int = 2
    repeat_within: timedelta = timedelta(days=30)
    bot_may_fail_for: timedelta = timedelta(minutes=1)
    lease: timedelta = timedelta(minutes=1)
    listed_within: timedelta = timedelta(minutes=2)
    catch_up_every: timedelta = timedelta(minutes=1)
    login_lasts: timedelta = timedelta(hours=12)
    visit_lasts: timedelta = timedelta(days=30)

    def spoken_nearest(self, language: str | None) -> str:
        """The language itself if there are words in it, else without its script or region, else the business's own."""
        plain = (language or "").partition("-")[0]
        nearest = (language, plain, _USUAL_SCRIPT.get(plain))
        return next((one for one in nearest if one in self.languages), self.language) or self.language


@dataclass(frozen=True, slots=True)
class Workshop:
    """Handed to every use case; built once at the start in `bot.app`. `apology`: what to look for, by language."""

    store: Store
    clock: Clock
    dialogue: Dialogue
    words: Words
    channels: Channels
    rules: Rules = field(default_factory=Rules)
    playbooks: Playbooks = field(default_factory=Playbooks)
    apology: Mapping[str, ApologyRules] = field(default_factory=dict)


async def store_answers(shop: Workshop) -> bool:
    """True when the store can be read; raises what it raises when it cannot."""
    async with shop.store(read_only=True) as tx:
        await tx.find(Site, "")
    return True
