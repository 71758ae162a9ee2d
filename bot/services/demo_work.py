"""What an agent does with a case in the demo's story, recorded as the desk records it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from bot.core import cases as life
from bot.core.vocabulary import Owner, Step, StepState
from bot.services.conversing import move_owner
from bot.services.demo_story import Act, Gesture, Given
from bot.services.entities import Agent, Case, CaseStep, Conversation, Grant, Promise, Site, TimelineEntry
from bot.services.ports import UnitOfWork


@dataclass(frozen=True, slots=True)
class AgentAtWork:
    """An agent with one case at one moment, inside one transaction."""

    tx: UnitOfWork
    case: Case
    conversation: Conversation
    site: Site
    agent: Agent
    now: datetime

    async def do(self, act: Act) -> None:
        """One deed of the agent; their words to the customer are written by the caller, with `answered`."""
        match act:
            case Act(claim=True):
                self.case.state, self.case.agent_id = life.move(self.case.state, "claim"), self.agent.id
                self.conversation.agent_id = self.agent.id
                await self._note("claimed")
            case Act(done=dict() as notes):
                await self._tick(notes, StepState.DONE)
            case Act(waived=dict() as notes):
                await self._tick(notes, StepState.WAIVED)
            case Act(promise=Given() as given):
                due_at = self.now + given.within
                self.tx.add(Promise(case_id=self.case.id, text=given.text, due_at=due_at, by=self.agent.name))
            case Act(grant=Gesture() as gesture):
                await self._grant(gesture)
            case Act(resolve=str(summary)):
                await self._resolve(summary)

    async def answered(self) -> None:
        """The agent has written: the conversation is theirs, and what was promised about answering is kept."""
        await move_owner(self.tx, self.conversation, Owner.AGENT, self.agent.id)
        if self.case.first_response_at is None:
            self.case.first_response_at = self.now
            await self._keep_promises()
        await self._note("replied")

    async def _tick(self, notes: Mapping[Step, str], state: StepState) -> None:
        for step, note in notes.items():
            life.check_step(step, state, note)
            await self._set_step(step, state, note)
            await self._note(f"{step.value}: {state.value}", note)

    async def _grant(self, gesture: Gesture) -> None:
        given = f"{gesture.kind} {gesture.value} {self.site.currency}"
        self.tx.add(
            Grant(
                case_id=self.case.id,
                kind=gesture.kind,
                value=gesture.value,
                currency=self.site.currency,
                note=gesture.note,
                by=self.agent.name,
                at=self.now,
            )
        )
        await self._set_step(Step.COMPENSATE, StepState.DONE, given)
        await self._note("granted", f"{given}: {gesture.note}")

    async def _resolve(self, summary: str) -> None:
        steps = await self.tx.all(CaseStep, case_id=self.case.id)
        life.check_resolvable({step.step: step.state for step in steps})
        self.case.state = life.move(self.case.state, "resolve")
        self.case.resolved_at, self.case.summary = self.now, summary
        await self._keep_promises()
        await move_owner(self.tx, self.conversation, Owner.BOT)
        await self._note("resolved", summary)

    async def _set_step(self, step: Step, state: StepState, note: str) -> None:
        row = await self.tx.one(CaseStep, case_id=self.case.id, step=step)
        assert row is not None
        row.state, row.at, row.by, row.note = state, self.now, self.agent.name, note

    async def _keep_promises(self) -> None:
        for promise in await self.tx.all(Promise, case_id=self.case.id, kept_at=None):
            promise.kept_at = self.now

    async def _note(self, what: str, why: str = "") -> None:
        # Flushed one by one: the timeline is read in the order in which it was numbered.
        self.tx.add(TimelineEntry(case_id=self.case.id, at=self.now, who=self.agent.name, what=what, why=why))
        await self.tx.flush()
