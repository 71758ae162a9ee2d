"""The desk's queue: which cases an agent sees in which order, with few questions to the store."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from bot.core.vocabulary import CaseState
from bot.services.entities import (
    Agent,
    AssessmentRecord,
    Case,
    CheckIn,
    ContactPoint,
    Conversation,
    Customer,
    Json,
    ServiceEvent,
    Site,
)
from bot.services.ports import UnitOfWork
from bot.services.resources import case_summary


class View(StrEnum):
    """Which part of the work is looked at."""

    LIVE = "live"
    MINE = "mine"
    UNASSIGNED = "unassigned"
    RESOLVED = "resolved"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Queue:
    """The cases of one view, and how many there are in each live view."""

    cases: list[Json]
    counts: dict[View, int]
    next: str | None = None


async def queue(
    tx: UnitOfWork,
    view: View,
    *,
    agent_id: str,
    now: datetime,
    site_id: str | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> Queue:
    """The queue as one agent sees it: live cases by urgency, what is done newest first, `limit` at a time."""
    live = [case for case in await tx.cases.live() if site_id in (None, case.site_id)]
    seen = {
        View.LIVE: live,
        View.MINE: [case for case in live if case.agent_id == agent_id],
        View.UNASSIGNED: [case for case in live if case.agent_id is None],
    }
    counts = {name: len(cases) for name, cases in seen.items()}
    if view in seen:
        lines = await _summaries(tx, seen[view], now)
        return Queue(sorted(lines, key=lambda line: -line["urgency"]), counts)
    page = await tx.cases.page(state=CaseState(view.value), site_id=site_id, limit=limit, cursor=cursor)
    return Queue(await _summaries(tx, page.cases, now), counts, page.next)


async def _summaries(tx: UnitOfWork, cases: Sequence[Case], now: datetime) -> list[Json]:
    # Loaded beforehand and held here: the unit of work then answers each case's look-ups without asking the database.
    held = await _load_around(tx, cases)
    lines = [await case_summary(tx, case, now) for case in cases]
    held.clear()
    return lines


async def _load_around(tx: UnitOfWork, cases: Sequence[Case]) -> list[Any]:
    async def load(kind: type[Any], ids: Iterable[str | None]) -> list[Any]:
        wanted = {id for id in ids if id}
        return await tx.all(kind, id=wanted) if wanted else []

    threads = await load(Conversation, (case.conversation_id for case in cases))
    check_ins = await load(CheckIn, (thread.check_in_id for thread in threads))
    events = await load(ServiceEvent, (check_in.service_event_id for check_in in check_ins))
    return [
        *threads,
        *check_ins,
        *events,
        *await load(ContactPoint, (thread.contact_point_id for thread in threads)),
        *await load(Customer, (case.customer_id for case in cases)),
        *await load(Site, [*(case.site_id for case in cases), *(event.site_id for event in events)]),
        *await load(Agent, (case.agent_id for case in cases)),
        *await load(AssessmentRecord, (case.assessment_id for case in cases)),
    ]
