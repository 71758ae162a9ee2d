"""A day at the Harbour in pieces: every turn and every delivery stops where others may act before it goes on.

A seed decides who goes next. A worker's task runs until it stands at a gate (in a turn before and after the actions,
in a trigger, or while a text is with its channel) or is done; what was begun stays there while anything else happens.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from bot.core.assessment import Reading
from bot.core.dialogue import DialogueUnavailable, Intent, Parsed, Turn, Utterance
from bot.core.errors import AfterwordError, ChannelError
from bot.core.vocabulary import (
    Author,
    AwaitedAnswer,
    CaseState,
    HandoffReason,
    Medium,
    MessageKind,
    NextStep,
    Owner,
    Step,
    StepState,
)
from bot.services import webchat
from bot.services.delivering import record_status
from bot.services.desk import CaseDesk
from bot.services.entities import Agent, Case, ContactPoint, Conversation, Customer, Message, Task, new_id
from bot.services.inbound import Received, receive_sms, receive_webchat
from bot.services.ports import Accepted, Listed, Outbound, SentMessage
from bot.services.recovery import Recovery
from bot.services.workshop import Rules, Workshop
from bot.store.unit_of_work import SqlStore
from bot.work.loop import Worker
from tests.conftest import Clock, FakeWords
from tests.services.house import CONTENT, UNHAPPY

STEPS = 14
READINGS: Mapping[str, Reading] = {
    "lovely": CONTENT,
    "an hour for a soup": UNHAPPY,
    "the bill is wrong": replace(UNHAPPY, failure="price"),
    "thanks": Reading("thanks", p=0.02, intent="thanks", intent_confidence=0.9),
    "hm": Reading("hm", p=0.2, intent="nlu_fallback", intent_confidence=0.2),
}
_SENTENCES = {NextStep.STAY_SILENT: 0, NextStep.RECOVER: 2}
WAITING = ("handle_message", "send_message", "resume_dialogue")
STATUSES = ("queued", "sending", "sent", "delivered", "undelivered", "read")


class Stage:
    """Where begun work stands. `open`: nothing stops any more."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.standing: dict[asyncio.Task[Any], tuple[str, datetime, asyncio.Future[str]]] = {}
        self.open = False
        self._moved = asyncio.Event()

    async def gate(self, name: str, otherwise: str) -> str:
        """Stand here until told how to go on; `otherwise` when nothing stops."""
        if self.open:
            return otherwise
        running = asyncio.current_task()
        assert running is not None
        how: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.standing[running] = (name, self.clock(), how)
        self._moved.set()
        try:
            return await how
        finally:
            self.standing.pop(running, None)

    async def until_it_stands(self, running: asyncio.Task[Any]) -> None:
        """Let one piece of work run to its next gate, or to its end."""
        running.add_done_callback(lambda _: self._moved.set())
        while not running.done() and running not in self.standing:
            self._moved.clear()
            await self._moved.wait()

    async def go_on(self, running: asyncio.Task[Any], how: str) -> None:
        """Tell what stands at a gate how to go on; `die` ends its worker on the spot."""
        _, _, future = self.standing.pop(running)
        if how == "die":
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            return
        future.set_result(how)
        await self.until_it_stands(running)


class StandingChannel:
    """Takes texts at a gate, knows which it really took, and looks at who may speak in the instant it is asked."""

    def __init__(self, stage: Stage, store: SqlStore, clock: Clock) -> None:
        self.stage, self.store, self.clock = stage, store, clock
        self.begun: list[str] = []
        self.taken: dict[str, SentMessage] = {}
        self.wrong: list[str] = []
        self.spoken: set[str] = set()
        """Conversations in which a person has spoken since they became a person's."""
        self.shown = False
        """Whether something was shown in the web chat since somebody looked."""

    async def send(self, outbound: Outbound) -> Accepted:
        """Take it, be busy, refuse it, or lose the answer, having taken it or not."""
        conversation = await self._look(outbound)
        # A web chat takes everything; only its worker may die.
        how = await self.stage.gate("send" if conversation.medium is Medium.SMS else "show", "accepted")
        if how == "busy":
            raise ChannelError("busy", retry_after=1)
        if how == "refused":
            raise ChannelError("not a number", permanent=True)
        if how == "lost untaken":
            raise ChannelError("the answer was lost", ambiguous=True)
        sid = f"SM{outbound.message_id}"
        self.taken[outbound.message_id] = SentMessage(sid, outbound.to, outbound.text, "queued", None, self.clock())
        if how == "lost":
            raise ChannelError("the answer was lost", ambiguous=True)
        return Accepted(sid, "queued" if conversation.medium is Medium.SMS else "delivered")

    async def reconcile(self, to: str, since: datetime) -> list[SentMessage]:
        """What it took."""
        return [sent for sent in self.taken.values() if sent.to == to]

    async def listed_since(self, since: datetime) -> list[Listed]:
        """Nobody asks here."""
        raise NotImplementedError

    async def _look(self, outbound: Outbound) -> Conversation:
        async with self.store() as tx:
            message, (conversation, *_) = await tx.conversations.parts_around(outbound.message_id)
        self.shown = self.shown or conversation.medium is Medium.WEBCHAT
        if conversation.medium is Medium.WEBCHAT and message.id in self.begun:
            return conversation  # it stands in the thread already, and its listeners are only woken again
        if message.id in self.taken:
            self.wrong.append(f"{message.text} left twice")
        self.begun.append(message.id)
        if message.author is Author.BOT and message.kind is not MessageKind.COMPLIANCE:
            self.wrong += self._talking_over(message, conversation)
        return conversation

    def _talking_over(self, message: Message, conversation: Conversation) -> Iterator[str]:
        if message.kind is MessageKind.DIALOGUE and conversation.owner is Owner.AGENT:
            yield f"{message.text} left while a person owns the conversation"
        if conversation.id in self.spoken:
            yield f"{message.text} left after a person had spoken"
        if message.expected_version != conversation.version:
            yield f"{message.text} left at version {conversation.version}"


@dataclass
class StandingDialogue:
    """A bot that thinks at gates and names the message it answers, so that nothing said twice goes unnoticed."""

    stage: Stage
    recovery: Recovery
    heard: list[str] = field(default_factory=list)
    readings: dict[str, Reading] = field(default_factory=dict)
    triggered: int = 0

    async def turn(self, conversation_id: str, message_id: str, text: str, metadata: Mapping[str, Any]) -> Turn:
        """Hear, think, act, think, answer."""
        self.heard.append(message_id)
        await self._think("turn")
        reading = self.readings[message_id]
        step = (await self.recovery.assess_reply(conversation_id, message_id, reading)).next_step
        if step is NextStep.RECOVER:
            await self.recovery.hand_off(conversation_id, message_id, HandoffReason.DISSATISFIED)
        elif step is NextStep.FOLLOW_UP:
            fixed = {"satisfied": True, "thanks": True, "complaint": False}.get(reading.intent)
            await self.recovery.follow_up_answered(conversation_id, message_id, fixed)
        await self._think("words")
        words = [f"{message_id} one", f"{message_id} two"][: _SENTENCES.get(step, 1)]
        return Turn(tuple(Utterance(one) for one in words), Intent(reading.intent, 0.9))

    async def trigger(self, conversation_id: str, occasion: str, intent: str, slots: Mapping[str, Any]) -> Turn:
        """Speak first."""
        await self._think("trigger")
        self.triggered += 1
        return Turn((Utterance(f"{intent} {self.triggered}"),))

    async def resume(self, conversation_id: str) -> None:
        """Hear of a handback."""
        await self._think("resume")

    async def parse(self, items: Any) -> list[Any]:
        """Nobody means to opt out in words of their own."""
        return [Parsed(Intent("thanks", 0.9), None) for _ in items]

    async def ready(self) -> bool:
        """Always."""
        return True

    async def _think(self, name: str) -> None:
        if await self.stage.gate(name, "go") == "broken":
            raise DialogueUnavailable("away")


class Day:
    """One customer by SMS and on the web, two agents, one bot, and any number of workers."""

    def __init__(self, store: SqlStore, seed: int) -> None:
        self.chance, self.clock = random.Random(seed), Clock()
        self.stage = Stage(self.clock)
        self.store, self.phone = store, f"+4477009{seed:05}"
        self.channel = StandingChannel(self.stage, store, self.clock)
        rules = Rules(follow_up_delay=timedelta(seconds=90), follow_up_again_after=timedelta(minutes=5))
        bare = Workshop(store, self.clock, None, FakeWords(), {}, rules)  # type: ignore[arg-type]
        self.dialogue = StandingDialogue(self.stage, Recovery(bare))
        channels = {Medium.SMS: self.channel, Medium.WEBCHAT: self.channel}
        self.shop = replace(bare, dialogue=self.dialogue, channels=channels)
        self.worker, self.desk = Worker(self.shop), CaseDesk(self.shop)
        self.agents: list[str] = []
        self.sms = self.web = ""
        self.written: dict[str, list[str]] = {}
        self.received: list[Received] = []
        self.replied: list[str] = []
        self.shown: list[str] = []
        self.done: list[str] = []

    async def begins(self) -> None:
        """The people and the two conversations."""
        now = self.clock()
        robin = Customer(name="Robin", language="en", time_zone="Europe/London", created_at=now)
        points = [
            ContactPoint(customer_id=robin.id, medium=Medium.SMS, address=self.phone),
            ContactPoint(customer_id=robin.id, medium=Medium.WEBCHAT, address=robin.id),
        ]
        threads = [
            Conversation(
                customer_id=robin.id,
                contact_point_id=point.id,
                medium=point.medium,
                awaited=AwaitedAnswer.CHECK_IN,
                created_at=now,
            )
            for point in points
        ]
        agents = [Agent(email=f"{name}@{robin.id}.example", name=name, password_hash="") for name in ("sam", "kim")]
        async with self.store() as tx:
            tx.add(robin, *agents)
            await tx.flush()
            tx.add(*points)
            await tx.flush()
            tx.add(*threads)
            await tx.commit()
        self.agents, (self.sms, self.web) = [agent.id for agent in agents], [thread.id for thread in threads]
        self.written = {self.sms: [], self.web: []}
        await self.customer_writes("an hour for a soup")

    async def goes_on(self, steps: int = STEPS) -> None:
        """Somebody does something, again and again."""
        options: list[Callable[[], Awaitable[Any]]] = [
            *[self.customer_writes] * 2,
            *[self.work_begins] * 5,
            *[self.work_goes_on] * 6,
            *[self.agent_acts] * 6,
            self.provider_calls_back,
            self.text_comes_twice,
        ]
        for _ in range(steps):
            step = self.chance.choice(options)
            self.done.append(step.__name__)
            # The desk refuses what is not possible just now.
            with contextlib.suppress(AfterwordError):
                await step()
            self.clock.forward(seconds=self.chance.choice([0, 0, 1, 5, 31, 61]))
            await self.requests_time_out()
            if self.channel.shown or step == self.customer_writes:
                self.channel.shown = False
                await self.look_at_the_thread()

    async def requests_time_out(self) -> None:
        """No request to a provider lasts longer than half a minute; what became of it is anybody's guess."""
        for running, (name, since, _) in list(self.stage.standing.items()):
            if name == "send" and self.clock() - since > timedelta(seconds=30):
                await self.stage.go_on(running, self.chance.choice(["lost", "lost untaken"]))

    async def ends(self) -> None:
        """The evening is calm: what stands goes on, and what is due is done."""
        self.stage.open = True
        for running, (name, _, _) in list(self.stage.standing.items()):
            await self.stage.go_on(running, "accepted" if name in ("send", "show") else "go")
        for _ in range(100):
            tasks = await self.claimed(16)
            for task in tasks:
                await self.worker._work(task)
            if not tasks and not await self.waiting():
                break
            self.clock.forward(seconds=0 if tasks else 65)
        await self.look_at_the_thread()

    async def waiting(self) -> list[Task]:
        """What still has to be heard, sent or cleared up."""
        async with self.store() as tx:
            return await tx.all(Task, kind=WAITING, state=("todo", "doing"))

    async def customer_writes(self, words: str | None = None) -> None:
        """Happy or not, here or there; now and then they have had enough."""
        thread = self.chance.choice([self.sms, self.sms, self.web])
        enough = self.chance.random() < 0.03
        words = words or ("STOP" if enough else self.chance.choice(list(READINGS)))
        text = words if words == "STOP" else f"{words} {len(self.written[thread])}"
        self.written[thread].append(text)
        if thread == self.sms:
            received = Received(text, provider_id=f"SM{new_id()}")
            self.received.append(received)
            message = await receive_sms(self.shop, self.phone, received)
        else:
            message = await receive_webchat(self.shop, thread, Received(text, client_id=new_id()))
        self.dialogue.readings[message.id] = READINGS.get(words, CONTENT)

    async def text_comes_twice(self) -> None:
        """Twilio delivers again what it delivered before."""
        if self.received:
            await receive_sms(self.shop, self.phone, self.chance.choice(self.received))

    async def work_begins(self) -> None:
        """A worker takes up what is due and gets as far as the first gate, or dies with it."""
        for task in await self.claimed(1):
            if self.chance.random() < 0.05:
                continue
            running = asyncio.create_task(self.worker._work(task))
            await self.stage.until_it_stands(running)

    async def claimed(self, limit: int) -> list[Task]:
        """What a worker takes up."""
        async with self.store() as tx:
            tasks = await tx.tasks.claim(self.clock(), lease=self.worker.lease, limit=limit)
            if tasks:
                await tx.commit()
            return tasks

    async def work_goes_on(self) -> None:
        """Something that stands goes on, one way or another."""
        if not self.stage.standing:
            return await self.work_begins()
        running = self.chance.choice(list(self.stage.standing))
        name, _, _ = self.stage.standing[running]
        ways = ["go"] * 12 + ["broken", "die"]
        if name == "show":
            ways = ["accepted"] * 8 + ["die"]
        elif name == "send":
            ways = ["accepted"] * 8 + ["busy", "busy", "refused", "lost", "lost", "lost untaken", "die"]
        await self.stage.go_on(running, self.chance.choice(ways))

    async def provider_calls_back(self) -> None:
        """In any order, about anything it took."""
        texts = [(id, sent) for id, sent in self.channel.taken.items() if sent.to == self.phone]
        if texts:
            id, sent = self.chance.choice(texts)
            status = self.chance.choice(STATUSES)
            sid = sent.provider_id
            await record_status(self.shop, message_id=id, provider_id=sid, status=status, error_code=None)

    async def agent_acts(self) -> None:
        """One of the two tries something with one of the cases, possible or not."""
        async with self.store() as tx:
            cases = await tx.all(Case, conversation_id=(self.sms, self.web), order_by="opened_at")
        if not cases:
            return
        case = self.chance.choice(cases)
        who = self.chance.choice(
            [*self.agents, case.agent_id, case.agent_id, case.agent_id] if case.agent_id else self.agents
        )
        thread = case.conversation_id
        act = self.chance.choice(
            ["reply", "reply", "reply", "claim", "hand back", "hand back", "resolve", "transfer", "reopen"]
        )
        self.done[-1] = act
        if act == "reply":
            said = await self.desk.reply(case.id, who, f"{who} {new_id()}")
            self.replied.append(said.id)
            self.channel.spoken.add(thread)
        elif act == "claim":
            taken_back = await self._speaks(thread) is Owner.BOT
            await self.desk.claim(case.id, who)
            if taken_back:
                self.channel.spoken.add(thread)
        elif act == "hand back":
            await self.desk.hand_back(case.id, who)
            self.channel.spoken.discard(thread)
        elif act == "resolve":
            await self._resolve(case, who)
            self.channel.spoken.discard(thread)
        elif act == "transfer":
            [other] = [agent for agent in self.agents if agent != who]
            await self.desk.transfer(case.id, who, other, "all is in the case")
        elif case.state in (CaseState.RESOLVED, CaseState.CLOSED):
            await self.desk.reopen(case.id, who, "it broke")

    async def _resolve(self, case: Case, who: str) -> None:
        for step in (Step.ACT, Step.COMPASSION, Step.COMPENSATE):
            await self.desk.step(case.id, who, step, StepState.DONE, "")
        await self.desk.resolve(case.id, who, "done")

    async def _speaks(self, thread: str) -> Owner:
        async with self.store(read_only=True) as tx:
            return (await tx.get(Conversation, thread)).owner

    async def look_at_the_thread(self) -> None:
        """What a visitor has seen stays, and what is new comes after it: a cursor misses nothing."""
        now = [message["id"] for message in await webchat.thread(self.shop, self.web)]
        if now[: len(self.shown)] != self.shown:
            self.channel.wrong.append("a cursor in the web chat would have missed or lost a message")
        self.shown = now
