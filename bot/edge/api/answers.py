"""What the API answers, as models: they document the shapes that `bot.services.resources` builds."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from bot.core.details import DetailKind
from bot.core.vocabulary import (
    Author,
    CaseState,
    CheckInState,
    Direction,
    GrantKind,
    HandoffReason,
    Medium,
    MessageKind,
    Owner,
    Purpose,
    Severity,
    Step,
    StepState,
    Verdict,
)
from bot.edge.api.requests import Money

Time = Annotated[str, Field(json_schema_extra={"format": "date-time"}, examples=["2026-11-21T11:05:00+00:00"])]


class View(BaseModel):
    """Part of an answer; fields may be added in later versions."""

    model_config = ConfigDict(use_attribute_docstrings=True)


class Problem(View):
    """Problem details (RFC 9457)."""

    class FieldError(View):
        """One offending field."""

        field: str
        """Its dotted path."""
        message: str

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldError] = []


class Signal(View):
    """One observed hint."""

    name: Annotated[str, Field(examples=["hedge"])]
    weight: Annotated[float, Field(examples=[0.9])]
    """Log-odds: above 0 speaks for dissatisfaction."""
    evidence: Annotated[str, Field(examples=["I guess"])]


class FailureView(View):
    """What went wrong."""

    code: str
    """`""` when nothing is known to have."""
    words: str
    """In the customer's own words."""


class TraceEntry(View):
    """One rule's word in the decision to ask or not to ask."""

    at: Time
    rule: Annotated[str, Field(examples=["quiet_hours"])]
    outcome: Annotated[str, Field(examples=["postpone"])]
    reason: str


class RuleAnswer(View):
    """What one rule said."""

    rule: Annotated[str, Field(examples=["opt_out"])]
    outcome: Annotated[str, Field(examples=["pass"])]
    reason: Annotated[str, Field(examples=["no opt-out is recorded"])]


class DecisionLine(View):
    """One thing that was sent, was not sent, was decided or is planned, with its reasons."""

    at: Time
    local_time: str | None = None
    """On the customer's own clock, in words."""
    kind: Literal["message", "not_sent", "decision", "consent", "planned"]
    purpose: Purpose | None
    outcome: Annotated[str, Field(examples=["delivered"])]
    """A message's delivery, or what was decided."""
    channel: Medium
    sentence: str
    """All of it in plain English; a message's words are shortened."""
    reason: str
    """Why not, or why later; `""` when it went."""
    rules: list[RuleAnswer]
    """What was asked before it, in order."""
    facts: dict[str, Any]
    """What held then: language, segments, sender, local time, window, counts, a provider's code."""
    message_id: str | None
    sent_at: Time | None
    next_at: Time | None
    """When it is decided again."""


class ContactDecisions(View):
    """Why a phone got each message it got, and why not those it did not."""

    phone: str
    customer_id: str
    name: str
    time_zone: str
    """The clock the sentences tell time by."""
    standing: str
    """Whether we may write first, in a sentence."""
    opted_out_at: Time | None
    unreachable_since: Time | None
    items: list[DecisionLine]
    """What happened, the oldest first."""
    planned: list[DecisionLine]
    """What is still to come, the next first."""


class CheckInView(View):
    """The planned question, and the trace of its decision."""

    id: str
    state: CheckInState
    due_at: Time
    sent_at: Time | None
    answered_at: Time | None
    trace: list[TraceEntry]


class EventAssessment(View):
    """Where the event stands in the silence ledger, and why."""

    verdict: Verdict
    probability: float | None
    """Of dissatisfaction; null while nothing has been assessed."""
    threshold: float | None
    signals: list[Signal]
    failure: FailureView | None = None
    at: Time | None = None


class EventFacts(View):
    """A service event as it was reported."""

    id: str
    external_id: str
    kind: str
    site: str
    service: str
    finished_at: Time
    channel: Medium
    facts: dict[str, Any]


class ServiceEventView(EventFacts):
    """A service event with what became of it."""

    customer_id: str
    conversation_id: str | None
    case_id: str | None
    check_in: CheckInView | None
    assessment: EventAssessment


class MessageView(View):
    """One message of a thread."""

    id: str
    position: int
    direction: Direction
    author: Author
    name: str | None
    kind: MessageKind
    text: str
    media: list[dict[str, Any]]
    at: Time
    delivery: str
    """The provider's last word, or `withheld` when we held it back."""
    delivery_error: str | None


class ConversationHead(View):
    """A conversation without its messages."""

    id: str
    channel: Medium
    language: str | None
    owner: Owner
    owner_name: str | None
    version: int
    """Grows with every change of hands."""


class ConversationView(ConversationHead):
    """A conversation with its whole thread, oldest first."""

    messages: list[MessageView]


class Sla(View):
    """What was promised by when."""

    first_response_due: Time
    resolution_due: Time
    breached: bool


class CaseOwner(View):
    """The agent who has a case."""

    id: str
    name: str
    email: str


class CaseLine(View):
    """A case as a line of a list."""

    id: str
    state: CaseState
    version: int
    opened_at: Time
    reason: HandoffReason
    severity: Severity
    urgency: float
    owner: CaseOwner | None
    owner_name: str | None
    sla: Sla
    site: str | None
    site_id: str | None
    customer_id: str
    customer_name: str
    channel: Medium
    language: str | None
    verdict: Verdict
    probability: float | None
    failure: FailureView
    answered: bool
    repeats: int
    """How often the customer came back about it after it had been put right."""
    previous_case_id: str | None
    """The settled case that this one follows."""


class CaseList(View):
    """Some cases, newest first."""

    items: list[CaseLine]
    next: str | None
    """Pass it as `cursor` for the next page; null at the end."""


class LedgerLabel(View):
    """What an agent said of the verdict."""

    unhappy: bool
    by: str


class LedgerLine(View):
    """One service event in the silence ledger, in exactly one state."""

    id: str
    external_id: str
    kind: str
    service: str
    finished_at: Time
    site: str
    site_id: str
    customer_id: str
    customer_name: str
    channel: Medium
    verdict: Verdict
    probability: float | None
    signals: list[Signal]
    failure: FailureView | None
    assessment_id: str | None
    label: LedgerLabel | None
    check_in: CheckInState | None
    check_in_due: Time | None
    why: str
    """What the check-in's decision trace says last."""
    case_id: str | None
    case_state: CaseState | None


class LedgerView(View):
    """The silence ledger: every service event stands in exactly one state."""

    total: int
    """Every service event; the counts add up to it."""
    counts: dict[Verdict, int]
    items: list[LedgerLine]
    next: str | None
    """Pass it as `cursor` for the next page; null at the end."""


class ContactPointView(View):
    """One address of the customer."""

    channel: Medium
    address: str
    opted_out_at: Time | None
    invalid_since: Time | None


class ConsentView(View):
    """One recorded word on whether we may write."""

    channel: Medium
    granted: bool
    source: str
    at: Time


class GrantView(View):
    """A gesture that was given."""

    kind: GrantKind
    amount: Money
    note: str
    by: str
    at: Time


class PastEvent(EventFacts):
    """An earlier service, and where it stands."""

    verdict: Verdict
    check_in: CheckInState | None


class PastCase(View):
    """An earlier case."""

    id: str
    state: CaseState
    opened_at: Time
    closed_at: Time | None
    failure: FailureView
    summary: str


class History(View):
    """What came before."""

    service_events: list[PastEvent]
    cases: list[PastCase]
    compensation: list[GrantView]


class CustomerView(View):
    """The customer, with everything that happened before."""

    id: str
    external_id: str | None
    name: str
    language: str | None
    time_zone: str | None
    preferences: list[str]
    since: Time
    contact_points: list[ContactPointView]
    consents: list[ConsentView]
    history: History


class AssessmentView(View):
    """The assessment that led here."""

    id: str
    verdict: Verdict
    probability: float
    threshold: float
    signals: list[Signal]
    failure: FailureView
    at: Time


class VerdictLabelView(View):
    """What an agent said of the verdict."""

    unhappy: bool
    by: str
    at: Time


class DetailView(View):
    """A particular the customer named: an amount, an order number, how long it took, what time it was."""

    kind: DetailKind
    value: Annotated[str, Field(examples=["35 EUR", "4471", "40 min", "17:30"])]
    """In one form for all languages."""
    words: str
    """As the customer wrote it."""
    message_id: str
    at: Time


class HiddenCostView(View):
    """What the failure cost the customer besides."""

    words: str
    at: Time


class PromiseView(View):
    """What the customer was told would happen."""

    text: str
    due_at: Time
    kept_at: Time | None
    by: str


class StepView(View):
    """Where one of the five steps stands."""

    state: StepState
    at: Time | None
    by: str | None
    note: str


class TimelineView(View):
    """One thing that happened to the case."""

    at: Time
    who: str
    what: str
    why: str


class Gesture(View):
    """Something for the trouble, within what any agent may give alone."""

    kind: GrantKind
    amount: Money


class PlaybookSuggestion(View):
    """What the playbook proposes."""

    words: str | None
    """A reply to begin with, in the customer's language; null when there is none in it."""
    gesture: Gesture | None
    """Null when none is meant, or when something was granted already."""
    hints: list[str]


class CaseView(CaseLine):
    """A case with its whole context, so that nobody has to ask the customer again."""

    customer: CustomerView
    service_event: ServiceEventView | None
    conversation: ConversationHead
    transcript: list[MessageView]
    assessment: AssessmentView | None
    verdict_label: VerdictLabelView | None
    details: list[DetailView]
    """What the customer said about amounts, order numbers and times since the case before."""
    hidden_costs: list[HiddenCostView]
    promises: list[PromiseView]
    grants: list[GrantView]
    playbook: Annotated[str, Field(examples=["wait/high@3"])]
    """Which playbook the case follows: failure, severity and, where there is a written one, its version."""
    playbook_suggestion: PlaybookSuggestion | None
    """What it proposes now; null when judgement alone decides."""
    steps: dict[Step, StepView]
    summary: str
    brief: str
    reassignments: int
    allowed: list[str]
    """What can be done with the case now."""
    timeline: list[TimelineView]


class IntentView(View):
    """What the text was taken to mean."""

    name: str
    confidence: float


class Assessed(View):
    """What the detector thinks of a text."""

    verdict: Verdict
    probability: Annotated[float, Field(examples=[0.83])]
    threshold: Annotated[float, Field(examples=[0.5])]
    signals: list[Signal]
    failure: FailureView
    language: str | None
    intent: IntentView


class AssessedList(View):
    """The answers to several texts, in their order."""

    items: list[Assessed]


class OpenApi(View):
    """The contract itself."""

    openapi: Literal["3.1.0"]
