"""The trace: every decision to write to a customer or not to, and what became of it, in one place."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from bot.core.check_in import ContactDecision, Outcome, TraceEntry
from bot.core.sms import segments
from bot.core.vocabulary import Author, Decided, Medium, MessageKind, Purpose
from bot.services.conversing import Thread
from bot.services.entities import CheckIn, Decision, Json, Message
from bot.services.ports import UnitOfWork
from bot.services.workshop import Rules

_DECIDED = {Outcome.PASS: Decided.ALLOWED, Outcome.POSTPONE: Decided.POSTPONED, Outcome.SKIP: Decided.SKIPPED}
_USUALLY = {
    MessageKind.DIALOGUE: Purpose.REPLY,
    MessageKind.LIFECYCLE: Purpose.HANDOFF,
    MessageKind.AGENT: Purpose.AGENT_REPLY,
    MessageKind.COMPLIANCE: Purpose.HELP,
}


def note(
    tx: UnitOfWork,
    conversation_id: str,
    purpose: Purpose,
    outcome: Decided,
    *,
    at: datetime,
    reason: str = "",
    rules: Iterable[TraceEntry] = (),
    facts: Json | None = None,
    next_at: datetime | None = None,
    check_in_id: str | None = None,
    message_id: str | None = None,
    case_id: str | None = None,
) -> None:
    """Write one line of the trace in this transaction."""
    tx.add(
        Decision(
            conversation_id=conversation_id,
            purpose=purpose,
            outcome=outcome,
            at=at,
            reason=reason,
            rules=[{"rule": one.rule, "outcome": one.outcome.value, "reason": one.reason} for one in rules],
            facts=facts or {},
            next_at=next_at,
            check_in_id=check_in_id,
            message_id=message_id,
            case_id=case_id,
        )
    )


def note_contact(
    tx: UnitOfWork,
    conversation_id: str,
    purpose: Purpose,
    decision: ContactDecision,
    *,
    at: datetime,
    facts: Json,
    check_in_id: str | None = None,
    case_id: str | None = None,
) -> None:
    """Write what the rules about writing first said, whichever way they decided."""
    passed = decision.outcome is Outcome.PASS
    note(
        tx,
        conversation_id,
        purpose,
        _DECIDED[decision.outcome],
        at=at,
        reason="" if passed else decision.trace[-1].reason,
        rules=decision.trace,
        facts=facts,
        next_at=None if passed else decision.send_at,
        check_in_id=check_in_id,
        case_id=case_id,
    )


def note_message(
    tx: UnitOfWork,
    message: Message,
    outcome: Decided,
    *,
    at: datetime,
    reason: str = "",
    rules: Iterable[TraceEntry] = (),
    facts: Json | None = None,
    next_at: datetime | None = None,
) -> None:
    """Write what was decided about a written message, or became of it."""
    note(
        tx,
        message.conversation_id,
        purpose_of(message),
        outcome,
        at=at,
        reason=reason,
        rules=rules,
        facts=facts,
        next_at=next_at,
        message_id=message.id,
    )


def purpose_of(message: Message) -> Purpose:
    """What a message was for; one from before that was recorded is told by its kind."""
    if message.purpose is not None:
        return message.purpose
    if message.kind is MessageKind.DIALOGUE and message.in_reply_to is None and message.author is Author.BOT:
        return Purpose.CHECK_IN
    return _USUALLY[message.kind]


def message_facts(message: Message, thread: Thread, rules: Rules) -> Json:
    """What a message costs and in which language it is, for the trace."""
    facts: Json = {"channel": thread.conversation.medium.value}
    if message.author is Author.BOT:
        facts["language"] = thread.language(rules)
    if thread.conversation.medium is Medium.SMS:
        facts["segments"] = segments(message.text)
    return facts


async def traces_of(tx: UnitOfWork, check_ins: Sequence[CheckIn]) -> dict[str, list[Json]]:
    """By check-in, every rule's word in its decisions, the oldest first: `{"at", "rule", "outcome", "reason"}`."""
    found: dict[str, list[Json]] = {check_in.id: [] for check_in in check_ins}
    if found:
        for decision in await tx.all(Decision, check_in_id=tuple(found), order_by="id"):
            at: dict[str, Any] = {"at": decision.at.isoformat()}
            found[decision.check_in_id or ""] += [{**at, **rule} for rule in decision.rules]
    return found
