"""Why a phone got each message it got, and why not those it did not: one account of everything, oldest first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from bot.core.cases import LIVE
from bot.core.errors import NotFound, Refused
from bot.core.vocabulary import CaseState, CheckInState, Decided, Medium, Purpose
from bot.services.conversing import SENDING, known_zone
from bot.services.entities import (
    Case,
    CheckIn,
    Consent,
    ContactPoint,
    Conversation,
    Customer,
    Decision,
    Delivery,
    Json,
    Message,
    ServiceEvent,
    Site,
)
from bot.services.phones import numbers_meant
from bot.services.ports import UnitOfWork
from bot.services.reconciling import UNCONFIRMED
from bot.services.resources import instant
from bot.services.trace import purpose_of
from bot.services.why_words import Teller, channel, is_ours, purpose_words

_STILL = (Decided.PLANNED, Decided.POSTPONED)


async def explain(tx: UnitOfWork, written: str, *, since: str | None = None) -> Json:
    """The account of one phone number, in any usual notation; what happened before `since` is left out.

    `since` is a day on the customer's clock or an instant (RFC 3339). Raises Refused, naming the field `phone` or
    `since`, when one is none; NotFound when nothing is known of the number.
    """
    point = await _known(tx, written)
    story = await _load(tx, point)
    teller, begin = Teller(story.zone), _instant_of(since, story.zone)
    items = sorted([*_consents(story, teller), *_decisions(story, teller), *_messages(story, teller)], key=_when)
    for item in items:
        item["local_time"] = teller.when(item["at"])
    return {
        "phone": point.address,
        "customer_id": story.customer.id,
        "name": story.customer.name,
        "time_zone": story.zone.key,
        "standing": _standing(story, teller),
        "opted_out_at": instant(point.opted_out_at),
        "unreachable_since": instant(point.invalid_since),
        "items": [_shown(item) for item in items if begin is None or item["at"] >= begin],
        "planned": [_shown(item) for item in sorted(_planned(story, teller), key=_when)],
    }


def _instant_of(written: str | None, zone: ZoneInfo) -> datetime | None:
    if not written:
        return None
    try:
        at = datetime.fromisoformat(written.strip())
    except ValueError as error:
        raise Refused("not a day; write it like 2026-03-01", field="since") from error
    return at if at.tzinfo else at.replace(tzinfo=zone)


@dataclass(slots=True)
class _Story:
    """Everything between one customer and us, on whichever channel."""

    point: ContactPoint
    customer: Customer
    zone: ZoneInfo
    media: dict[str, Medium]
    messages: dict[str, Message] = field(default_factory=dict)
    decisions: list[Decision] = field(default_factory=list)
    reports: dict[str, list[Delivery]] = field(default_factory=lambda: defaultdict(list))
    consents: list[Consent] = field(default_factory=list)
    check_ins: dict[str, CheckIn] = field(default_factory=dict)
    services: dict[str, str] = field(default_factory=dict)
    """By check-in, what was served."""
    cases: dict[str, Case] = field(default_factory=dict)

    def what(self, purpose: Purpose, *, check_in_id: str | None = None, name: str = "") -> str:
        """What a message is, in words."""
        return purpose_words(purpose, service=self.services.get(check_in_id or "", ""), name=name)


async def _known(tx: UnitOfWork, written: str) -> ContactPoint:
    zones = [site.zone for site in await tx.all(Site, order_by="id")]
    for number in numbers_meant(written, zones=zones, field="phone"):
        point = await tx.one(ContactPoint, medium=Medium.SMS, address=number)
        if point is not None:
            return point
    raise NotFound(
        "nothing is known of this number: no service was reported for it, and it never wrote; check the digits and "
        "the country, or look for the customer at the desk"
    )


async def _load(tx: UnitOfWork, point: ContactPoint) -> _Story:
    customer = await tx.get(Customer, point.customer_id)
    media = {one.id: one.medium for one in await tx.all(Conversation, customer_id=customer.id)}
    ids = tuple(media)
    story = _Story(point, customer, ZoneInfo("UTC"), media)
    story.consents = await tx.all(Consent, customer_id=customer.id, order_by="at")
    if ids:
        story.messages = {m.id: m for m in await tx.all(Message, conversation_id=ids, order_by="position")}
        story.decisions = await tx.all(Decision, conversation_id=ids, order_by="id")
        story.check_ins = {c.id: c for c in await tx.all(CheckIn, conversation_id=ids)}
        story.cases = {case.id: case for case in await tx.all(Case, conversation_id=ids)}
    if story.messages:
        for report in await tx.all(Delivery, message_id=tuple(story.messages), order_by="at"):
            story.reports[report.message_id].append(report)
    site_id = await _name_services(tx, story)
    site = await tx.find(Site, site_id) if site_id else None
    story.zone = known_zone(customer.time_zone) or known_zone(site.zone if site else None) or story.zone
    return story


async def _name_services(tx: UnitOfWork, story: _Story) -> str:
    """Say what each check-in is about; the site of the latest service."""
    by_event = {check_in.service_event_id: check_in.id for check_in in story.check_ins.values()}
    events = await tx.all(ServiceEvent, id=tuple(by_event), order_by="finished_at") if by_event else []
    for event in events:
        story.services[by_event[event.id]] = (event.service or event.kind).replace("_", " ")
    return events[-1].site_id if events else ""


def _messages(story: _Story, teller: Teller) -> Iterator[Json]:
    steps: dict[str, list[Decision]] = defaultdict(list)
    for decision in story.decisions:
        if decision.message_id:
            steps[decision.message_id].append(decision)
    for message in filter(is_ours, story.messages.values()):
        purpose, medium, taken = purpose_of(message), story.media[message.conversation_id], steps[message.id]
        what = story.what(purpose, check_in_id=_asked_by(story, message), name=message.author_name)
        left = [step.at for step in taken if step.outcome in (Decided.SENT, Decided.FOUND)]
        yield {
            "at": message.at,
            "kind": "not_sent" if message.delivery == "withheld" else "message",
            "purpose": purpose.value,
            "outcome": message.delivery,
            "channel": medium.value,
            "sentence": teller.message(message, what, medium, taken, story.reports[message.id]),
            "reason": message.delivery_error or "",
            "rules": next((step.rules for step in reversed(taken) if step.rules), []),
            "facts": {key: value for step in taken for key, value in step.facts.items()},
            "message_id": message.id,
            "sent_at": left[-1] if left else None,
            "next_at": None,
        }


def _asked_by(story: _Story, message: Message) -> str | None:
    """The check-in whose question this is."""
    same = (c.id for c in story.check_ins.values() if c.conversation_id == message.conversation_id)
    return next((id for id in same if story.check_ins[id].sent_at == message.at), None)


def _decisions(story: _Story, teller: Teller) -> Iterator[Json]:
    for decision in story.decisions:
        about = story.messages.get(decision.message_id or "")
        if about is not None and is_ours(about):
            continue
        medium = story.media[decision.conversation_id]
        what = story.what(decision.purpose, check_in_id=decision.check_in_id)
        never = decision.outcome in (Decided.SKIPPED, Decided.CANCELLED, Decided.REFUSED)
        yield {
            "at": decision.at,
            "kind": "not_sent" if never else "decision",
            "purpose": decision.purpose.value,
            "outcome": decision.outcome.value,
            "channel": medium.value,
            "sentence": teller.decision(decision, what, medium, about),
            "reason": decision.reason,
            "rules": decision.rules,
            "facts": decision.facts,
            "message_id": None,
            "sent_at": None,
            "next_at": decision.next_at,
        }


def _consents(story: _Story, teller: Teller) -> Iterator[Json]:
    for consent in story.consents:
        source = story.messages.get(consent.source.removeprefix("message "))
        yield _plain(consent.at, "consent", consent.medium, teller.consent(consent, source))
    if _suppressed(story) and (at := story.point.opted_out_at):
        said = "Opted out of messages by SMS: the provider reported it."
        yield _plain(at, "consent", Medium.SMS, said)


def _suppressed(story: _Story) -> bool:
    """Whether the opt-out that stands was the provider's word and not the customer's own."""
    at = story.point.opted_out_at
    return at is not None and not any(one.at == at and not one.granted for one in story.consents)


def _planned(story: _Story, teller: Teller) -> Iterator[Json]:
    if story.point.opted_out_at is None:
        yield from _planned_questions(story, teller)
    for message in filter(is_ours, story.messages.values()):
        if message.provider_id is None and message.delivery in ("queued", SENDING, UNCONFIRMED):
            medium, purpose = story.media[message.conversation_id], purpose_of(message)
            last = [d for d in story.decisions if d.message_id == message.id][-1:]
            at = last[0].next_at if last else None
            what = story.what(purpose, check_in_id=_asked_by(story, message), name=message.author_name)
            yield _plain(at or message.at, "planned", medium, teller.planned(what, at), purpose, at)


def _planned_questions(story: _Story, teller: Teller) -> Iterator[Json]:
    for check_in in story.check_ins.values():
        if check_in.state is CheckInState.PLANNED:
            what, medium = story.what(Purpose.CHECK_IN, check_in_id=check_in.id), story.media[check_in.conversation_id]
            said = teller.planned(what, check_in.due_at)
            yield _plain(check_in.due_at, "planned", medium, said, Purpose.CHECK_IN, check_in.due_at)
    for case in story.cases.values():
        waits = case.state in LIVE and case.first_response_at is None
        purpose = Purpose.FOLLOW_UP if case.state is CaseState.RESOLVED else Purpose.PROGRESS if waits else None
        last = [d for d in story.decisions if d.case_id == case.id and d.purpose is purpose][-1:]
        if purpose and last and last[0].outcome in _STILL and (at := last[0].next_at):
            condition = " unless somebody has answered" if purpose is Purpose.PROGRESS else ""
            said = teller.planned(story.what(purpose) + condition, at)
            yield _plain(at, "planned", story.media[case.conversation_id], said, purpose, at)


def _plain(
    at: datetime,
    kind: str,
    medium: Medium,
    sentence: str,
    purpose: Purpose | None = None,
    next_at: datetime | None = None,
) -> Json:
    return {
        "at": at,
        "kind": kind,
        "purpose": purpose.value if purpose else None,
        "outcome": "planned" if kind == "planned" else "recorded",
        "channel": medium.value,
        "sentence": sentence,
        "reason": "",
        "rules": [],
        "facts": {},
        "message_id": None,
        "sent_at": None,
        "next_at": next_at,
    }


def _standing(story: _Story, teller: Teller) -> str:
    """Whether we may write to this number first, in a sentence."""
    point = story.point
    if point.opted_out_at is not None:
        return (
            f"They opted out, {teller.when(point.opted_out_at)}. Nothing leaves but answers to STOP, START and HELP; "
            "START brings messages back."
        )
    if point.invalid_since is not None:
        return f"The number does not reach them since {teller.when(point.invalid_since)}; nobody writes to it first."
    words = [one for one in story.consents if one.medium is Medium.SMS]
    if words and words[-1].granted:
        return f"They may be written to by {channel(Medium.SMS)}: consent is recorded, {teller.when(words[-1].at)}."
    return "No consent to write by SMS is recorded: they are answered, and not asked first."


def _when(item: Json) -> datetime:
    at: datetime = item["at"]
    return at


def _shown(item: Json) -> Json:
    return {**item, **{name: instant(item[name]) for name in ("at", "sent_at", "next_at")}}
