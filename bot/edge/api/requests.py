"""What the API takes, as models: lenient where people write, strict where a mistake would be kept."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, model_validator

from bot.core.vocabulary import GrantKind, Medium, StepState

LONGEST_TEXT = 5000
MOST_ITEMS = 500


def _written_instant(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError("write a time as RFC 3339 text with an offset, such as 2026-11-21T13:05:00+02:00")
    return value


def _with_offset(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("the time has no offset; write it like 2026-11-21T13:05:00+02:00")
    if not 1970 <= value.year <= 2200:
        raise ValueError("the year is not between 1970 and 2200")
    return value.astimezone(UTC)


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("not an IANA time zone; write it like Europe/Istanbul") from error
    return value


def _storable(value: str) -> str:
    if "\x00" in value:
        raise ValueError("a text cannot contain the character NUL")
    return value


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for name, part in value.items():
            yield name
            yield from _leaves(part)
    elif isinstance(value, list):
        for part in value:
            yield from _leaves(part)
    else:
        yield value


def storable_json(value: Any) -> None:
    """Raises ValueError for what JSON databases refuse: numbers that are none, and NUL."""
    for leaf in _leaves(value):
        if isinstance(leaf, float) and not math.isfinite(leaf):
            raise ValueError("a number is not finite")
        if isinstance(leaf, str):
            _storable(leaf)


Text = Annotated[str, AfterValidator(_storable)]
Instant = Annotated[datetime, BeforeValidator(_written_instant), AfterValidator(_with_offset)]
Name = Annotated[Text, Field(max_length=200)]
Identifier = Annotated[Text, Field(min_length=1, max_length=200)]
Language = Annotated[
    str, Field(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$", max_length=16, description="A BCP 47 tag.")
]
Zone = Annotated[Text, Field(max_length=64), AfterValidator(_zone)]
Note = Annotated[Text, Field(max_length=2000)]
# Whole minutes stay whole: 55 is kept and shown as 55, not as 55.0.
Minutes = Annotated[
    float, Field(ge=0, le=100_000, allow_inf_nan=False), PlainSerializer(lambda v: int(v) if v.is_integer() else v)
]


class Body(BaseModel):
    """A request's body; unknown fields are refused, so that a misspelt one is noticed."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class Money(Body):
    """An amount of money; the value is text, so that nothing is rounded on the way."""

    value: Annotated[str, Field(pattern=r"^\d{1,10}(\.\d{1,2})?$", examples=["42.00"])]
    currency: Annotated[str, Field(pattern=r"^[A-Za-z]{3}$", examples=["EUR"])]

    @property
    def amount(self) -> Decimal:
        """The value as a number."""
        return Decimal(self.value)


class ReportedFacts(Body):
    """What operations know about the service. Other facts may be added: they are kept and shown."""

    model_config = ConfigDict(extra="allow", use_attribute_docstrings=True)

    wait_minutes: Annotated[Minutes, Field(examples=[55])] | None = None
    """How long the customer waited."""
    promised_wait_minutes: Annotated[Minutes, Field(examples=[20])] | None = None
    """How long they were told it would take."""
    late_minutes: Annotated[Minutes, Field(examples=[0])] | None = None
    """How much later than agreed we were."""
    remade: bool | None = None
    """Whether something had to be made again."""
    rescheduled: Annotated[int, Field(ge=0, le=1000, examples=[0])] | None = None
    """How often the appointment was moved."""
    refunded: bool | None = None
    """Whether money was returned already."""
    items: Annotated[list[Name], Field(examples=[["soup"]])] | None = None
    """What was bought."""
    staff: Annotated[list[Name], Field(examples=[["Deniz"]])] | None = None
    """Who served."""
    staff_tenure_days: Annotated[int, Field(ge=0, le=100_000, examples=[12])] | None = None
    """For how long the newest of them has been with us."""
    new_service: bool | None = None
    """Whether this is a service we have only just begun to offer."""
    amount: Money | None = None
    """What was paid."""

    @model_validator(mode="after")
    def _keepable(self) -> Self:
        storable_json(self.model_extra)
        return self


class ReportedConsent(Body):
    """Whether the customer lets us write, by channel; what is stated here is recorded."""

    sms: Annotated[bool, Field(examples=[True])] | None = None
    webchat: bool | None = None

    def by_medium(self) -> dict[Medium, bool]:
        """Only what was stated."""
        stated = {Medium.SMS: self.sms, Medium.WEBCHAT: self.webchat}
        return {medium: granted for medium, granted in stated.items() if granted is not None}


class ReportedCustomer(Body):
    """The customer as your own system knows them; at least `external_id` or `phone`."""

    external_id: Annotated[Identifier, Field(examples=["c-77"])] | None = None
    """Your own number of this customer."""
    name: Annotated[Name, Field(examples=["Ayşe"])] = ""
    """How they are addressed."""
    phone: Annotated[Text, Field(max_length=64, examples=["+905321234567"])] | None = None
    """As people write it; without a country it is read as one of the customer's or the site's country."""
    language: Annotated[Language, Field(examples=["tr"])] | None = None
    """The language they want to be written to."""
    time_zone: Annotated[Zone, Field(examples=["Europe/Istanbul"])] | None = None
    """Whose clock their quiet hours follow."""
    consent: ReportedConsent = ReportedConsent()
    """Whether they let us write."""
    preferences: Annotated[list[Name], Field(max_length=50, examples=[["window table"]])] = []
    """What they like, for the agent to see."""

    @model_validator(mode="after")
    def _recognisable(self) -> Self:
        if not self.external_id and not self.phone:
            raise ValueError("give `external_id` or `phone`, so that the customer can be recognised")
        return self


class CheckInWish(Body):
    """When to ask."""

    delay_minutes: Annotated[Minutes, Field(le=60 * 24 * 60, examples=[30])] | None = None
    """How long after the service; the business's usual delay without it."""


class NewServiceEvent(Body):
    """One finished service."""

    external_id: Annotated[Identifier, Field(examples=["order-1001"])]
    """Your own number of this service; sending it again is safe."""
    kind: Annotated[Text, Field(min_length=1, max_length=100, examples=["restaurant_visit"])]
    """What kind of service it was."""
    site: Annotated[Text, Field(min_length=1, max_length=64, examples=["harbour"])]
    """Where it took place."""
    service: Annotated[Name, Field(examples=["lunch"])] = ""
    """What the customer would call it."""
    finished_at: Annotated[Instant, Field(examples=["2026-11-21T13:05:00+02:00"])]
    """When it ended, with an offset."""
    customer: ReportedCustomer
    channel: Medium = Medium.SMS
    """Where to ask."""
    facts: ReportedFacts = ReportedFacts()
    check_in: CheckInWish = CheckInWish()


class ByAgent(Body):
    """Which agent acts."""

    agent: Annotated[Identifier, Field(examples=["sam@example.org"])]
    """The agent, by id or e-mail."""


class Reply(ByAgent):
    """An agent's words to the customer."""

    text: Annotated[Text, Field(min_length=1, max_length=LONGEST_TEXT, examples=["I am so sorry about the wait."])]


class StepChange(ByAgent):
    """What became of one of the five steps."""

    state: StepState
    note: Note = ""
    """What was done, or why it is waived."""


class NewGrant(ByAgent):
    """A gesture, within the agent's authority."""

    kind: GrantKind
    amount: Money
    note: Note = ""


class Resolution(ByAgent):
    """What was done about it."""

    summary: Annotated[Note, Field(examples=["Lunch refunded, table promised for Friday."])]


class Transfer(ByAgent):
    """To whom, and what they need to know."""

    to: Identifier
    """The other agent, by id or e-mail."""
    brief: Note


class Reopening(ByAgent):
    """Why the case is worked on again."""

    reason: Note


class TextToAssess(Body):
    """A text as a customer might answer a check-in."""

    text: Annotated[Text, Field(max_length=LONGEST_TEXT, examples=["fine I guess"])]
    question: Annotated[Text, Field(max_length=LONGEST_TEXT, examples=["How was everything?"])] | None = None
    rating: Annotated[int, Field(ge=1, le=5, examples=[4])] | None = None
    """Stars, 5 best."""
    language: Annotated[Language, Field(examples=["en"])] | None = None
    """Recognised from the text when it is left out."""
    facts: ReportedFacts = ReportedFacts()
    reply_seconds: Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False, examples=[40])] | None = None
    """How long the customer took to answer."""


class TextsToAssess(Body):
    """Several texts, assessed in order."""

    items: Annotated[list[TextToAssess], Field(max_length=MOST_ITEMS)]
