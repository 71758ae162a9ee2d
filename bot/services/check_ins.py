"""The check-in itself: decided again at the moment of writing, sent with the words of the dialogue, and its silence."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

from bot.core.check_in import ContactDecision, Outcome
from bot.core.delivery import NEVER_ARRIVED
from bot.core.facts import Facts
from bot.core.silence import Silence, judge_silence
from bot.core.vocabulary import (
    AwaitedAnswer,
    CheckInState,
    MessageKind,
    Purpose,
    Verdict,
)
from bot.services.conversing import Thread, load_thread, say
from bot.services.entities import (
    AssessmentRecord,
    CheckIn,
    Conversation,
    Customer,
    Message,
    ServiceEvent,
    Site,
    Task,
)
from bot.services.ports import UnitOfWork
from bot.services.reaching import decide
from bot.services.trace import note_contact
from bot.services.workshop import Workshop


async def send_check_in(shop: Workshop, task: Task) -> None:
    """Work off one `send_check_in` task: ask, come back later, or record why we do not ask.

    It is decided before the dialogue is asked for words, and again when they are written: whoever else reached out to
    this customer meanwhile is seen then, because only one at a time writes to a customer first.
    """
    now = shop.clock()
    async with shop.store() as tx:
        check_in = await tx.get(CheckIn, task.payload["check_in_id"])
        thread = await _thread_of(tx, check_in)
        if not await _may_ask(tx, shop, task, thread, now, to_write=False):
            return await tx.commit()
        version = thread.conversation.version
    occasion = f"check-in {check_in.id} at {version}"
    turn = await shop.dialogue.trigger(check_in.conversation_id, occasion, "EXTERNAL_check_in", _slots(shop, thread))
    async with shop.store() as tx:
        await tx.conversations.hold_customer(thread.customer.id)
        check_in = await tx.get(CheckIn, check_in.id)
        thread = await _thread_of(tx, check_in)
        conversation = thread.conversation
        if conversation.version != version:
            await tx.tasks.postpone(task, at=now)
        elif await _may_ask(tx, shop, task, thread, now, to_write=True):
            kind, purpose = MessageKind.DIALOGUE, Purpose.CHECK_IN
            for utterance in turn.utterances:
                await say(tx, conversation, utterance.text, kind=kind, now=now, purpose=purpose)
            _mark_sent(tx, shop, check_in, conversation, now)
            await tx.tasks.finish(task)
        await tx.commit()


async def _may_ask(
    tx: UnitOfWork, shop: Workshop, task: Task, thread: Thread, now: datetime, *, to_write: bool
) -> bool:
    """Whether to ask now; if not, the check-in and its task are settled, and the trace says why."""
    check_in, event = thread.check_in, thread.event
    assert check_in is not None
    assert event is not None
    if check_in.state is not CheckInState.PLANNED:
        # An opt-out has settled it, perhaps while the words were looked for.
        await tx.tasks.finish(task)
        return False
    decision, facts = await decide(tx, shop, thread, Purpose.CHECK_IN, occasion=event.finished_at, now=now)
    passed = decision.outcome is Outcome.PASS
    if to_write or not passed:
        id, purpose = check_in.conversation_id, Purpose.CHECK_IN
        note_contact(tx, id, purpose, decision, at=now, facts=facts, check_in_id=check_in.id)
    if decision.outcome is Outcome.POSTPONE and decision.send_at is not None:
        check_in.due_at = decision.send_at
        await tx.tasks.postpone(task, at=decision.send_at)
    elif not passed:
        _skip(thread, decision)
        tx.changed("desk")
        await tx.tasks.finish(task)
    return passed


async def judge_unanswered(shop: Workshop, task: Task) -> None:
    """Work off one `judge_silence` task: the time to answer has passed, so the silence itself is judged."""
    now = shop.clock()
    async with shop.store() as tx:
        check_in = await tx.get(CheckIn, task.payload["check_in_id"])
        if check_in.state is CheckInState.SENT:
            thread = await _thread_of(tx, check_in)
            await _judge(tx, thread, check_in, now)
        await tx.tasks.finish(task)
        await tx.commit()


async def _judge(tx: UnitOfWork, thread: Thread, check_in: CheckIn, now: datetime) -> None:
    assert thread.event is not None
    sent = await tx.all(Message, conversation_id=thread.conversation.id, at=check_in.sent_at)
    asked, answered = await tx.conversations.asked_and_answered(thread.customer.id)
    assessment = judge_silence(
        Silence(
            facts=Facts.of(thread.event.facts),
            opted_out=thread.contact_point.opted_out_at is not None,
            undeliverable=any(message.delivery in NEVER_ARRIVED for message in sent),
            asked_before=max(0, asked - 1),
            answered_before=answered,
            waited_hours=(now - check_in.sent_at).total_seconds() / 3600 if check_in.sent_at else 0.0,
            delivery=sent[0].delivery if sent else "",
        )
    )
    record = AssessmentRecord(
        conversation_id=thread.conversation.id,
        service_event_id=thread.event.id,
        message_id=None,
        verdict=assessment.verdict,
        probability=assessment.probability,
        threshold=assessment.threshold,
        signals=[asdict(signal) for signal in assessment.signals],
        at=now,
    )
    tx.add(record)
    check_in.state = CheckInState.NO_REPLY
    thread.event.verdict, thread.event.assessment_id = assessment.verdict, record.id
    tx.changed("desk")


async def _thread_of(tx: UnitOfWork, check_in: CheckIn) -> Thread:
    """The thread as this check-in sees it, whichever check-in the conversation was last about."""
    event = await tx.get(ServiceEvent, check_in.service_event_id)
    thread = await load_thread(tx, check_in.conversation_id)
    # The conversation belongs to the contact point; the event knows its own customer.
    customer = await tx.get(Customer, event.customer_id)
    site = await tx.get(Site, event.site_id)
    return Thread(thread.conversation, customer, thread.contact_point, check_in, event, site)


def _skip(thread: Thread, decision: ContactDecision) -> None:
    assert thread.check_in is not None
    assert thread.event is not None
    thread.check_in.state = CheckInState.SKIPPED
    thread.event.verdict = Verdict.OPTED_OUT if decision.reason == "opt_out" else Verdict.UNREACHABLE


def _mark_sent(tx: UnitOfWork, shop: Workshop, check_in: CheckIn, conversation: Conversation, now: datetime) -> None:
    check_in.state, check_in.sent_at = CheckInState.SENT, now
    conversation.awaited, conversation.check_in_id = AwaitedAnswer.CHECK_IN, check_in.id
    tx.add(
        Task(
            kind="judge_silence",
            payload={"check_in_id": check_in.id},
            key=f"silence:{check_in.id}",
            due_at=now + shop.rules.silence_after,
            created_at=now,
        )
    )


def _slots(shop: Workshop, thread: Thread) -> dict[str, object]:
    assert thread.event is not None
    facts = Facts.of(thread.event.facts)
    return {
        "language": thread.language(shop.rules),
        "business": shop.rules.business,
        "site": thread.site.name if thread.site else "",
        "service": thread.event.service,
        "customer_name": thread.customer.name,
        "known_failure": facts.known_failure.value,
        "wait_minutes": round(max(facts.wait_minutes, facts.late_minutes)),
        "channel": thread.conversation.medium.value,
    }
