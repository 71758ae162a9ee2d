"""What the customer is told will happen by when, in opening hours, and chased when the time passes."""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.core.vocabulary import Decided, Failure, Purpose, Severity
from bot.services.entities import Case, Promise, Site, Task
from bot.services.ports import UnitOfWork
from bot.services.trace import note
from bot.services.workshop import Workshop

BOT = "Afterword"
"""How the bot signs the timeline."""


def promise_an_answer(tx: UnitOfWork, case: Case, *, by: datetime, now: datetime) -> None:
    """The customer waits for a person again: until when is promised, and chased when it passes."""
    case.first_response_at, case.first_response_due = None, by
    keep_promise(tx, case, key=f"chase:{case.id}:{case.version}", now=now)


def keep_promise(tx: UnitOfWork, case: Case, *, key: str, now: datetime) -> None:
    """Write down that a person answers by the case's due time, and look after it when that has passed."""
    due = case.first_response_due
    id, purpose, reason = case.conversation_id, Purpose.PROGRESS, "a person was promised by then"
    note(tx, id, purpose, Decided.PLANNED, at=now, reason=reason, next_at=due, case_id=case.id)
    tx.add(
        Promise(case_id=case.id, text="a person answers", due_at=due, by=BOT),
        Task(kind="chase_case", payload={"case_id": case.id}, key=key, due_at=due, created_at=now),
    )


def answer_within(shop: Workshop, failure: Failure, severity: Severity) -> timedelta:
    """How soon a person answers, in opening time: the playbook's word, else the business's target for the severity."""
    playbook = shop.playbooks.find(failure, severity)
    return (playbook and playbook.first_response) or shop.rules.targets.first_response[severity]


def due_in_hours(site: Site | None, now: datetime, worked: timedelta) -> datetime:
    """When that much opening time of a site has passed; without a site the plain clock counts."""
    return site.opening_hours().after_working(now, worked) if site else now + worked


def on_the_hour(at: datetime) -> datetime:
    """Rounded up to the next five minutes: nobody promises 14:27."""
    at = at.replace(second=0, microsecond=0) + timedelta(minutes=1 if at.second or at.microsecond else 0)
    return at + timedelta(minutes=-at.minute % 5)
