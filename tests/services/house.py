"""What the tests of the use cases say to each other: a customer who writes, a bot that hears, an agent who answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from bot.core.assessment import Reading
from bot.core.vocabulary import HandoffReason, Medium, NextStep, Purpose, Role, Step, StepState
from bot.services.desk import CaseDesk
from bot.services.entities import Agent, Case, CheckIn, Conversation, Decision, Message, ServiceEvent, TimelineEntry
from bot.services.inbound import Received, receive_sms
from bot.services.intake import FinishedService, ServedCustomer, receive_service_event
from bot.services.recovery import Recovery
from bot.services.trace import traces_of
from bot.services.workshop import Workshop
from bot.work.loop import Worker
from tests.conftest import Clock, FakeChannel, FakeDialogue

PHONE = "+447700900001"
CONTENT = Reading("lovely", p=0.02, intent="satisfied", intent_confidence=0.9)
UNHAPPY = Reading("an hour for a soup", p=0.9, intent="complaint", intent_confidence=0.9, failure="wait")


def robin(**changed: Any) -> ServedCustomer:
    """Robin, as the Harbour's own system knows them."""
    known: dict[str, Any] = {
        "external_id": "c-1",
        "name": "Robin",
        "phone": PHONE,
        "language": "en",
        "time_zone": "Europe/London",
        "consent": {Medium.SMS: True},
    }
    return ServedCustomer(**{**known, **changed})


def lunch(external_id: str = "order-1", *, finished_at: datetime | None = None, **changed: Any) -> FinishedService:
    """Robin's lunch at the Harbour, finished at noon unless said otherwise."""
    reported: dict[str, Any] = {
        "kind": "restaurant_visit",
        "site_id": "harbour",
        "service": "lunch",
        "customer": robin(),
        "medium": Medium.SMS,
    }
    return FinishedService(external_id=external_id, finished_at=finished_at or Clock().now, **{**reported, **changed})


@dataclass
class House:
    """A workshop with its worker, and the people around it."""

    shop: Workshop
    worker: Worker
    clock: Clock
    dialogue: FakeDialogue
    sms: FakeChannel
    reading: Reading = CONTENT
    _numbers: count[int] = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        self.recovery, self.desk = Recovery(self.shop), CaseDesk(self.shop)
        self.dialogue.during_turn = self.hear

    async def hear(self, conversation_id: str, message_id: str) -> None:
        """What the actions do in a turn: assess, and hand over when the next step says so."""
        assessed = await self.recovery.assess_reply(conversation_id, message_id, self.reading)
        if assessed.next_step is NextStep.RECOVER:
            await self.recovery.hand_off(conversation_id, message_id, HandoffReason.DISSATISFIED)

    async def serve(self, external_id: str = "order-1", **changed: Any) -> ServiceEvent:
        """A finished lunch is reported and its question is asked, if it may be."""
        event, _ = await receive_service_event(self.shop, lunch(external_id, **changed))
        await self.worker.drain()
        return event

    async def arrives(self, text: str, **received: Any) -> Message:
        """The customer's text is stored; nobody has looked at it yet."""
        received.setdefault("provider_id", f"SM{next(self._numbers)}")
        return await receive_sms(self.shop, PHONE, Received(text, **received))

    async def writes(self, text: str, **received: Any) -> Message:
        """The customer writes, and everything due is worked off."""
        message = await self.arrives(text, **received)
        await self.worker.drain()
        return message

    async def complains(self) -> Case:
        """The customer is unhappy, and a case is open when it has been handled."""
        self.reading = UNHAPPY
        await self.writes("an hour for a soup")
        return await self.case()

    async def hires(self, name: str = "Sam", *, role: Role = Role.AGENT, site_id: str | None = "harbour") -> Agent:
        """An agent at the desk."""
        agent = Agent(email=f"{name.lower()}@example.com", name=name, password_hash="", role=role, site_id=site_id)
        async with self.shop.store() as tx:
            tx.add(agent)
            await tx.commit()
        return agent

    async def resolves(self, case: Case, agent: Agent, summary: str = "a table by the window") -> None:
        """The agent works every step and resolves."""
        await self.desk.claim(case.id, agent.id)
        for step in (Step.ACT, Step.COMPASSION, Step.COMPENSATE):
            await self.desk.step(case.id, agent.id, step, StepState.DONE, "")
        await self.desk.resolve(case.id, agent.id, summary)

    async def case(self) -> Case:
        """The newest case."""
        async with self.shop.store(read_only=True) as tx:
            return (await tx.all(Case, order_by="opened_at", descending=True))[0]

    async def cases(self) -> list[Case]:
        """Every case, the oldest first."""
        return await self.all(Case, order_by="opened_at")

    async def conversation(self) -> Conversation:
        """The only conversation."""
        conversation: Conversation = await self.one(Conversation)
        return conversation

    async def all(self, kind: type[Any], /, **equal: Any) -> list[Any]:
        """Every entity of a kind, as it stands now."""
        async with self.shop.store(read_only=True) as tx:
            return await tx.all(kind, **equal)

    async def one(self, kind: type[Any], /, **equal: Any) -> Any:
        """The only entity like this, as it stands now."""
        [entity] = await self.all(kind, **equal)
        return entity

    async def outbox(self) -> list[tuple[str, str]]:
        """Every message of ours with its delivery, in order."""
        return [(m.text, m.delivery) for m in await self.all(Message, direction="out", order_by="position")]

    async def timeline(self, case: Case) -> list[str]:
        """What happened to a case, in order."""
        return [entry.what for entry in await self.all(TimelineEntry, case_id=case.id, order_by="id")]

    async def trace(self, check_in: CheckIn) -> list[dict[str, Any]]:
        """Every rule's word in the decisions about a check-in, the oldest first."""
        async with self.shop.store(read_only=True) as tx:
            return (await traces_of(tx, [check_in]))[check_in.id]

    async def decisions(self, purpose: Purpose | None = None) -> list[tuple[str, str]]:
        """What was decided and why, in order: of one purpose, or of all."""
        found = await self.all(Decision, order_by="id")
        return [(str(d.outcome), d.reason) for d in found if purpose in (None, d.purpose)]

    def later(self, **delta: float) -> datetime:
        """Let time pass."""
        return self.clock.forward(**delta)

    def at(self, hour: int, minute: int = 0, *, days: int = 0) -> datetime:
        """Set the clock to an hour of its day, some days on."""
        self.clock.now = self.clock.now.replace(hour=hour, minute=minute) + timedelta(days=days)
        return self.clock.now
