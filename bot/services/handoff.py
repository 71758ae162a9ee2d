"""The conversation moves from the bot to a human, with the whole story, and the customer is told what happens when."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.core.assessment import Assessment, Signal
from bot.core.cases import Matter, Return, gravest, hidden_cost_likely, severity_of
from bot.core.facts import Facts
from bot.core.vocabulary import AwaitedAnswer, Failure, HandoffReason, Owner, Step, StepState
from bot.services.conversing import Thread, clock_words, load_thread, move_owner, refuse_if_answered
from bot.services.entities import (
    Agent,
    AssessmentRecord,
    Case,
    CaseStep,
    Message,
    Site,
    TimelineEntry,
)
from bot.services.ports import UnitOfWork
from bot.services.promising import BOT, answer_within, due_in_hours, keep_promise, on_the_hour, promise_an_answer
from bot.services.returning import earlier_case, first_owner, live_case, reopen, since_fix
from bot.services.workshop import Workshop


@dataclass(frozen=True, slots=True)
class HandedOff:
    """What the customer can be told: who will answer and by when, as words on their own clock.

    `expected_by` is `""` when nobody is on now; then `opens_at` says when somebody is. `already`: a human had it.
    `ask_hidden_cost`: this failure may have cost them more, so the next words ask for it.
    """

    case_id: str
    agent_name: str | None
    expected_by: str
    opens_at: str
    already: bool
    ask_hidden_cost: bool = False


async def hand_off(shop: Workshop, conversation_id: str, message_id: str, reason: HandoffReason) -> HandedOff:
    """Move a conversation to a human because of one message; doing so again for the same message changes nothing."""
    async with shop.store() as tx:
        thread = await load_thread(tx, conversation_id)
        handed = await hand_off_in(tx, shop, thread, message_id, reason, now=shop.clock())
        await refuse_if_answered(tx, message_id)
        await tx.commit()
        return handed


async def hand_off_in(
    tx: UnitOfWork, shop: Workshop, thread: Thread, message_id: str, reason: HandoffReason, *, now: datetime
) -> HandedOff:
    """The same, inside a transaction that is already open.

    A live case of this conversation is joined, not doubled; a settled one about the same thing is opened again.
    """
    conversation = thread.conversation
    case = await live_case(tx, conversation.id)
    again = conversation.handoff_message_id == message_id
    already = conversation.owner is Owner.AGENT and not again
    first_told = case is None
    if case is None:
        case = await _begin(tx, shop, thread, message_id, reason, now)
    elif not again:
        tx.add(TimelineEntry(case_id=case.id, at=now, who=BOT, what="handed off again", why=reason.value))
        await _take_up_again(tx, shop, thread, case, message_id, reason, now)
    if conversation.owner is Owner.BOT:
        moved = await move_owner(tx, conversation, Owner.AGENT, case.agent_id)
        already = already or not moved
        if moved:
            conversation.handoff_message_id = message_id
    conversation.case_id = case.id
    handed = await _what_to_say(tx, shop, thread, case, already=already, now=now)
    asks = first_told and reason is HandoffReason.DISSATISFIED and _asks_hidden_cost(shop, thread, case)
    if again:
        asks = conversation.awaited is AwaitedAnswer.HIDDEN_COST
    conversation.awaited = AwaitedAnswer.HIDDEN_COST if asks else AwaitedAnswer.NOTHING
    return replace(handed, ask_hidden_cost=asks)


def handoff_words(shop: Workshop, thread: Thread, handed: HandedOff) -> str:
    """The acknowledgement in the customer's language, for when the dialogue cannot say it."""
    if handed.expected_by:
        name = "utter_handoff_with_agent" if handed.agent_name else "utter_handoff_expected"
    else:
        name = "utter_handoff_nobody" if handed.opens_at else "utter_handoff_listed"
    slots = {
        "agent_name": handed.agent_name or "",
        "expected_by": handed.expected_by,
        "opens_at": handed.opens_at,
        "business": shop.rules.business,
    }
    return shop.words.render(name, thread.language(shop.rules), thread.conversation.medium.value, slots)


async def _take_up_again(
    tx: UnitOfWork, shop: Workshop, thread: Thread, case: Case, message_id: str, reason: HandoffReason, now: datetime
) -> None:
    """A live case that had been handed back: as urgent as what is said now, and the wait for a person begins anew."""
    record = await tx.one(AssessmentRecord, message_id=message_id)
    said = severity_of(as_assessment(record) if record else None, _facts(thread), reason)
    case.severity = gravest(case.severity, said)
    case.playbook = shop.playbooks.id_for(case.failure, case.severity)
    if case.first_response_at is not None and thread.conversation.owner is Owner.BOT:
        site = await tx.find(Site, case.site_id) if case.site_id else None
        within = answer_within(shop, case.failure, case.severity)
        promise_an_answer(tx, case, by=due_in_hours(site, now, within), now=now)


async def _begin(
    tx: UnitOfWork, shop: Workshop, thread: Thread, message_id: str, reason: HandoffReason, now: datetime
) -> Case:
    """The case that this message is about: one that was settled and does not hold, or a new one."""
    record = await tx.one(AssessmentRecord, message_id=message_id)
    about = Matter(_failure(record, thread), thread.event.id if thread.event else None)
    earlier = await earlier_case(tx, shop, thread, about, now)
    # A message that nobody could read yet, which may be a "thank you", opens nothing again.
    if earlier is not None and earlier[1] is Return.REOPENS and reason is not HandoffReason.BOT_UNAVAILABLE:
        case = earlier[0]
        await _return(tx, shop, thread, case, record, message_id, reason, now)
        return case
    return await _open_case(tx, shop, thread, message_id, record, reason, now, follows=earlier and earlier[0])


async def _return(
    tx: UnitOfWork,
    shop: Workshop,
    thread: Thread,
    case: Case,
    record: AssessmentRecord | None,
    message_id: str,
    reason: HandoffReason,
    now: datetime,
) -> None:
    message = await tx.get(Message, message_id)
    case.repeats += 1
    case.severity = gravest(
        case.severity, severity_of(as_assessment(record) if record else None, _facts(thread), reason)
    )
    if case.failure is Failure.NONE:
        case.failure, case.failure_words = _failure(record, thread), record.failure_words if record else ""
    case.playbook = shop.playbooks.id_for(case.failure, case.severity)
    await reopen(tx, shop, thread, case, who="customer", why=message.text, now=now)


def _failure(record: AssessmentRecord | None, thread: Thread) -> Failure:
    """What went wrong: as the customer said it, else as operations know it."""
    return record.failure if record and record.failure else _facts(thread).known_failure.as_failure()


async def _open_case(
    tx: UnitOfWork,
    shop: Workshop,
    thread: Thread,
    message_id: str,
    record: AssessmentRecord | None,
    reason: HandoffReason,
    now: datetime,
    *,
    follows: Case | None,
) -> Case:
    event, site = thread.event, thread.site
    severity = severity_of(as_assessment(record) if record else None, _facts(thread), reason)
    failure = _failure(record, thread)
    answering = site or await _answering_site(tx, now)
    case = Case(
        reason=reason,
        severity=severity,
        site_id=site.id if site else None,
        customer_id=thread.customer.id,
        conversation_id=thread.conversation.id,
        service_event_id=event.id if event else None,
        assessment_id=record.id if record else None,
        agent_id=await first_owner(tx, follows) if follows else None,
        previous_case_id=follows.id if follows else None,
        repeats=int(_is_repeat(shop, follows, failure, reason, now)),
        failure=failure,
        failure_words=record.failure_words if record else "",
        playbook=shop.playbooks.id_for(failure, severity),
        opened_at=now,
        first_response_due=due_in_hours(answering, now, answer_within(shop, failure, severity)),
        resolution_due=due_in_hours(answering, now, shop.rules.targets.resolution[severity]),
    )
    tx.add(case)
    await tx.flush()
    _begin_recovery(tx, case, reason, message_id, now)
    return case


def _is_repeat(shop: Workshop, follows: Case | None, failure: Failure, reason: HandoffReason, now: datetime) -> bool:
    """Whether a new case is the trouble of a settled one again: soon after, the same failure, and said by them."""
    if follows is None or reason is HandoffReason.BOT_UNAVAILABLE:
        return False
    return follows.failure is failure and since_fix(follows, now) <= shop.rules.repeat_within


def _begin_recovery(tx: UnitOfWork, case: Case, reason: HandoffReason, message_id: str, now: datetime) -> None:
    apologised = reason is HandoffReason.DISSATISFIED
    for step in Step:
        done = apologised and step is Step.APOLOGISE
        tx.add(
            CaseStep(
                case_id=case.id,
                step=step,
                state=StepState.DONE if done else StepState.OPEN,
                at=now if done else None,
                by=BOT if done else "",
                note="a first apology, in the acknowledgement" if done else "",
            )
        )
    tx.add(TimelineEntry(case_id=case.id, at=now, who=BOT, what="opened", why=reason.value))
    if case.previous_case_id:
        tx.add(TimelineEntry(case_id=case.id, at=now, who=BOT, what="follows a case", why=case.previous_case_id))
    keep_promise(tx, case, key=f"chase:{case.id}", now=now)


async def _what_to_say(
    tx: UnitOfWork, shop: Workshop, thread: Thread, case: Case, *, already: bool, now: datetime
) -> HandedOff:
    agent = await tx.find(Agent, case.agent_id) if case.agent_id else await _on_the_floor(tx, thread.site)
    site = thread.site or await _answering_site(tx, now)
    hours = site.opening_hours() if site else None
    language, zone = thread.language(shop.rules), thread.zone()

    def spoken(at: datetime) -> str:
        return clock_words(at, now=now, zone=zone, language=language)

    if hours is None or hours.is_open(now):
        due = max(case.first_response_due, due_in_hours(site, now, timedelta(minutes=10)))
        return HandedOff(case.id, agent.name if agent else None, spoken(on_the_hour(due)), "", already)
    opens = hours.next_open(now)
    return HandedOff(case.id, agent.name if agent else None, "", spoken(opens) if opens else "", already)


async def _answering_site(tx: UnitOfWork, now: datetime) -> Site | None:
    """Who answers somebody we never served: the site that is open, or the one that opens first."""
    openings = [(site.opening_hours().next_open(now), site) for site in await tx.all(Site, order_by="id")]
    known = [(opens, site) for opens, site in openings if opens is not None]
    return min(known, key=lambda one: one[0])[1] if known else None


async def _on_the_floor(tx: UnitOfWork, site: Site | None) -> Agent | None:
    """The one person who runs a site. A name is only promised when there is exactly one to promise."""
    running = await tx.all(Agent, site_id=site.id, active=True) if site else []
    return running[0] if len(running) == 1 else None


def _facts(thread: Thread) -> Facts:
    return Facts.of(thread.event.facts) if thread.event else Facts()


def _asks_hidden_cost(shop: Workshop, thread: Thread, case: Case) -> bool:
    if case.repeats:
        return False  # they were asked the first time
    playbook = shop.playbooks.find(case.failure, case.severity)
    if playbook is not None and playbook.asks_hidden_cost is not None:
        return playbook.asks_hidden_cost
    return hidden_cost_likely(case.failure, _facts(thread))


def as_assessment(record: AssessmentRecord) -> Assessment:
    """A stored assessment as the core speaks of it."""
    signals = tuple(Signal(s["name"], s["weight"], s["evidence"]) for s in record.signals)
    return Assessment(
        record.verdict, record.probability, record.threshold, signals, record.failure, record.failure_words
    )
