"""What the bot's custom actions ask for: assess a reply, hand over, hear whether the fix helped, let go."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from bot.core.assessment import Assessment, Circumstances, Reading, assess, next_step
from bot.core.cases import LIVE
from bot.core.facts import Facts
from bot.core.vocabulary import (
    AwaitedAnswer,
    CheckInState,
    Failure,
    HandoffReason,
    NextStep,
    Verdict,
)
from bot.services import consent
from bot.services.conversing import Thread, load_thread, refuse_if_answered
from bot.services.entities import AssessmentRecord, AuditEntry, Case, ContactPoint, Message
from bot.services.follow_up import FollowUpRecorded, record_answer
from bot.services.handoff import HandedOff, hand_off
from bot.services.learning import calibration_for
from bot.services.ports import UnitOfWork
from bot.services.returning import since_fix
from bot.services.workshop import Workshop, store_answers

_UNHAPPY = frozenset({Verdict.MASKED, Verdict.COMPLAINT})


@dataclass(frozen=True, slots=True)
class ReplyAssessed:
    """What an assessment means for the bot's next words. `wait_minutes` is 0 when no wait is known."""

    verdict: Verdict
    next_step: NextStep
    failure: Failure
    failure_words: str
    wait_minutes: int
    language: str
    known_failure: str


class Recovery:
    """The one object the actions call."""

    def __init__(self, shop: Workshop) -> None:
        self._shop = shop

    async def ready(self) -> bool:
        """True when the store answers; raises what it raises when it does not."""
        return await store_answers(self._shop)

    async def assess_reply(self, conversation_id: str, message_id: str, reading: Reading) -> ReplyAssessed:
        """Judge one reply and record the assessment; the same message again gives the recorded answer."""
        async with self._shop.store() as tx:
            thread = await load_thread(tx, conversation_id)
            record = await tx.one(AssessmentRecord, message_id=message_id)
            if record is None:
                message = await tx.get(Message, message_id)
                language = thread.language(self._shop.rules)
                calibration = await calibration_for(tx, language, thread.event.site_id if thread.event else None)
                assessment = assess(reading, await _circumstances(tx, thread, message), calibration=calibration)
                awaited = thread.conversation.awaited
                known = await _story_known(tx, thread, self._shop)
                step = next_step(assessment, reading, awaited, story_known=known)
                record = _recorded(thread, message, assessment, reading, step, self._shop)
                tx.add(record)
                _await_next(thread, step, message)
                _settle_event(thread, record, awaited)
                tx.changed(f"conversation:{conversation_id}", "desk")
                await refuse_if_answered(tx, message_id)
                await tx.commit()
            return _answer(self._shop, thread, record)

    async def hand_off(self, conversation_id: str, message_id: str, reason: HandoffReason) -> HandedOff:
        """Move the conversation to a human and say who answers by when."""
        return await hand_off(self._shop, conversation_id, message_id, reason)

    async def follow_up_answered(self, conversation_id: str, message_id: str, fixed: bool | None) -> FollowUpRecorded:
        """The customer said whether the fix helped: closed on yes, reopened on no."""
        return await record_answer(self._shop, conversation_id, message_id, fixed)

    async def opt_out(self, conversation_id: str, message_id: str) -> None:
        """The customer asked in their own words not to be written to."""
        async with self._shop.store() as tx:
            thread = await load_thread(tx, conversation_id)
            await consent.withdraw(tx, thread, source=f"message {message_id}", now=self._shop.clock())
            await refuse_if_answered(tx, message_id)
            await tx.commit()

    async def wrong_person(self, conversation_id: str, message_id: str) -> None:
        """This address belongs to somebody else: it is never written to again on this customer's behalf."""
        now = self._shop.clock()
        async with self._shop.store() as tx:
            thread = await load_thread(tx, conversation_id)
            point = await tx.get(ContactPoint, thread.contact_point.id)
            point.invalid_since = point.invalid_since or now
            thread.conversation.awaited = AwaitedAnswer.NOTHING
            if thread.check_in and thread.event and thread.event.verdict is Verdict.PENDING:
                thread.event.verdict = Verdict.UNREACHABLE
                thread.check_in.state = CheckInState.FAILED
            detail = {"message_id": message_id}
            tx.add(AuditEntry(at=now, who="customer", action="wrong_person", subject=point.id, detail=detail))
            tx.changed("desk")
            await refuse_if_answered(tx, message_id)
            await tx.commit()


async def _story_known(tx: UnitOfWork, thread: Thread, shop: Workshop) -> bool:
    """Whether a person has, or lately had, a case of this conversation: its story is not asked for again (P26)."""
    case = await tx.find(Case, thread.conversation.case_id) if thread.conversation.case_id else None
    if case is None or case.state in LIVE:
        return case is not None
    return since_fix(case, shop.clock()) <= shop.rules.repeat_within


async def _circumstances(tx: UnitOfWork, thread: Thread, message: Message) -> Circumstances:
    # Only an answer to the check-in can be slow; later words were not waited for.
    awaited = thread.conversation.awaited is AwaitedAnswer.CHECK_IN
    asked_at = thread.check_in.sent_at if thread.check_in and awaited else None
    return Circumstances(
        facts=Facts.of(thread.event.facts) if thread.event else Facts(),
        reply_seconds=(message.at - asked_at).total_seconds() if asked_at else None,
        usual_words=await tx.conversations.usual_words(thread.customer.id, before=message.at),
        awaited=thread.conversation.awaited,
    )


def _recorded(
    thread: Thread, message: Message, assessment: Assessment, reading: Reading, step: NextStep, shop: Workshop
) -> AssessmentRecord:
    return AssessmentRecord(
        conversation_id=thread.conversation.id,
        service_event_id=thread.event.id if thread.event else None,
        message_id=message.id,
        verdict=assessment.verdict,
        probability=assessment.probability,
        threshold=assessment.threshold,
        signals=[asdict(signal) for signal in assessment.signals],
        failure=assessment.failure,
        failure_words=assessment.failure_words,
        intent=reading.intent,
        next_step=step,
        uncalibrated=assessment.uncalibrated,
        at=shop.clock(),
    )


def _await_next(thread: Thread, step: NextStep, message: Message) -> None:
    """Remember what the bot asks next, and that the check-in was answered."""
    thread.conversation.awaited = {
        NextStep.ASK_SOFTLY: AwaitedAnswer.SOFT_QUESTION,
        NextStep.OFFER_HAND: AwaitedAnswer.HAND_OFFERED,
        NextStep.FOLLOW_UP: AwaitedAnswer.FOLLOW_UP,
        NextStep.LISTEN: AwaitedAnswer.CHECK_IN,
    }.get(step, AwaitedAnswer.NOTHING)
    if thread.check_in and thread.check_in.state in (CheckInState.SENT, CheckInState.NO_REPLY):
        thread.check_in.state = CheckInState.ANSWERED
        thread.check_in.answered_at = message.at


def _settle_event(thread: Thread, record: AssessmentRecord, awaited: AwaitedAnswer) -> None:
    """The service event stands where its gravest answer put it: thanks after a complaint takes nothing back."""
    event = thread.event
    if event is None or awaited is AwaitedAnswer.FOLLOW_UP:
        return
    if event.verdict in _UNHAPPY and record.verdict not in _UNHAPPY:
        return
    asked = awaited not in (AwaitedAnswer.NOTHING, AwaitedAnswer.LAST_WORD)
    if not asked and event.verdict is not Verdict.PENDING and record.verdict not in _UNHAPPY:
        return
    event.verdict = record.verdict
    event.assessment_id = record.id


def _answer(shop: Workshop, thread: Thread, record: AssessmentRecord) -> ReplyAssessed:
    facts = Facts.of(thread.event.facts) if thread.event else Facts()
    return ReplyAssessed(
        verdict=record.verdict,
        next_step=record.next_step,
        failure=record.failure,
        failure_words=record.failure_words,
        wait_minutes=round(max(facts.wait_minutes, facts.late_minutes)),
        language=thread.language(shop.rules),
        known_failure=facts.known_failure.value,
    )
