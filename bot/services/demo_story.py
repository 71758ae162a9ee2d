"""The shape of the demo business's YAML file, checked before anything is written."""

from __future__ import annotations

import re
from datetime import time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Self

import phonenumbers
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from ruamel.yaml import YAML, YAMLError

from bot.core.errors import Unusable
from bot.core.hours import parse_weekly
from bot.core.vocabulary import GrantKind, HandoffReason, Medium, Role, Step
from bot.services.conversing import known_zone

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def _duration(written: object) -> object:
    """`90s`, `6m`, `24h` or `2d`."""
    match = re.fullmatch(r"(\d+)([smhd])", str(written))
    if match is None:
        raise ValueError("write a duration like 90s, 6m, 24h or 2d")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def _phone(number: str) -> str:
    try:
        valid = number.startswith("+") and phonenumbers.is_valid_number(phonenumbers.parse(number))
    except phonenumbers.NumberParseException:
        valid = False
    if not valid:
        raise ValueError("write a valid phone number like +442079460101")
    return number


def _zone(name: str) -> str:
    if known_zone(name) is None:
        raise ValueError(f"{name!r} is not an IANA time zone")
    return name


def _weekly(raw: dict[str, list[list[str]]]) -> dict[str, list[list[str]]]:
    parse_weekly(raw)
    return raw


Duration = Annotated[timedelta, BeforeValidator(_duration)]
Phone = Annotated[str, AfterValidator(_phone)]
Zone = Annotated[str, AfterValidator(_zone)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DemoSite(_Part):
    """A place that serves."""

    id: str
    name: str
    zone: Zone
    currency: str = "EUR"
    weekly: Annotated[dict[str, list[list[str]]], AfterValidator(_weekly)]


class DemoAgent(_Part):
    """A desk login; its password is never in the file."""

    email: str
    name: str
    role: Role = Role.AGENT
    site: str | None = None
    languages: tuple[str, ...] = ()


class DemoCustomer(_Part):
    """A customer; without a phone they are known on the website only."""

    external_id: str
    name: str
    language: str
    time_zone: Zone
    phone: Phone | None = None
    preferences: tuple[str, ...] = ()
    since_days: int = Field(ge=1)


class Heard(_Part):
    """What the bot read in a reply; the verdict is worked out by the core, as it would have been on the day."""

    p: float = Field(ge=0, le=1)
    intent: str
    failure: str = ""
    words: str = ""
    signals: tuple[tuple[str, float, str], ...] = ()


class Gesture(_Part):
    """What was given."""

    kind: GrantKind
    value: Decimal = Field(gt=0, decimal_places=2)
    note: str


class Given(_Part):
    """What was promised, and how soon."""

    text: str
    within: Duration


class Act(_Part):
    """One thing that happened, `after` the one before it or some time `ago`. Exactly one deed is named.

    Words may hold {name}, {agent} and {by}: the customer, the case's agent and the time an answer was promised for.
    """

    after: Duration | None = None
    ago: Duration | None = None
    heard: Heard | None = None
    customer: str | None = None
    stop: str | None = None
    bot: str | None = None
    hand_off: HandoffReason | None = None
    hidden_cost: str | None = None
    claim: bool | None = None
    agent: str | None = None
    done: dict[Step, str] | None = None
    waived: dict[Step, str] | None = None
    promise: Given | None = None
    grant: Gesture | None = None
    resolve: str | None = None
    follow_up: str | None = None
    closed: bool | None = None

    @property
    def deed(self) -> str:
        """The name of what was done."""
        return next(iter(self._deeds()))

    def delay(self) -> timedelta:
        """How long after the act before it."""
        usual = {"customer": timedelta(minutes=6), "stop": timedelta(minutes=6), "bot": timedelta(seconds=5)}
        usual |= {"claim": timedelta(minutes=4), "agent": timedelta(minutes=5), "follow_up": timedelta(hours=24)}
        return self.after if self.after is not None else usual.get(self.deed, timedelta(0))

    def _deeds(self) -> list[str]:
        return [name for name in self.model_fields_set if name not in ("after", "ago", "heard")]

    @model_validator(mode="after")
    def _one_deed(self) -> Self:
        if len(self._deeds()) != 1:
            raise ValueError(f"an act names exactly one deed, not {sorted(self._deeds())}")
        if self.heard is not None and self.customer is None:
            raise ValueError("only a customer's words are heard")
        return self


class Visit(_Part):
    """One service with everything that came of it: `days_ago` at an hour of the site's clock, or some time `ago`.

    `asked` replaces the usual opening; `lost` is the provider's error when the question never arrived.
    """

    id: str
    customer: str
    site: str
    service: str
    kind: str = "restaurant_visit"
    channel: Medium = Medium.SMS
    days_ago: int | None = Field(None, ge=1)
    at: time | None = None
    ago: Duration | None = None
    asked_after: Duration = timedelta(minutes=30)
    asked: str | None = None
    lost: str | None = None
    agent: str | None = None
    facts: dict[str, Any] = Field(default_factory=dict)
    story: tuple[Act, ...] = ()

    @model_validator(mode="after")
    def _one_time(self) -> Self:
        if (self.ago is None) == (self.days_ago is None) or (self.days_ago is None) != (self.at is None):
            raise ValueError("say when it was: either days_ago with at, or ago")
        return self


class DemoBusiness(_Part):
    """The whole file. `openings` are the first words by language."""

    openings: dict[str, str]
    sites: tuple[DemoSite, ...]
    agents: tuple[DemoAgent, ...]
    customers: tuple[DemoCustomer, ...]
    visits: tuple[Visit, ...]

    @model_validator(mode="after")
    def _all_known(self) -> Self:
        sites = {site.id for site in self.sites}
        agents = {agent.email for agent in self.agents}
        customers = {customer.external_id for customer in self.customers}
        for customer in self.customers:
            _must_be(customer.language, set(self.openings), f"customer {customer.external_id}: language")
        for agent in self.agents:
            _must_be(agent.site or next(iter(sites)), sites, f"agent {agent.email}: site")
        for visit in self.visits:
            _must_be(visit.customer, customers, f"visit {visit.id}: customer")
            _must_be(visit.site, sites, f"visit {visit.id}: site")
            if visit.agent is not None or any(act.claim for act in visit.story):
                _must_be(visit.agent or "", agents, f"visit {visit.id}: agent")
        return self


def _must_be(value: str, known: set[str], where: str) -> None:
    if value not in known:
        raise ValueError(f"{where}: {value!r} is not one of {', '.join(sorted(known))}")


def read_business(file: Path) -> DemoBusiness:
    """The demo business written in `file`. Raises Unusable naming the file, the key and what is wrong with it."""
    try:
        raw = YAML(typ="safe", pure=True).load(file.read_text(encoding="utf-8"))
        return DemoBusiness.model_validate(raw)
    except (OSError, YAMLError) as error:
        raise Unusable(f"{file}: {error}") from error
    except ValidationError as error:
        problem = error.errors()[0]
        key = ".".join(str(part) for part in problem["loc"])
        raise Unusable(f"{file}: {f'{key}: ' if key else ''}{problem['msg']}") from error
