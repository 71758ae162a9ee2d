"""What the API shows of a service event, a conversation and a case: the shapes of docs/api.md, as plain values."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from bot.core.cases import LIVE, allowed_actions, urgency
from bot.core.playbook import Playbooks
from bot.core.vocabulary import Owner, Step, Verdict
from bot.services.conversing import load_thread
from bot.services.details import details_said
from bot.services.entities import (
    Agent,
    AssessmentRecord,
    Case,
    CaseStep,
    CheckIn,
    Consent,
    ContactPoint,
    Conversation,
    Customer,
    Grant,
    HiddenCost,
    Json,
    Message,
    Promise,
    ServiceEvent,
    Site,
    TimelineEntry,
    VerdictLabel,
)
from bot.services.playbooks import suggestion
from bot.services.ports import UnitOfWork
from bot.services.trace import traces_of

NO_PLAYBOOKS = Playbooks()


def instant(at: datetime | None) -> str | None:
    """RFC 3339 with an offset, or None."""
    return at.isoformat() if at else None


async def service_event(tx: UnitOfWork, event_id: str) -> Json:
    """One service event by our id or the business's own, with its check-in and where it stands. Raises NotFound."""
    known = await tx.one(ServiceEvent, external_id=event_id)
    event = known if known is not None else await tx.get(ServiceEvent, event_id)
    check_in = await tx.one(CheckIn, service_event_id=event.id)
    case = await tx.one(Case, service_event_id=event.id)
    return {
        **_event_facts(event),
        "customer_id": event.customer_id,
        "conversation_id": check_in.conversation_id if check_in else None,
        "case_id": case.id if case else None,
        "check_in": _check_in(check_in, (await traces_of(tx, [check_in]))[check_in.id]) if check_in else None,
        "assessment": await _event_assessment(tx, event),
    }


async def conversation(tx: UnitOfWork, conversation_id: str) -> Json:
    """One conversation with its whole thread. Raises NotFound."""
    thread = await tx.get(Conversation, conversation_id)
    owner = await tx.find(Agent, thread.agent_id) if thread.agent_id else None
    return {
        "id": thread.id,
        "channel": thread.medium.value,
        "language": thread.language or (await tx.get(Customer, thread.customer_id)).language,
        "owner": thread.owner.value,
        "owner_name": owner.name if owner and thread.owner is Owner.AGENT else None,
        "version": thread.version,
        "messages": await messages(tx, conversation_id),
    }


async def messages(tx: UnitOfWork, conversation_id: str) -> list[Json]:
    """The thread, oldest first."""
    return [message_view(m) for m in await tx.all(Message, conversation_id=conversation_id, order_by="position")]


def message_view(message: Message) -> Json:
    """One message as the API shows it; `delivery` is the provider's last word, or ours when we held it back."""
    return {
        "id": message.id,
        "position": message.position,
        "direction": message.direction.value,
        "author": message.author.value,
        "name": message.author_name or None,
        "kind": message.kind.value,
        "text": message.text,
        "media": message.media,
        "at": instant(message.at),
        "delivery": message.delivery,
        "delivery_error": message.delivery_error,
    }


async def case_summary(tx: UnitOfWork, case: Case, now: datetime) -> Json:
    """A case as a line of the queue."""
    customer = await tx.get(Customer, case.customer_id)
    site = await tx.find(Site, case.site_id) if case.site_id else None
    agent = await tx.find(Agent, case.agent_id) if case.agent_id else None
    record = await tx.find(AssessmentRecord, case.assessment_id) if case.assessment_id else None
    thread = await load_thread(tx, case.conversation_id)
    return {
        "id": case.id,
        "state": case.state.value,
        "version": case.version,
        "opened_at": instant(case.opened_at),
        "reason": case.reason.value,
        "severity": case.severity.value,
        "urgency": _urgency(case, now),
        "owner": {"id": agent.id, "name": agent.name, "email": agent.email} if agent else None,
        "owner_name": agent.name if agent else None,
        "sla": sla(case, now),
        "site": site.name if site else None,
        "site_id": case.site_id,
        "customer_id": customer.id,
        "customer_name": customer.name or thread.contact_point.address,
        "channel": thread.conversation.medium.value,
        "language": thread.conversation.language or customer.language,
        "verdict": record.verdict.value if record else Verdict.PENDING.value,
        "probability": record.probability if record else None,
        "failure": {"code": case.failure.value, "words": case.failure_words},
        "answered": case.first_response_at is not None,
        "repeats": case.repeats,
        "previous_case_id": case.previous_case_id,
    }


def sla(case: Case, now: datetime) -> Json:
    """What was promised by when, and whether it was missed."""
    settled = case.resolved_at or now
    # What was settled in another way than by an answer here, on the phone for example, is not late for ever after.
    responded = case.first_response_at or settled
    late = responded > case.first_response_due or settled > case.resolution_due
    return {
        "first_response_due": instant(case.first_response_due),
        "resolution_due": instant(case.resolution_due),
        "breached": late or case.breached_at is not None,
    }


async def case_snapshot(tx: UnitOfWork, case_id: str, now: datetime, playbooks: Playbooks = NO_PLAYBOOKS) -> Json:
    """The whole context of a case, so that nobody has to ask the customer again (P28). Raises NotFound."""
    case = await tx.get(Case, case_id)
    conversation_view = await conversation(tx, case.conversation_id)
    event = await tx.find(ServiceEvent, case.service_event_id) if case.service_event_id else None
    record = await tx.find(AssessmentRecord, case.assessment_id) if case.assessment_id else None
    summary, grants = await case_summary(tx, case, now), await tx.all(Grant, case_id=case_id, order_by="at")
    return {
        **summary,
        "customer": await customer_view(tx, case.customer_id),
        "service_event": await service_event(tx, event.id) if event else None,
        "conversation": {k: v for k, v in conversation_view.items() if k != "messages"},
        "transcript": conversation_view["messages"],
        "assessment": assessment_view(record) if record else None,
        "verdict_label": await verdict_label(tx, record.id) if record else None,
        "details": await details_said(tx, case, conversation_view["messages"]),
        "hidden_costs": [
            {"words": c.words, "at": instant(c.at)} for c in await tx.all(HiddenCost, case_id=case_id, order_by="at")
        ],
        "promises": [
            {"text": p.text, "due_at": instant(p.due_at), "kept_at": instant(p.kept_at), "by": p.by}
            for p in await tx.all(Promise, case_id=case_id, order_by="due_at")
        ],
        "grants": [_grant(grant) for grant in grants],
        "playbook": case.playbook,
        "playbook_suggestion": suggestion(
            playbooks,
            case,
            language=summary["language"],
            currency=await _currency(tx, case),
            granted=bool(grants),
        ),
        "steps": await _steps(tx, case_id),
        "summary": case.summary,
        "brief": case.brief,
        "reassignments": case.reassignments,
        "allowed": allowed_actions(case.state),
        "timeline": [
            {"at": instant(e.at), "who": e.who, "what": e.what, "why": e.why}
            for e in await tx.all(TimelineEntry, case_id=case_id, order_by="id")
        ],
    }


async def _currency(tx: UnitOfWork, case: Case) -> str:
    site = await tx.find(Site, case.site_id) if case.site_id else None
    return site.currency if site else "EUR"


def assessment_view(record: AssessmentRecord) -> Json:
    """An assessment as the API shows it."""
    return {
        "id": record.id,
        "verdict": record.verdict.value,
        "probability": record.probability,
        "threshold": record.threshold,
        "signals": record.signals,
        "failure": {"code": record.failure.value, "words": record.failure_words},
        "at": instant(record.at),
    }


async def verdict_label(tx: UnitOfWork, assessment_id: str) -> Json | None:
    """What an agent said of a verdict, or None while nobody has."""
    label = await tx.one(VerdictLabel, assessment_id=assessment_id)
    return {"unhappy": label.unhappy, "by": label.by, "at": instant(label.at)} if label else None


async def _event_assessment(tx: UnitOfWork, event: ServiceEvent) -> Json:
    record = await tx.find(AssessmentRecord, event.assessment_id) if event.assessment_id else None
    if record is None:
        return {"verdict": event.verdict.value, "probability": None, "threshold": None, "signals": []}
    # The ledger's own state may have moved on since, for example to an opt-out.
    return {**assessment_view(record), "verdict": event.verdict.value}


def _event_facts(event: ServiceEvent) -> Json:
    return {
        "id": event.id,
        "external_id": event.external_id,
        "kind": event.kind,
        "site": event.site_id,
        "service": event.service,
        "finished_at": instant(event.finished_at),
        "channel": event.medium.value,
        "facts": event.facts,
    }


def _check_in(check_in: CheckIn, trace: list[Json]) -> Json:
    return {
        "id": check_in.id,
        "state": check_in.state.value,
        "due_at": instant(check_in.due_at),
        "sent_at": instant(check_in.sent_at),
        "answered_at": instant(check_in.answered_at),
        "trace": trace,
    }


async def _steps(tx: UnitOfWork, case_id: str) -> Json:
    rows = {row.step: row for row in await tx.all(CaseStep, case_id=case_id)}
    return {
        step.value: {"state": row.state.value, "at": instant(row.at), "by": row.by or None, "note": row.note}
        for step in Step
        if (row := rows.get(step)) is not None
    }


def _grant(grant: Grant) -> Json:
    return {
        "kind": grant.kind.value,
        "amount": {"value": f"{grant.value:.2f}", "currency": grant.currency},
        "note": grant.note,
        "by": grant.by,
        "at": instant(grant.at),
    }


async def customer_view(tx: UnitOfWork, customer_id: str) -> Json:
    """The customer with everything between them and the business, the latest first. Raises NotFound."""
    customer = await tx.get(Customer, customer_id)
    cases = await tx.all(Case, customer_id=customer_id, order_by="opened_at", descending=True)
    grants = await tx.all(Grant, case_id=[case.id for case in cases], order_by="at", descending=True) if cases else []
    return {
        "id": customer.id,
        "external_id": customer.external_id,
        "name": customer.name,
        "language": customer.language,
        "time_zone": customer.time_zone,
        "preferences": customer.preferences,
        "since": instant(customer.created_at),
        "contact_points": [
            {
                "channel": p.medium.value,
                "address": p.address,
                "opted_out_at": instant(p.opted_out_at),
                "invalid_since": instant(p.invalid_since),
            }
            for p in await tx.all(ContactPoint, customer_id=customer_id)
        ],
        "consents": [
            {"channel": c.medium.value, "granted": c.granted, "source": c.source, "at": instant(c.at)}
            for c in await tx.all(Consent, customer_id=customer_id, order_by="at")
        ],
        "history": {
            "service_events": await _past_events(tx, customer_id),
            "cases": [_past_case(case) for case in cases],
            "compensation": [_grant(grant) for grant in grants],
        },
    }


async def _past_events(tx: UnitOfWork, customer_id: str) -> list[Json]:
    events = await tx.all(ServiceEvent, customer_id=customer_id, order_by="finished_at", descending=True, limit=50)
    check_ins: dict[str, CheckIn] = {}
    if events:
        found = await tx.all(CheckIn, service_event_id=[event.id for event in events])
        check_ins = {check_in.service_event_id: check_in for check_in in found}
    past: list[Any] = []
    for event in events:
        check_in = check_ins.get(event.id)
        state = check_in.state.value if check_in else None
        past.append({**_event_facts(event), "verdict": event.verdict.value, "check_in": state})
    return past


def _past_case(case: Case) -> Json:
    return {
        "id": case.id,
        "state": case.state.value,
        "opened_at": instant(case.opened_at),
        "closed_at": instant(case.closed_at),
        "failure": {"code": case.failure.value, "words": case.failure_words},
        "summary": case.summary,
    }


def _urgency(case: Case, now: datetime) -> float:
    if case.state not in LIVE:
        return 0.0
    answered = case.first_response_at is not None
    return round(urgency(case.severity, first_response_due=case.first_response_due, answered=answered, now=now), 3)
