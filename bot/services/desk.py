"""What an agent does with a case. Every change is guarded by the state it leaves and written into the timeline."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bot.core import cases as life
from bot.core.authority import Money, check_grant
from bot.core.check_in import Outcome, TraceEntry
from bot.core.errors import Conflict, NotFound, Refused
from bot.core.vocabulary import (
    Author,
    AwaitedAnswer,
    CaseState,
    Decided,
    GrantKind,
    MessageKind,
    Owner,
    Purpose,
    Step,
    StepState,
)
from bot.services import follow_up
from bot.services.conversing import Thread, load_thread, move_owner, say
from bot.services.entities import (
    Agent,
    AuditEntry,
    Case,
    CaseStep,
    Grant,
    Message,
    Promise,
    Site,
    TimelineEntry,
)
from bot.services.outbox import withhold_waiting
from bot.services.ports import UnitOfWork
from bot.services.resuming import resumption_of
from bot.services.returning import reopen
from bot.services.trace import note
from bot.services.workshop import Workshop


@dataclass(slots=True)
class _Work:
    """One case with the agent at work on it, inside one transaction."""

    tx: UnitOfWork
    case: Case
    agent: Agent
    thread: Thread
    now: datetime

    def note(self, what: str, why: str = "") -> None:
        """Write the timeline and the audit, and wake the pages that show this case."""
        self.tx.add(
            TimelineEntry(case_id=self.case.id, at=self.now, who=self.agent.name, what=what, why=why),
            AuditEntry(at=self.now, who=self.agent.email, action=what, subject=self.case.id, detail={"why": why}),
        )
        # A case's version is what guards it: touching any part of it must be seen by whoever acts at the same time.
        self.tx.cases.touch(self.case)
        self.tx.changed("desk", f"conversation:{self.case.conversation_id}")

    def must_own(self) -> None:
        """Raises Conflict unless this agent holds the case, claimed."""
        if self.case.state is not CaseState.CLAIMED or self.case.agent_id != self.agent.id:
            raise Conflict("claim the case first; nobody can work on a case they do not hold")


class CaseDesk:
    """The actions of the desk and of the desk API. All raise NotFound for an unknown case or agent."""

    def __init__(self, shop: Workshop) -> None:
        self._shop = shop

    async def claim(self, case_id: str, agent_id: str) -> None:
        """Take a case; raises Conflict when someone else has it.

        Claiming one's own again takes the conversation back from the bot, and else changes nothing.
        """
        async with self._shop.store() as tx:
            work = await self._begin(tx, case_id, agent_id)
            mine = work.case.state is CaseState.CLAIMED and work.case.agent_id == agent_id
            speaks = work.thread.conversation.owner is Owner.AGENT
            if mine and speaks:
                return
            if not mine:
                await self._take(work)
            if not speaks:
                await self._own_conversation(work)
                work.note("took the conversation back")
            await tx.commit()

    async def reply(self, case_id: str, agent_id: str, text: str) -> Message:
        """Answer the customer. An open case is claimed by it; whatever the bot still had to say is withheld."""
        if not text.strip():
            raise Refused("write something to send", field="text")
        async with self._shop.store() as tx:
            work = await self._begin(tx, case_id, agent_id)
            if work.thread.contact_point.opted_out_at is not None:
                self._note_refusal(work)
                await tx.commit()
                raise Conflict("the customer opted out of messages here; reach them another way")
            if work.case.state is not CaseState.CLAIMED:
                await self._take(work)
            work.must_own()
            await self._own_conversation(work)
            message = await say(
                tx,
                work.thread.conversation,
                text,
                kind=MessageKind.AGENT,
                author=Author.AGENT,
                author_name=work.agent.name,
                now=work.now,
            )
            work.thread.conversation.awaited = AwaitedAnswer.NOTHING
            await self._responded(work)
            work.note("replied")
            await tx.commit()
            return message

    async def step(self, case_id: str, agent_id: str, step: Step, state: StepState, note: str) -> None:
        """Tick off, reopen or waive one of the five steps."""
        life.check_step(step, state, note)
        async with self._shop.store() as tx:
            work = await self._begin(tx, case_id, agent_id)
            work.must_own()
            await self._set_step(work, step, state, note)
            work.note(f"{step.value}: {state.value}", note)
            await tx.commit()

    async def grant(self, case_id: str, agent_id: str, kind: GrantKind, amount: Money, note: str) -> Grant:
        """Give a gesture within the agent's own authority; a refusal is recorded before it is raised (P21)."""
        async with self._shop.store() as tx:
            work = await self._begin(tx, case_id, agent_id)
            work.must_own()
            site = await tx.find(Site, work.case.site_id or "")
            currency = site.currency if site else amount.currency
            already = await tx.cases.granted(case_id, work.agent.name)
            try:
                check_grant(amount, already=already, role=work.agent.role, currency=currency)
            except Refused as refusal:
                work.note("grant refused", f"{amount.value} {amount.currency}: {refusal}")
                await tx.commit()
                raise
            grant = Grant(
                case_id=case_id,
                kind=kind,
                value=amount.value,
                currency=amount.currency,
                note=note,
                by=work.agent.name,
                at=work.now,
            )
            tx.add(grant)
            await self._set_step(work, Step.COMPENSATE, StepState.DONE, f"{kind} {amount.value} {amount.currency}")
            work.note("granted", f"{kind} {amount.value} {amount.currency}" + (f": {note}" if note else ""))
            await tx.commit()
            return grant

    async def resolve(self, case_id: str, agent_id: str, summary: str) -> None:
        """The fix is made: the bot owns the conversation again and will ask whether it helped.

        Raises Refused while a step is open or without a summary, because the next reader needs one.
        """
        async with self._shop.store() as tx:
            work = await self._begin(tx, case_id, agent_id)
            work.must_own()
            steps = await tx.all(CaseStep, case_id=case_id)
            life.check_resolvable({step.step: step.state for step in steps})
            if not summary.strip():
                raise Refused("say in a sentence what was done; the follow-up speaks of it", field="summary")
            case, now = work.case, work.now
            case.state = life.move(case.state, "resolve")
            case.resolved_at, case.summary = now, summary.strip()
            await self._to_bot(work)
            work.note("resolved", summary)
            await tx.flush()
            follow_up.plan_follow_up(tx, case, at=now + self._shop.rules.follow_up_delay, now=now)
            await tx.commit()

    async def hand_back(self, case_id: str, agent_id: str) -> None:
        """Give the conversation back to the bot; the case stays with its agent."""
        async with self._shop.store() as tx:
            work = await self._begin(tx, case_id, agent_id)
            work.must_own()
            await self._to_bot(work)
            work.note("handed back")
            await tx.commit()

    async def transfer(self, case_id: str, agent_id: str, to: str, brief: str) -> None:
        """Hand the case to another agent, named by id or e-mail, with a brief they can start from (P23, P31)."""
        if not brief.strip():
            raise Refused("write a brief; nobody should have to ask the customer again", field="brief")
        async with self._shop.store() as tx:
            work = await self._begin(tx, case_id, agent_id)
            work.must_own()
            heir = await find_agent(tx, to)
            if heir.id == agent_id:
                raise Refused("the case is yours already", field="to")
            work.case.agent_id, work.case.brief = heir.id, brief.strip()
            work.case.reassignments += 1
            await self._own_conversation(work, heir.id)
            work.note(f"transferred to {heir.name}", brief)
            await tx.commit()

    async def reopen(self, case_id: str, agent_id: str, reason: str) -> None:
        """Bring a resolved or closed case back, with the reason."""
        if not reason.strip():
            raise Refused("say why the case is opened again", field="reason")
        async with self._shop.store() as tx:
            work = await self._begin(tx, case_id, agent_id)
            conversation = work.thread.conversation
            await reopen(tx, self._shop, work.thread, work.case, who=work.agent.name, why=reason, now=work.now)
            if conversation.owner is Owner.BOT:
                await self._own_conversation(work, work.case.agent_id or agent_id)
            await tx.commit()

    async def _begin(self, tx: UnitOfWork, case_id: str, agent_id: str) -> _Work:
        case = await tx.get(Case, case_id)
        agent = await tx.get(Agent, agent_id)
        return _Work(tx, case, agent, await load_thread(tx, case.conversation_id), self._shop.clock())

    def _note_refusal(self, work: _Work) -> None:
        """An agent's words that were not taken leave a trace like everything else that was not sent."""
        reason = "the customer opted out"
        note(
            work.tx,
            work.case.conversation_id,
            Purpose.AGENT_REPLY,
            Decided.REFUSED,
            at=work.now,
            reason=reason,
            rules=(TraceEntry(work.now, "opt_out", Outcome.SKIP, reason),),
            facts={"by": work.agent.name},
            case_id=work.case.id,
        )

    async def _take(self, work: _Work) -> None:
        holder = await work.tx.find(Agent, work.case.agent_id) if work.case.agent_id else None
        if work.case.state is CaseState.CLAIMED:
            raise Conflict(f"{holder.name if holder else 'someone'} has this case; ask for a transfer")
        work.case.state = life.move(work.case.state, "claim")
        if holder is not None and holder.id != work.agent.id:
            work.case.reassignments += 1
        work.case.agent_id = work.agent.id
        work.thread.conversation.agent_id = work.agent.id
        work.note("claimed")

    async def _own_conversation(self, work: _Work, agent_id: str | None = None) -> None:
        """A human speaks: the version grows, so that nothing the bot prepared can leave any more."""
        if not await move_owner(work.tx, work.thread.conversation, Owner.AGENT, agent_id or work.agent.id):
            raise Conflict("the conversation changed hands just now; look again")
        work.thread.conversation.case_id = work.case.id
        # From now on nobody needs to be told that a person will answer: one has.
        work.thread.conversation.handoff_message_id = None
        await withhold_waiting(
            work.tx, work.thread.conversation.id, "a person took over the conversation", now=work.now
        )

    async def _to_bot(self, work: _Work) -> None:
        """The bot may speak again: it is told so before it hears the next message, and it has asked nothing."""
        conversation = work.thread.conversation
        conversation.awaited = AwaitedAnswer.LAST_WORD
        if conversation.owner is Owner.BOT:
            return
        if not await move_owner(work.tx, conversation, Owner.BOT):
            raise Conflict("the conversation changed hands just now; look again")
        work.tx.add(resumption_of(conversation, now=work.now))

    async def _responded(self, work: _Work) -> None:
        if work.case.first_response_at is not None:
            return
        work.case.first_response_at = work.now
        await work.tx.tasks.cancel(f"chase:{work.case.id}")
        for promise in await work.tx.all(Promise, case_id=work.case.id, kept_at=None):
            promise.kept_at = work.now

    async def _set_step(self, work: _Work, step: Step, state: StepState, note: str) -> None:
        row = await work.tx.one(CaseStep, case_id=work.case.id, step=step)
        assert row is not None
        row.state, row.by, row.note = state, work.agent.name, note
        row.at = None if state is StepState.OPEN else work.now


async def find_agent(tx: UnitOfWork, who: str) -> Agent:
    """The active agent with this id or e-mail. Raises NotFound."""
    agent = await tx.find(Agent, who) or await tx.one(Agent, email=who.strip().lower())
    if agent is None or not agent.active:
        raise NotFound(f"there is no agent {who!r}")
    return agent
