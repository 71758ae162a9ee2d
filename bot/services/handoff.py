"""The conversation moves from the bot to a human, with the whole story, and the customer is told what happens when."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.core.assessment import Assessment, Signal
from bot.core.cases import LIVE, gravest, hidden_cost_likely, severity_of
from bot.core.facts import Facts
from bot.core.vocabulary import AwaitedAnswer, Failure, HandoffReason, Owner, Severity, Step, StepState
from bot.services.conversing import Thread, clock_words, load_thread, move_owner, refuse_if_answered
from bot.services.entities import (
    Agent,
    AssessmentRecord,
    Case,
    CaseStep,
    Promise,
    Site,
    Task,
    TimelineEntry,
)
from bot.services.ports import UnitOfWork
from bot.services.workshop import Workshop

BOT = "Afterword"
"""How the bot signs the timeline."""


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
    """The same, inside a transaction that is already open. A live case of this conversation is joined, not doubled."""
    conversation = thread.conversation
    case = await live_case(tx, conversation.id)
    again = conversation.handoff_message_id == message_id
    already = conversation.owner is Owner.AGENT and not again
    if case is None:
        case = await _open_case(tx, shop, thread, message_id, reason, now)
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
    asks = reason is HandoffReason.DISSATISFIED and not already and _asks_hidden_cost(shop, thread, case)
    conversation.awaited = AwaitedAnswer.HIDDEN_COST if asks else AwaitedAnswer.NOTHING
    return replace(handed, ask_hidden_cost=asks)


async def live_case(tx: UnitOfWork, conversation_id: str) -> Case | None:
    """The case of this conversation that a human still has to do something about, if there is one."""
    return await tx.one(Case, conversation_id=conversation_id, state=LIVE)


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


def promise_an_answer(tx: UnitOfWork, case: Case, *, by: datetime, now: datetime) -> None:
    """The customer waits for a person again: until when is promised, and chased when it passes."""
    case.first_response_at, case.first_response_due = None, by
    _promise(tx, case, f"chase:{case.id}:{case.version}", now)


def _promise(tx: UnitOfWork, case: Case, key: str, now: datetime) -> None:
    due = case.first_response_due
    tx.add(
        Promise(case_id=case.id, text="a person answers", due_at=due, by=BOT),
        Task(kind="chase_case", payload={"case_id": case.id}, key=key, due_at=due, created_at=now),
    )


async def _open_case(
    tx: UnitOfWork, shop: Workshop, thread: Thread, message_id: str, reason: HandoffReason, now: datetime
) -> Case:
    record = await tx.one(AssessmentRecord, message_id=message_id)
    event, site = thread.event, thread.site
    facts = _facts(thread)
    severity = severity_of(as_assessment(record) if record else None, facts, reason)
    failure = record.failure if record and record.failure else facts.known_failure.as_failure()
    answering = site or await _answering_site(tx, now)
    case = Case(
        reason=reason,
        severity=severity,
        site_id=site.id if site else None,
        customer_id=thread.customer.id,
        conversation_id=thread.conversation.id,
        service_event_id=event.id if event else None,
        assessment_id=record.id if record else None,
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
    _promise(tx, case, f"chase:{case.id}", now)


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


def answer_within(shop: Workshop, failure: Failure, severity: Severity) -> timedelta:
    """How soon a person answers, in opening time: the playbook's word, else the business's target for the severity."""
    playbook = shop.playbooks.find(failure, severity)
    return (playbook and playbook.first_response) or shop.rules.targets.first_response[severity]


def _asks_hidden_cost(shop: Workshop, thread: Thread, case: Case) -> bool:
    playbook = shop.playbooks.find(case.failure, case.severity)
    if playbook is not None and playbook.asks_hidden_cost is not None:
        return playbook.asks_hidden_cost
    return hidden_cost_likely(case.failure, _facts(thread))


def due_in_hours(site: Site | None, now: datetime, worked: timedelta) -> datetime:
    """When that much opening time of a site has passed; without a site the plain clock counts."""
    return site.opening_hours().after_working(now, worked) if site else now + worked


def on_the_hour(at: datetime) -> datetime:
    """Rounded up to the next five minutes: nobody promises 14:27."""
    at = at.replace(second=0, microsecond=0) + timedelta(minutes=1 if at.second or at.microsecond else 0)
    return at + timedelta(minutes=-at.minute % 5)


def as_assessment(record: AssessmentRecord) -> Assessment:
    """A stored assessment as the core speaks of it."""
    signals = tuple(Signal(s["name"], s["weight"], s["evidence"]) for s in record.signals)
    return Assessment(
        record.verdict, record.probability, record.threshold, signals, record.failure, record.failure_words
    )
