"""The books of a run: what the phones know, what the store knows, and every way in which the two must agree."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qs, urlsplit

from bot.channels.simulator.book import INBOUND, Book, Entry
from bot.channels.twilio.inbound import MESSAGE_ID_PARAMETER
from bot.core.cases import SETTLED
from bot.core.vocabulary import Author, Direction, MessageKind, Owner
from bot.services.entities import (
    AssessmentRecord,
    Case,
    CaseStep,
    ContactPoint,
    Conversation,
    Message,
    Task,
    TimelineEntry,
)
from bot.services.ports import UnitOfWork
from bot.services.workshop import Workshop
from tests.chaos.people import Customer

_UNFINISHED = ("todo", "doing")
_IN_FLIGHT = ("queued", "sending", "unconfirmed")
_WAITS_BY_NATURE = ("judge_silence", "chase_case", "follow_up", "catch_up")
"""Tasks that are due on another day: that they are not done is no fault."""


@dataclass(frozen=True, slots=True)
class Books:
    """Everything that was kept, on both sides."""

    entries: Sequence[Entry]
    messages: Sequence[Message]
    tasks: Sequence[Task]
    cases: Sequence[Case]
    steps: Sequence[CaseStep]
    timeline: Sequence[TimelineEntry]
    assessments: Sequence[AssessmentRecord]
    conversations: Mapping[str, Conversation]
    phones: Mapping[str, str]
    """Conversation by phone."""

    @property
    def counts(self) -> dict[str, int]:
        """How much there was."""
        inbound = sum(entry.direction == INBOUND for entry in self.entries)
        return {"inbound": inbound, "outbound": len(self.entries) - inbound, "cases": len(self.cases)}


async def read_books(tx: UnitOfWork, book: Book) -> Books:
    """Everything, at one moment."""
    points = {point.id: point.address for point in await tx.all(ContactPoint)}
    conversations = {one.id: one for one in await tx.all(Conversation)}
    return Books(
        entries=list(reversed(await book.page([], limit=1_000_000, offset=0))),
        messages=await tx.all(Message, order_by="position"),
        tasks=await tx.all(Task),
        cases=await tx.all(Case),
        steps=await tx.all(CaseStep),
        timeline=await tx.all(TimelineEntry, order_by="id"),
        assessments=await tx.all(AssessmentRecord),
        conversations=conversations,
        phones={points[one.contact_point_id]: one.id for one in conversations.values()},
    )


async def unsettled(shop: Workshop) -> list[str]:
    """What is still under way, in words; nothing when the day's work is done."""
    async with shop.store(read_only=True) as tx:
        tasks = await tx.all(Task, state=_UNFINISHED)
        messages = await tx.all(Message, direction=Direction.OUT, delivery=_IN_FLIGHT)
    waiting = [task for task in tasks if task.kind not in _WAITS_BY_NATURE]
    return [f"{t.kind} {t.state} after {t.attempts}: {t.last_error}" for t in waiting] + [
        f"a message is {m.delivery}" for m in messages if m.delivery != "queued" or m.provider_id is None
    ]


def discrepancies(books: Books, customers: Sequence[Customer], now: datetime) -> list[str]:
    """Every way in which the books do not balance, one a line; an empty list is the proof."""
    return [
        *_inbound(books, customers),
        *_outbound(books),
        *_order(books),
        *_tasks(books, now),
        *_cases(books, customers),
        *_turns(books),
        *_answers(books),
        *_ownership(books),
        *(customer.lost_patience for customer in customers if customer.lost_patience),
    ]


def _inbound(books: Books, customers: Sequence[Customer]) -> Iterable[str]:
    """Every text a phone sent was kept exactly once and worked off exactly once."""
    kept = Counter(m.provider_id for m in books.messages if m.direction is Direction.IN)
    handled = Counter(t.payload["message_id"] for t in books.tasks if t.kind == "handle_message" and t.state == "done")
    for customer in customers:
        for sid in customer.written:
            if kept[sid] != 1:
                yield f"{customer.phone}: text {sid} was kept {kept[sid]} times"
    sent = {sid for customer in customers for sid in customer.written}
    for message in books.messages:
        if message.direction is Direction.IN:
            if handled[message.id] != 1:
                yield f"text {message.provider_id} was worked off {handled[message.id]} times"
            if message.provider_id not in sent:
                yield f"text {message.provider_id} was kept, and nobody sent it"


def _outbound(books: Books) -> Iterable[str]:
    """Every message of ours was taken exactly once, or says why it was not; nothing was taken that we do not know."""
    taken = Counter(_message_id(entry) for entry in books.entries if entry.direction != INBOUND)
    sids = {entry.sid: entry for entry in books.entries}
    ours = {message.id: message for message in books.messages if message.direction is Direction.OUT}
    for message_id, times in taken.items():
        if message_id not in ours:
            yield f"the provider took {times} of a message we do not know ({message_id})"
    for message in ours.values():
        times = taken[message.id]
        if message.delivery == "withheld":
            expected = 0
        elif message.delivery in _IN_FLIGHT and message.provider_id is None:
            yield f"message {message.id} is still {message.delivery}"
            continue
        else:
            expected = 1
        if times != expected:
            yield f"message {message.id} ({message.kind}, {message.delivery}) was taken {times} times"
        elif expected and (message.provider_id not in sids or _message_id(sids[message.provider_id]) != message.id):
            yield f"message {message.id} is known by another's number"


def _order(books: Books) -> Iterable[str]:
    """In each conversation both sides read the same thread in the same order."""
    position = {message.id: message.position for message in books.messages}
    by_sid = {m.provider_id: m for m in books.messages if m.direction is Direction.IN}
    sent: dict[str, list[int]] = defaultdict(list)
    heard: dict[str, list[int]] = defaultdict(list)
    for entry in books.entries:
        if entry.direction == INBOUND:
            message = by_sid.get(entry.sid)
            if message is not None:
                heard[entry.from_].append(message.position)
        elif (known := position.get(_message_id(entry))) is not None:
            sent[entry.to].append(known)
    for what, threads in (("sent", sent), ("heard", heard)):
        for phone, positions in threads.items():
            if positions != sorted(positions):
                yield f"{phone}: what was {what} came in the order {positions}"
    for conversation_id in books.conversations:
        places = [m.position for m in books.messages if m.conversation_id == conversation_id]
        if places != sorted(set(places)):  # a place may be empty: what was deferred stands where it was said in the end
            yield f"conversation {conversation_id} numbers its messages {places}"


def _tasks(books: Books, now: datetime) -> Iterable[str]:
    for task in books.tasks:
        if task.state == "failed":
            yield f"{task.kind} was given up: {task.last_error}"
        elif task.state in _UNFINISHED and task.due_at < now:
            yield f"{task.kind} is stuck in {task.state} after {task.attempts} attempts: {task.last_error}"


def _cases(books: Books, customers: Sequence[Customer]) -> Iterable[str]:
    """Who had something to complain of has one case, with its story, settled once; nobody else has one.

    Whether their last words also close it is the dialogue's affair: what does not is asked about again.
    """
    by_conversation: dict[str, list[Case]] = defaultdict(list)
    for case in books.cases:
        by_conversation[case.conversation_id].append(case)
    for customer in customers:
        cases = by_conversation[books.phones.get(customer.phone, "")]
        if len(cases) != int(customer.story.case):
            yield f"{customer.phone} ({customer.story.name}) has {len(cases)} cases"
        for case in cases:
            if case.state not in SETTLED:
                yield f"{customer.phone}: the case ended {case.state}"
            if sum(step.case_id == case.id for step in books.steps) != 5:
                yield f"{customer.phone}: the case has not five steps"
            told = Counter(entry.what for entry in books.timeline if entry.case_id == case.id)
            for what, least in (("opened", 1), ("claimed", 1), ("resolved", 1), ("closed", 0)):
                if not least <= told[what] <= 1:
                    yield f"{customer.phone}: the timeline says {told[what]} times that the case was {what}"


def _turns(books: Books) -> Iterable[str]:
    """No text was judged twice, and none was answered twice with the same words."""
    for message_id, times in Counter(a.message_id for a in books.assessments if a.message_id).items():
        if times > 1:
            yield f"text {message_id} was judged {times} times"
    answers = Counter((m.in_reply_to, m.text) for m in books.messages if m.in_reply_to and m.author is Author.BOT)
    for (message_id, text), times in answers.items():
        if times > 1:
            yield f"text {message_id} was answered {times} times with {text!r}"


def _answers(books: Books) -> Iterable[str]:
    """Whoever wrote was answered, by the bot or by a person."""
    for conversation_id in books.conversations:
        thread = [m for m in books.messages if m.conversation_id == conversation_id and m.delivery != "withheld"]
        first = next((n for n, message in enumerate(thread) if message.direction is Direction.IN), None)
        if first is not None and all(message.direction is Direction.IN for message in thread[first:]):
            yield f"{conversation_id} was never answered"


def _ownership(books: Books) -> Iterable[str]:
    """Between an agent's first words and the case's end the bot says nothing."""
    for conversation_id, conversation in books.conversations.items():
        thread = [m for m in books.messages if m.conversation_id == conversation_id]
        agents = [m.position for m in thread if m.author is Author.AGENT]
        if not agents:
            continue
        for message in thread:
            between = agents[0] < message.position < agents[-1]
            spoken = message.author is Author.BOT and message.kind is MessageKind.DIALOGUE
            if between and spoken and message.delivery != "withheld":
                yield f"the bot talked over the agent in {conversation_id}"
        if conversation.owner is Owner.AGENT:
            yield f"{conversation_id} is still the agent's, though all is settled"


def _message_id(entry: Entry) -> str:
    return parse_qs(urlsplit(entry.callback or "").query).get(MESSAGE_ID_PARAMETER, [""])[0]
