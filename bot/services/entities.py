"""What the product remembers, as plain objects. `bot.store` maps them to tables; nothing here knows of SQL.

All instants are aware UTC datetimes; identifiers are opaque strings unless said otherwise.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from bot.core.delivery import Hold
from bot.core.hours import OpeningHours, parse_weekly
from bot.core.vocabulary import (
    Author,
    AwaitedAnswer,
    CaseState,
    CheckInState,
    Decided,
    Direction,
    Failure,
    GrantKind,
    HandoffReason,
    Medium,
    MessageKind,
    NextStep,
    Owner,
    Purpose,
    Role,
    Severity,
    Step,
    StepState,
    Verdict,
)

Json = dict[str, Any]


def new_id() -> str:
    """A fresh identifier: 32 hexadecimal digits, unguessable."""
    return uuid.uuid4().hex


@dataclass(kw_only=True)
class Site:
    """A place or team that serves. `weekly` is `{"mon": [["09:00", "17:30"]], …}` on the clock of `zone`."""

    id: str
    name: str
    zone: str
    currency: str = "EUR"
    weekly: Json = field(default_factory=dict)
    holidays: list[str] = field(default_factory=list)

    def opening_hours(self) -> OpeningHours:
        """The hours with people on the floor."""
        holidays = frozenset(date.fromisoformat(day) for day in self.holidays)
        return OpeningHours(ZoneInfo(self.zone), parse_weekly(self.weekly), holidays)


@dataclass(kw_only=True)
class Customer:
    """The person served."""

    name: str
    id: str = field(default_factory=new_id)
    external_id: str | None = None
    language: str | None = None
    time_zone: str | None = None
    preferences: list[str] = field(default_factory=list)
    created_at: datetime


@dataclass(kw_only=True)
class ContactPoint:
    """One address of a customer: a phone number (E.164) or a web identity."""

    id: str = field(default_factory=new_id)
    customer_id: str
    medium: Medium
    address: str
    opted_out_at: datetime | None = None
    invalid_since: datetime | None = None


@dataclass(kw_only=True)
class Consent:
    """One recorded word on whether we may write on a medium; the latest counts."""

    id: str = field(default_factory=new_id)
    customer_id: str
    medium: Medium
    granted: bool
    source: str
    at: datetime


@dataclass(kw_only=True)
class ServiceEvent:
    """One completed service with what operations know about it, and where it stands in the silence ledger."""

    id: str = field(default_factory=new_id)
    external_id: str
    fingerprint: str
    kind: str
    site_id: str
    service: str
    finished_at: datetime
    customer_id: str
    medium: Medium
    facts: Json = field(default_factory=dict)
    verdict: Verdict = Verdict.PENDING
    assessment_id: str | None = None
    created_at: datetime


@dataclass(kw_only=True)
class CheckIn:
    """One planned question about one service event; its decisions are in the trace (`Decision`)."""

    id: str = field(default_factory=new_id)
    service_event_id: str
    conversation_id: str
    state: CheckInState = CheckInState.PLANNED
    due_at: datetime
    sent_at: datetime | None = None
    answered_at: datetime | None = None


@dataclass(kw_only=True)
class Decision:
    """One line of the trace: a decision to write to a customer or not to, or what became of it.

    `rules` is what was asked and answered, in order: `{"rule", "outcome", "reason"}`; `reason` says what settled it.
    `facts` is what held at the moment: channel, language, segments, sender, clocks, window, counts, a provider's code.
    `next_at` is when it is decided again. It names no phone number and quotes nobody.
    """

    id: int | None = None
    conversation_id: str
    purpose: Purpose
    outcome: Decided
    at: datetime
    reason: str = ""
    rules: list[Json] = field(default_factory=list)
    facts: Json = field(default_factory=dict)
    next_at: datetime | None = None
    check_in_id: str | None = None
    message_id: str | None = None
    case_id: str | None = None


@dataclass(kw_only=True)
class Conversation:
    """A thread with one customer on one medium.

    `version` grows whenever the bot must fall silent or may speak again: a handoff, a human's reply, a handback.
    `awaited` is what the bot asked last; `handoff_message_id` the message whose turn last moved it to an agent;
    `last_position` numbers the messages.
    """

    id: str = field(default_factory=new_id)
    customer_id: str
    contact_point_id: str
    medium: Medium
    language: str | None = None
    owner: Owner = Owner.BOT
    agent_id: str | None = None
    version: int = 1
    awaited: AwaitedAnswer = AwaitedAnswer.FIRST_WORDS
    check_in_id: str | None = None
    case_id: str | None = None
    handoff_message_id: str | None = None
    last_position: int = 0
    created_at: datetime


@dataclass(kw_only=True)
class Message:
    """One inbound or outbound text, exactly as written. `position` orders it within its conversation."""

    id: str = field(default_factory=new_id)
    conversation_id: str
    position: int
    direction: Direction
    author: Author
    author_name: str = ""
    kind: MessageKind = MessageKind.DIALOGUE
    text: str
    media: list[Json] = field(default_factory=list)
    at: datetime
    provider_id: str | None = None
    client_id: str | None = None
    delivery: str = ""
    delivery_error: str | None = None
    expected_version: int | None = None
    in_reply_to: str | None = None
    purpose: Purpose | None = None


@dataclass(kw_only=True)
class Delivery:
    """One status the provider reported for one sending of one message (`provider_id`), kept for the record."""

    id: str = field(default_factory=new_id)
    message_id: str
    provider_id: str | None = None
    status: str
    error_code: str | None = None
    at: datetime


@dataclass(kw_only=True)
class Sender:
    """Our number or service on one medium: how fast it may send, what it has sent (`bot.core.pace`), and whether it is
    paused: what `hold` names waits until `paused_until`, because of the provider's error `pause_code`."""

    medium: Medium
    name: str
    segments_per_second: float
    burst: int
    busy_until: datetime
    answers_until: datetime
    firsts_until: datetime
    hold: Hold = Hold.NOTHING
    pause_code: str = ""
    paused_at: datetime | None = None
    paused_until: datetime | None = None


@dataclass(kw_only=True)
class AssessmentRecord:
    """A stored assessment of one reply, or of a silence when `message_id` is None."""

    id: str = field(default_factory=new_id)
    conversation_id: str
    service_event_id: str | None
    message_id: str | None
    verdict: Verdict
    probability: float
    threshold: float
    signals: list[Json] = field(default_factory=list)
    failure: Failure = Failure.NONE
    failure_words: str = ""
    intent: str = ""
    next_step: NextStep = NextStep.STAY_SILENT
    uncalibrated: float | None = None
    at: datetime


@dataclass(kw_only=True)
class VerdictLabel:
    """What an agent said about one assessment: whether the customer really was unhappy."""

    id: str = field(default_factory=new_id)
    assessment_id: str
    site_id: str | None
    language: str
    uncalibrated: float
    unhappy: bool
    by: str
    at: datetime


@dataclass(kw_only=True)
class SiteCalibration:
    """What the corrections in one language, at one site or everywhere (`site_id` None), have taught."""

    id: str = field(default_factory=new_id)
    language: str
    site_id: str | None
    slope: float
    intercept: float
    threshold: float
    labels: int
    at: datetime


@dataclass(kw_only=True)
class Case:
    """The unit of recovery work. `version` guards every change against a second pair of hands.

    `repeats` counts how often the customer came back about it after it had been put right; `previous_case_id` is the
    settled case that a new one follows.
    """

    id: str = field(default_factory=new_id)
    state: CaseState = CaseState.OPEN
    reason: HandoffReason
    severity: Severity
    site_id: str | None
    customer_id: str
    conversation_id: str
    service_event_id: str | None = None
    assessment_id: str | None = None
    agent_id: str | None = None
    failure: Failure = Failure.NONE
    failure_words: str = ""
    playbook: str = ""
    opened_at: datetime
    first_response_due: datetime
    resolution_due: datetime
    first_response_at: datetime | None = None
    resolved_at: datetime | None = None
    closed_at: datetime | None = None
    follow_up_sent_at: datetime | None = None
    breached_at: datetime | None = None
    summary: str = ""
    brief: str = ""
    reassignments: int = 0
    repeats: int = 0
    previous_case_id: str | None = None
    version: int = 1


@dataclass(kw_only=True)
class CaseStep:
    """One of the five steps of one case."""

    id: str = field(default_factory=new_id)
    case_id: str
    step: Step
    state: StepState = StepState.OPEN
    at: datetime | None = None
    by: str = ""
    note: str = ""


@dataclass(kw_only=True)
class TimelineEntry:
    """One thing that happened to a case: when, who, what, why."""

    id: int | None = None
    case_id: str
    at: datetime
    who: str
    what: str
    why: str = ""


@dataclass(kw_only=True)
class Grant:
    """A gesture given to the customer, within somebody's authority."""

    id: str = field(default_factory=new_id)
    case_id: str
    kind: GrantKind
    value: Decimal
    currency: str
    note: str = ""
    by: str
    at: datetime


@dataclass(kw_only=True)
class Promise:
    """Something the customer was told would happen by a time."""

    id: str = field(default_factory=new_id)
    case_id: str
    text: str
    due_at: datetime
    kept_at: datetime | None = None
    by: str


@dataclass(kw_only=True)
class HiddenCost:
    """What the failure cost the customer beyond the service itself, in their own words."""

    id: str = field(default_factory=new_id)
    case_id: str
    words: str
    message_id: str | None = None
    at: datetime


@dataclass(kw_only=True)
class Task:
    """A piece of due work. Tasks that share a `lock` run one at a time and in the order they were made."""

    id: int | None = None
    kind: str
    payload: Json = field(default_factory=dict)
    lock: str | None = None
    key: str | None = None
    state: str = "todo"
    due_at: datetime
    attempts: int = 0
    last_error: str = ""
    created_at: datetime


@dataclass(kw_only=True)
class Agent:
    """A human at the desk."""

    id: str = field(default_factory=new_id)
    email: str
    name: str
    password_hash: str
    role: Role = Role.AGENT
    site_id: str | None = None
    languages: list[str] = field(default_factory=list)
    active: bool = True


@dataclass(kw_only=True)
class Login:
    """A signed-in agent's session at the desk; only the hash of its token is kept."""

    token_hash: str
    agent_id: str
    csrf: str
    created_at: datetime
    expires_at: datetime


@dataclass(kw_only=True)
class WebVisit:
    """A web chat's right to one conversation; only the hash of its token is kept."""

    token_hash: str
    conversation_id: str
    created_at: datetime
    expires_at: datetime


@dataclass(kw_only=True)
class ApiKey:
    """A key to the JSON API; only its hash is kept."""

    id: str = field(default_factory=new_id)
    name: str
    scope: str
    key_hash: str
    created_at: datetime


@dataclass(kw_only=True)
class KeptAnswer:
    """What a POST with an Idempotency-Key was answered, so that the same request gets the same answer."""

    id: str
    fingerprint: str
    status: int
    body: str
    at: datetime


@dataclass(kw_only=True)
class AuditEntry:
    """Who did what to which thing, for the record."""

    id: int | None = None
    at: datetime
    who: str
    action: str
    subject: str
    detail: Json = field(default_factory=dict)


@dataclass(kw_only=True)
class Seal:
    """What still holds of somebody whose data are gone. `mark` is a keyed hash of a phone number or another identifier.

    `key_id` names the key; `erased_at`: their data were erased then, and are again when an older backup is restored;
    `opted_out_at`: they are not to be written to until they ask for it themselves.
    """

    mark: str
    key_id: str
    erased_at: datetime | None = None
    opted_out_at: datetime | None = None


@dataclass(kw_only=True)
class Change:
    """A hint that something under `topic` changed, so that open pages look again."""

    id: int | None = None
    topic: str
    at: datetime
