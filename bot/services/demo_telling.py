"""One visit of the demo, told into the store act by act, with the decisions the core would have made on the day."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from bot.core.assessment import Assessment, Circumstances, Reading, Signal, assess, next_step
from bot.core.check_in import Outcome, Reach, decide_contact
from bot.core.errors import Unusable
from bot.core.facts import Facts
from bot.core.silence import Silence, judge_silence
from bot.core.sms import segments
from bot.core.vocabulary import (
    Author,
    AwaitedAnswer,
    CaseState,
    CheckInState,
    Decided,
    Direction,
    HandoffReason,
    Medium,
    MessageKind,
    NextStep,
    Owner,
    Purpose,
    Verdict,
)
from bot.services import consent, follow_up
from bot.services.conversing import clock_words, load_thread
from bot.services.delivering import heed
from bot.services.demo_story import Act, Heard, Visit
from bot.services.demo_work import AgentAtWork
from bot.services.entities import (
    Agent,
    AssessmentRecord,
    Case,
    CheckIn,
    ContactPoint,
    Conversation,
    Customer,
    Delivery,
    HiddenCost,
    Json,
    Message,
    ServiceEvent,
    Site,
    Task,
    TimelineEntry,
    new_id,
)
from bot.services.handoff import hand_off_in
from bot.services.intake import FinishedService, ServedCustomer
from bot.services.ports import UnitOfWork
from bot.services.promising import BOT, on_the_hour
from bot.services.trace import note_contact, note_message
from bot.services.workshop import Workshop

_ASKS = {NextStep.ASK_SOFTLY: AwaitedAnswer.SOFT_QUESTION, NextStep.OFFER_HAND: AwaitedAnswer.HAND_OFFERED}


@dataclass(kw_only=True)
class Telling:
    """A visit being told; `now` is the moment the story has reached, the workshop's clock where it must end."""

    tx: UnitOfWork
    shop: Workshop
    visit: Visit
    opening: str
    site: Site
    customer: Customer
    conversation: Conversation
    agent: Agent | None
    now: datetime
    by: str = ""
    opened: Case | None = None

    @property
    def case(self) -> Case:
        """The case this visit led to. Raises Unusable while there is none."""
        if self.opened is None:
            raise Unusable(f"visit {self.visit.id}: hand_off comes before anything that is done with a case")
        return self.opened

    async def tell(self) -> None:
        """The service, the check-in, and whatever came of it."""
        await self._serve()
        if self.now + self.visit.asked_after > self.shop.clock():
            return self._plan("send_check_in", f"check_in:{self.check_in.id}", self.check_in.due_at)
        self.now += self.visit.asked_after
        if await self._ask():
            for act in self.visit.story:
                await self._step_to(act)
            await self._leave_off()

    async def _serve(self) -> None:
        visit = self.visit
        served = ServedCustomer(external_id=visit.customer, name=self.customer.name)
        report = FinishedService(
            visit.id, visit.kind, self.site.id, visit.service, self.now, served, visit.channel, visit.facts
        )
        self.event = ServiceEvent(
            external_id=visit.id,
            fingerprint=report.fingerprint(),
            kind=visit.kind,
            site_id=self.site.id,
            service=visit.service,
            finished_at=self.now,
            customer_id=self.customer.id,
            medium=visit.channel,
            facts=visit.facts,
            created_at=self.now,
        )
        await self._keep(self.event)
        due_at = self.shop.rules.contact.window.next_allowed(self.now + visit.asked_after, self._zone())
        self.check_in = CheckIn(service_event_id=self.event.id, conversation_id=self.conversation.id, due_at=due_at)
        await self._keep(self.check_in)

    async def _ask(self) -> bool:
        """Whether the question went out; if not, the trace says why."""
        policy, point = self.shop.rules.contact, await self.tx.get(ContactPoint, self.conversation.contact_point_id)
        ids = [one.id for one in await self.tx.all(Conversation, customer_id=self.customer.id)]
        recent = await self.tx.conversations.first_messages(ids, self.now - policy.cap_window)
        reach = Reach(
            medium=self.visit.channel,
            has_address=point.invalid_since is None,
            consented=True,
            opted_out=point.opted_out_at is not None,
            zones=(self._zone(),),
            recent_contacts=tuple(recent),
            busy=self.conversation.owner is Owner.AGENT,
        )
        decision = decide_contact(reach, finished_at=self.event.finished_at, now=self.now, policy=policy)
        id, check_in_id = self.conversation.id, self.check_in.id
        note_contact(self.tx, id, Purpose.CHECK_IN, decision, at=self.now, facts={}, check_in_id=check_in_id)
        if decision.outcome is not Outcome.PASS:
            self.check_in.state = CheckInState.SKIPPED
            self.event.verdict = Verdict.OPTED_OUT if decision.reason == "opt_out" else Verdict.UNREACHABLE
            return False
        self.check_in.state, self.check_in.sent_at = CheckInState.SENT, self.now
        self.conversation.check_in_id, self.conversation.awaited = self.check_in.id, AwaitedAnswer.CHECK_IN
        words = self.visit.asked or self.opening
        await self._write(Author.BOT, words, lost=self.visit.lost, purpose=Purpose.CHECK_IN)
        return True

    async def _step_to(self, act: Act) -> None:
        then = self.shop.clock() - act.ago if act.ago is not None else self.now + act.delay()
        if not self.now <= then <= self.shop.clock():
            raise Unusable(f"visit {self.visit.id}: {act.deed!r} would happen out of order or in the future")
        self.now = then
        await self._perform(act)

    async def _perform(self, act: Act) -> None:
        match act:
            case Act(customer=str(words)):
                await self._hear(words, act.heard)
            case Act(stop=str(words)):
                message = await self._write(Author.CUSTOMER, words)
                thread = await load_thread(self.tx, self.conversation.id)
                await consent.withdraw(self.tx, thread, source=f"message {message.id}", now=self.now)
            case Act(bot=str(words)):
                purpose = Purpose.OPT_OUT if self.event.verdict is Verdict.OPTED_OUT else None
                await self._write(Author.BOT, words, purpose=purpose, answers=self.last.id)
            case Act(hand_off=HandoffReason() as reason):
                await self._hand_off(reason)
            case Act(hidden_cost=str(words)):
                cost = HiddenCost(case_id=self.case.id, words=words, message_id=self.last.id, at=self.now)
                await self._keep(cost)
            case Act(follow_up=str(words)):
                await self._write(Author.BOT, words, purpose=Purpose.FOLLOW_UP)
                self.conversation.awaited, self.case.follow_up_sent_at = AwaitedAnswer.FOLLOW_UP, self.now
                await self._note(BOT, "asked whether it helped")
            case Act(closed=True):
                self.conversation.awaited = AwaitedAnswer.NOTHING
                await follow_up.close(self.tx, self.case, by="customer", note=self.last.text, now=self.now)
            case _:
                await self._work(act)
        await self.tx.flush()

    async def _work(self, act: Act) -> None:
        assert self.agent is not None
        work = AgentAtWork(self.tx, self.case, self.conversation, self.site, self.agent, self.now)
        if act.agent is None:
            return await work.do(act)
        await self._write(Author.AGENT, act.agent)
        await work.answered()

    async def _hear(self, words: str, heard: Heard | None) -> None:
        message = await self._write(Author.CUSTOMER, words)
        if self.check_in.state is CheckInState.SENT:
            self.check_in.state, self.check_in.answered_at = CheckInState.ANSWERED, self.now
        if self.conversation.owner is Owner.AGENT:
            await self._note("customer", "wrote")
        if heard is None:
            return
        assert self.check_in.sent_at is not None
        signals = tuple(Signal(*signal) for signal in heard.signals)
        reading = Reading(words, heard.p, signals, heard.intent, 0.9, heard.failure, heard.words)
        around = Circumstances(Facts.of(self.event.facts), (self.now - self.check_in.sent_at).total_seconds())
        found, awaited = assess(reading, around), self.conversation.awaited
        step = next_step(found, reading, awaited)
        self.conversation.awaited = _ASKS.get(step, AwaitedAnswer.NOTHING)
        await self._judge(found, message, intent=heard.intent, step=step)

    async def _judge(
        self, found: Assessment, message: Message | None, *, intent: str = "", step: NextStep = NextStep.STAY_SILENT
    ) -> None:
        record = AssessmentRecord(
            conversation_id=self.conversation.id,
            service_event_id=self.event.id,
            message_id=message.id if message else None,
            verdict=found.verdict,
            probability=found.probability,
            threshold=found.threshold,
            signals=[asdict(signal) for signal in found.signals],
            failure=found.failure,
            failure_words=found.failure_words,
            intent=intent,
            next_step=step,
            at=self.now,
        )
        await self._keep(record)
        self.event.verdict, self.event.assessment_id = found.verdict, record.id

    async def _hand_off(self, reason: HandoffReason) -> None:
        thread = await load_thread(self.tx, self.conversation.id)
        handed = await hand_off_in(self.tx, self.shop, thread, self.last.id, reason, now=self.now)
        self.opened = await self.tx.get(Case, handed.case_id)
        due = on_the_hour(self.case.first_response_due)
        self.by = handed.expected_by or clock_words(
            due, now=self.now, zone=thread.zone(), language=thread.language(self.shop.rules)
        )
        # What is told is over: nothing may be sent because of it when the demo is loaded.
        chase = await self.tx.one(Task, key=f"chase:{self.case.id}")
        if chase is not None:
            await self.tx.delete(chase)

    async def _leave_off(self) -> None:
        """What is left: the silence, judged or awaited, or the follow-up of a case that is not closed yet."""
        case, rules = self.opened, self.shop.rules
        if case is not None and case.state is CaseState.RESOLVED:
            asked = case.follow_up_sent_at is not None
            at = self.now + (rules.follow_up_again_after if asked else rules.follow_up_delay)
            at, tries = max(at, self.shop.clock() + timedelta(hours=1)), 2 if asked else 1
            follow_up.plan_follow_up(self.tx, case, at=at, now=self.now, tries=tries)
        if not self.visit.story:
            await self._fall_silent()

    async def _fall_silent(self) -> None:
        self.now += self.shop.rules.silence_after
        if self.now > self.shop.clock():
            return self._plan("judge_silence", f"silence:{self.check_in.id}", self.now)
        sent, answered = await self.tx.conversations.asked_and_answered(self.customer.id)
        silence = Silence(Facts.of(self.event.facts), False, self.visit.lost is not None, sent - 1, answered)
        self.check_in.state = CheckInState.NO_REPLY
        await self._judge(judge_silence(silence), None)

    async def _write(
        self,
        author: Author,
        words: str,
        *,
        lost: str | None = None,
        purpose: Purpose | None = None,
        answers: str | None = None,
    ) -> Message:
        inbound, sms = author is Author.CUSTOMER, self.visit.channel is Medium.SMS
        names = {"{name}": self.customer.name, "{agent}": self.agent.name if self.agent else "", "{by}": self.by}
        for slot, value in names.items():
            words = words.replace(slot, value)
        self.conversation.last_position += 1
        id = new_id()
        self.last = Message(
            id=id,
            conversation_id=self.conversation.id,
            position=self.conversation.last_position,
            direction=Direction.IN if inbound else Direction.OUT,
            author=author,
            author_name=self.agent.name if author is Author.AGENT and self.agent else "",
            kind=self._kind(author),
            text=words,
            at=self.now,
            provider_id=f"SM{id}" if sms else None,
            delivery="received" if inbound else "undelivered" if lost else "delivered",
            delivery_error=lost,
            expected_version=self.conversation.version if author is Author.BOT else None,
            in_reply_to=answers,
            purpose=purpose,
        )
        await self._keep(self.last)
        if not inbound:
            facts: Json = {"channel": self.visit.channel.value, "language": self.customer.language}
            facts |= {"segments": segments(words)} if sms else {}
            note_message(self.tx, self.last, Decided.SENT, at=self.now, facts=facts)
        if not inbound and sms:
            at = self.now + timedelta(seconds=4)
            await self._keep(Delivery(message_id=id, status=self.last.delivery, error_code=lost, at=at))
            await heed(self.tx, self.last, lost, at)
        return self.last

    def _kind(self, author: Author) -> MessageKind:
        if author is Author.AGENT:
            return MessageKind.AGENT
        if author is Author.BOT and self.event.verdict is Verdict.OPTED_OUT:
            return MessageKind.COMPLIANCE
        return MessageKind.LIFECYCLE if author is Author.BOT and self.opened else MessageKind.DIALOGUE

    def _zone(self) -> ZoneInfo:
        return ZoneInfo(self.customer.time_zone or self.site.zone)

    def _plan(self, kind: str, key: str, due_at: datetime) -> None:
        payload = {"check_in_id": self.check_in.id}
        self.tx.add(Task(kind=kind, payload=payload, key=key, due_at=due_at, created_at=self.now))

    async def _note(self, who: str, what: str, why: str = "") -> None:
        await self._keep(TimelineEntry(case_id=self.case.id, at=self.now, who=who, what=what, why=why))

    async def _keep(self, entity: object) -> None:
        self.tx.add(entity)
        await self.tx.flush()
