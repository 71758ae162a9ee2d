"""The few questions and changes that plain look-ups cannot express."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import CursorResult, and_, delete, func, literal, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm.attributes import flag_modified, set_committed_value
from sqlalchemy.orm.util import identity_key

from bot.core.cases import LIVE
from bot.core.delivery import NEVER_ARRIVED
from bot.core.errors import Conflict, NotFound
from bot.core.vocabulary import (
    Author,
    CaseState,
    CheckInState,
    Decided,
    Direction,
    Medium,
    MessageKind,
    Owner,
    Verdict,
)
from bot.services.entities import Case, CheckIn, Conversation, Message, Sender, ServiceEvent
from bot.services.ports import CasePage, EventPage, Hint, ThreadParts
from bot.store import tables as t
from bot.store.lookups import sender_held, thread_of_conversation, thread_of_message, thread_of_message_held
from bot.store.tables import Instant


async def changed_rows(session: AsyncSession, statement: Any, values: dict[str, Any] | None = None) -> int:
    """Execute a change of plain rows; how many it met."""
    result = await session.execute(statement.execution_options(synchronize_session=False), values)
    assert isinstance(result, CursorResult)
    return int(result.rowcount)


class ConversationRepository:
    """See `bot.services.ports.Conversations`."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def parts(self, conversation_id: str) -> ThreadParts:
        """A conversation with what it is about. Raises NotFound."""
        found = (await self._session.execute(thread_of_conversation(), {"id": conversation_id})).first()
        if found is None:
            raise NotFound(f"there is no conversation {conversation_id!r}")
        conversation, customer, point, check_in, event, site = found
        return conversation, customer, point, check_in, event, site

    async def parts_around(self, message_id: str, *, hold: bool = False) -> tuple[Message, ThreadParts]:
        """A message with its conversation and what that is about; `hold` the conversation's row. Raises NotFound."""
        query = thread_of_message_held() if hold else thread_of_message()
        found = (await self._session.execute(query, {"id": message_id})).first()
        if found is None:
            raise NotFound(f"there is no message {message_id!r}")
        message, conversation, customer, point, check_in, event, site = found
        return message, (conversation, customer, point, check_in, event, site)

    async def next_position(self, conversation_id: str) -> int:
        """Number the next message; the row stays locked until the transaction ends."""
        statement = (
            update(t.conversations)
            .where(t.conversations.c.id == conversation_id)
            .values(last_position=t.conversations.c.last_position + 1)
            .returning(t.conversations.c.last_position)
        )
        await self._session.flush()
        position: int | None = (await self._session.execute(statement)).scalar_one_or_none()
        if position is None:
            raise Conflict("the conversation was erased meanwhile; look again")
        conversation = self._known(conversation_id)
        if conversation is not None:
            set_committed_value(conversation, "last_position", position)
        return position

    async def next_positions(self, many: Mapping[str, int]) -> dict[str, int]:
        """Number so many next messages of each conversation, as `next_position` does; the first number of each."""
        first: dict[str, int] = {}
        await self._session.flush()
        for messages in sorted(set(many.values())):
            last = t.conversations.c.last_position
            statement = (
                update(t.conversations)
                .where(t.conversations.c.id.in_(sorted(id for id, number in many.items() if number == messages)))
                .values(last_position=last + messages)
                .returning(t.conversations.c.id, last)
            )
            for id, position in (await self._session.execute(statement)).all():
                first[id] = position - messages + 1
                conversation = self._known(id)
                if conversation is not None:
                    set_committed_value(conversation, "last_position", position)
        if len(first) < len(many):
            raise Conflict("a conversation was erased meanwhile; look again")
        return first

    async def move_owner(
        self, conversation_id: str, *, expected_version: int, owner: Owner, agent_id: str | None
    ) -> int | None:
        """Move ownership if the version still is as expected; the new version, or None when it is not."""
        await self._session.flush()
        moved = await changed_rows(
            self._session,
            update(t.conversations)
            .where(t.conversations.c.id == conversation_id, t.conversations.c.version == expected_version)
            .values(owner=owner, agent_id=agent_id, version=expected_version + 1),
        )
        conversation = self._known(conversation_id)
        if conversation is not None:
            await self._session.refresh(conversation, ("owner", "agent_id", "version"))
        return expected_version + 1 if moved else None

    def _known(self, conversation_id: str) -> Conversation | None:
        """The conversation as this unit of work has read it."""
        found: Conversation | None = self._session.identity_map.get(identity_key(Conversation, conversation_id))
        return found

    async def hold_customer(self, customer_id: str) -> None:
        """Lock the customer's row; on SQLite there is one writer anyway."""
        await self._session.execute(select(t.customers.c.id).where(t.customers.c.id == customer_id).with_for_update())

    async def first_messages(self, conversation_ids: Sequence[str], since: datetime) -> list[datetime]:
        """When we wrote first in these conversations, and it left or still may."""
        message, decision = t.messages.c, t.decisions.c
        at = func.coalesce(decision.at, message.at, type_=Instant())
        left = and_(
            decision.conversation_id == message.conversation_id,
            decision.message_id == message.id,
            decision.outcome == Decided.SENT,
        )
        query = (
            select(func.max(at, type_=Instant()))
            .select_from(t.messages.outerjoin(t.decisions, left))
            .where(
                message.conversation_id.in_(conversation_ids),
                message.direction == Direction.OUT,
                message.author == Author.BOT,
                message.kind != MessageKind.COMPLIANCE,
                message.in_reply_to.is_(None),
                message.delivery.not_in(NEVER_ARRIVED),
                at > since,
            )
            .group_by(message.conversation_id, message.at)
        )
        return [at for at in (await self._session.scalars(query)).all() if at is not None]

    async def usual_words(self, customer_id: str, *, before: datetime) -> float | None:
        """The median length in words of a customer's answers before an instant; None before there are three."""
        query = (
            select(Message)
            .join(t.conversations, t.conversations.c.id == t.messages.c.conversation_id)
            .where(t.conversations.c.customer_id == customer_id, t.messages.c.direction == Direction.IN)
            .where(t.messages.c.at < before)
            .order_by(t.messages.c.at.desc())
            .limit(20)
        )
        lengths = [len(message.text.split()) for message in (await self._session.scalars(query)).all()]
        return float(statistics.median(lengths)) if len(lengths) >= 3 else None

    async def asked_and_answered(self, customer_id: str) -> tuple[int, int]:
        """How many check-ins this customer was sent and how many of those they answered."""
        query = (
            select(CheckIn)
            .join(t.conversations, t.conversations.c.id == t.check_ins.c.conversation_id)
            .where(t.conversations.c.customer_id == customer_id, t.check_ins.c.sent_at.is_not(None))
        )
        check_ins = (await self._session.scalars(query)).all()
        return len(check_ins), sum(check_in.state is CheckInState.ANSWERED for check_in in check_ins)


class SenderRepository:
    """See `bot.services.ports.Senders`."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def hold(self, medium: Medium) -> Sender | None:
        """The sender of a medium, nobody else's until this transaction ends; None for a medium without a pace."""
        return (await self._session.scalars(sender_held(), {"key": medium})).first()


class ChangeRepository:
    """See `bot.services.ports.Changes`."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def since(self, number: int, missing: Sequence[int] = (), limit: int = 5000) -> list[Hint]:
        """Those numbered above `number`, oldest first, and those `missing` from before that have appeared since."""
        # Plain rows: this is asked several times a second by every process that shows live pages.
        wanted = t.changes.c.id > number
        if missing:
            wanted |= t.changes.c.id.in_(missing)
        query = select(t.changes.c.id, t.changes.c.topic).where(wanted).order_by(t.changes.c.id).limit(limit)
        return [Hint(number, topic) for number, topic in (await self._session.execute(query)).all()]

    async def newest(self) -> int:
        """The greatest number given so far; 0 when there is none."""
        return int((await self._session.execute(select(func.max(t.changes.c.id)))).scalar_one() or 0)


class CaseRepository:
    """See `bot.services.ports.Cases`."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def page(self, *, state: CaseState | None, site_id: str | None, limit: int, cursor: str | None) -> CasePage:
        """Cases, newest first; the cursor is the id of the last one seen."""
        query = select(Case).order_by(t.cases.c.opened_at.desc(), t.cases.c.id.desc()).limit(limit + 1)
        if state is not None:
            query = query.where(t.cases.c.state == state)
        if site_id is not None:
            query = query.where(t.cases.c.site_id == site_id)
        last = await self._session.get(Case, cursor) if cursor else None
        if last is not None:
            seen = tuple_(literal(last.opened_at, Instant()), literal(last.id))
            query = query.where(tuple_(t.cases.c.opened_at, t.cases.c.id) < seen)
        cases = list((await self._session.scalars(query)).all())
        more = len(cases) > limit
        return CasePage(cases[:limit], cases[limit - 1].id if more else None)

    async def live(self, limit: int = 500) -> list[Case]:
        """Every case a human still has to do something about, the longest promised first."""
        query = (
            select(Case).where(t.cases.c.state.in_(sorted(LIVE))).order_by(t.cases.c.first_response_due).limit(limit)
        )
        return list((await self._session.scalars(query)).all())

    def touch(self, case: Case) -> None:
        """Write the case and so raise its version, although nothing of the row itself may have changed."""
        flag_modified(case, "state")

    async def granted(self, case_id: str, by: str) -> Decimal:
        """The sum one agent has granted on one case."""
        query = select(func.coalesce(func.sum(t.grants.c.value), 0)).where(t.grants.c.case_id == case_id)
        total = (await self._session.execute(query.where(t.grants.c.by == by))).scalar_one()
        return Decimal(str(total)).quantize(Decimal("0.01"))


class LedgerRepository:
    """See `bot.services.ports.Ledger`."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def counts(self, *, site_id: str | None) -> dict[Verdict, int]:
        """How many events are in each state, also those of customers who were erased."""
        query = select(t.service_events.c.verdict, func.count()).group_by(t.service_events.c.verdict)
        if site_id is not None:
            query = query.where(t.service_events.c.site_id == site_id)
        of_erased = select(t.erased_counts.c.verdict, func.sum(t.erased_counts.c.events))
        erased = of_erased.group_by(t.erased_counts.c.verdict)
        if site_id is not None:
            erased = erased.where(t.erased_counts.c.site_id == site_id)
        counts: Counter[Verdict] = Counter()
        for verdict, number in (*await self._session.execute(query), *await self._session.execute(erased)):
            counts[verdict] += int(number)
        return dict(counts)

    async def page(self, *, verdict: Verdict | None, site_id: str | None, limit: int, cursor: str | None) -> EventPage:
        """Events, the latest finished first; the cursor is the id of the last one seen."""
        finished_at, id_ = t.service_events.c.finished_at, t.service_events.c.id
        query = select(ServiceEvent).order_by(finished_at.desc(), id_.desc()).limit(limit + 1)
        if verdict is not None:
            query = query.where(t.service_events.c.verdict == verdict)
        if site_id is not None:
            query = query.where(t.service_events.c.site_id == site_id)
        last = await self._session.get(ServiceEvent, cursor) if cursor else None
        if last is not None:
            query = query.where(
                tuple_(finished_at, id_) < tuple_(literal(last.finished_at, Instant()), literal(last.id))
            )
        events = list((await self._session.scalars(query)).all())
        return EventPage(events[:limit], events[limit - 1].id if len(events) > limit else None)


class LeftoverRepository:
    """See `bot.services.ports.Leftovers`."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def forget(self, now: datetime) -> int:
        """Hints are for open pages, kept answers for a day of retries, done tasks for a week of questions."""
        old = (
            delete(t.changes).where(t.changes.c.at < now - timedelta(hours=1)),
            delete(t.kept_answers).where(t.kept_answers.c.at < now - timedelta(days=1)),
            delete(t.logins).where(t.logins.c.expires_at < now),
            delete(t.web_visits).where(t.web_visits.c.expires_at < now),
            delete(t.tasks).where(t.tasks.c.state.in_(("done", "gone")), t.tasks.c.due_at < now - timedelta(days=7)),
        )
        return sum([await changed_rows(self._session, statement) for statement in old])
