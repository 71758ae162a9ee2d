"""The silence ledger: every service event in exactly one state, so that nobody who said nothing is forgotten (P3)."""

from __future__ import annotations

from dataclasses import dataclass

from bot.core.vocabulary import Verdict
from bot.services.entities import AssessmentRecord, Case, CheckIn, Customer, Json, ServiceEvent, Site, VerdictLabel
from bot.services.ports import UnitOfWork
from bot.services.resources import instant
from bot.services.trace import traces_of


@dataclass(frozen=True, slots=True)
class LedgerPage:
    """How many events are in each state, and some of their lines, newest first; `next` is None at the end."""

    counts: dict[Verdict, int]
    lines: list[Json]
    next: str | None

    @property
    def total(self) -> int:
        """Every event; the counts add up to it."""
        return sum(self.counts.values())


async def silence_ledger(
    tx: UnitOfWork,
    *,
    verdict: Verdict | None = None,
    site_id: str | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> LedgerPage:
    """One page of the ledger. `site_id` narrows counts and lines; `verdict` the lines only."""
    counted = await tx.ledger.counts(site_id=site_id)
    page = await tx.ledger.page(verdict=verdict, site_id=site_id, limit=limit, cursor=cursor)
    counts = {state: counted.get(state, 0) for state in Verdict}
    return LedgerPage(counts, await _lines(tx, page.events), page.next)


async def _lines(tx: UnitOfWork, events: list[ServiceEvent]) -> list[Json]:
    if not events:
        return []
    ids = [event.id for event in events]
    customers = {c.id: c for c in await tx.all(Customer, id={event.customer_id for event in events})}
    sites = {site.id: site for site in await tx.all(Site, id={event.site_id for event in events})}
    check_ins = {c.service_event_id: c for c in await tx.all(CheckIn, service_event_id=ids)}
    traces = await traces_of(tx, list(check_ins.values()))
    cases = {case.service_event_id: case for case in await tx.all(Case, service_event_id=ids, order_by="opened_at")}
    judged = [event.assessment_id for event in events if event.assessment_id]
    records = {r.id: r for r in await tx.all(AssessmentRecord, id=judged)} if judged else {}
    labels = {one.assessment_id: one for one in await tx.all(VerdictLabel, assessment_id=judged)} if judged else {}
    return [
        _line(
            event,
            customers[event.customer_id],
            sites[event.site_id],
            check_in := check_ins.get(event.id),
            traces[check_in.id] if check_in else [],
            cases.get(event.id),
            records.get(event.assessment_id or ""),
            labels.get(event.assessment_id or ""),
        )
        for event in events
    ]


def _line(
    event: ServiceEvent,
    customer: Customer,
    site: Site,
    check_in: CheckIn | None,
    trace: list[Json],
    case: Case | None,
    record: AssessmentRecord | None,
    label: VerdictLabel | None,
) -> Json:
    return {
        "id": event.id,
        "external_id": event.external_id,
        "kind": event.kind,
        "service": event.service,
        "finished_at": instant(event.finished_at),
        "site": site.name,
        "site_id": site.id,
        "customer_id": customer.id,
        "customer_name": customer.name,
        "channel": event.medium.value,
        "verdict": event.verdict.value,
        "assessment_id": record.id if record and record.message_id else None,
        "label": {"unhappy": label.unhappy, "by": label.by} if label else None,
        "probability": record.probability if record else None,
        "signals": record.signals if record else [],
        "failure": {"code": record.failure.value, "words": record.failure_words} if record else None,
        "check_in": check_in.state.value if check_in else None,
        "check_in_due": instant(check_in.due_at) if check_in else None,
        "why": str(trace[-1]["reason"]) if trace else "",
        "case_id": case.id if case else None,
        "case_state": case.state.value if case else None,
    }
