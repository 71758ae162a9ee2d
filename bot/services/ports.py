"""What the use cases need from outside, as protocols that `bot.store`, `bot.channels` and `bot.dialogue` fulfil."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

from bot.core.dialogue import Parsed, Turn
from bot.core.vocabulary import CaseState, Medium, Owner, Verdict
from bot.services.entities import (
    Case,
    CheckIn,
    ContactPoint,
    Conversation,
    Customer,
    Json,
    Message,
    Seal,
    Sender,
    ServiceEvent,
    Site,
    Task,
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Outbound:
    """One text to hand to a channel. `valid_for`: how long the provider may take to send it, where that matters."""

    message_id: str
    conversation_id: str
    to: str
    text: str
    valid_for: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """A channel took a text: the provider's own id for it, its first status, and who it is from where that varies."""

    provider_id: str
    status: str
    sender: str = ""


@dataclass(frozen=True, slots=True)
class SentMessage:
    """One text that a channel has taken from us, as its provider remembers it. `created_at` is aware."""

    provider_id: str
    to: str
    text: str
    status: str
    error_code: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Listed:
    """One message on the provider's list, whoever sent it; `address` is the customer's, `created_at` aware."""

    provider_id: str
    inbound: bool
    address: str
    text: str
    status: str
    error_code: str | None = None
    media: list[Json] = field(default_factory=list)
    created_at: datetime | None = None


class Channel(Protocol):
    """One way to reach a customer."""

    async def send(self, outbound: Outbound) -> Accepted:
        """Hand over one text. Raises ChannelError, which says whether trying again can help."""
        ...

    async def reconcile(self, to: str, since: datetime) -> list[SentMessage]:
        """What was taken for that address since then, the newest first. Raises ChannelError."""
        ...

    async def listed_since(self, since: datetime) -> list[Listed]:
        """Every message between us and anybody since then, the oldest first. Raises ChannelError."""
        ...


class Dialogue(Protocol):
    """The language and dialogue side of the bot (Rasa). Raises DialogueUnavailable when it does not answer."""

    async def turn(self, conversation_id: str, message_id: str, text: str, metadata: Mapping[str, Any]) -> Turn:
        """One message of the customer in, the bot's words out."""
        ...

    async def trigger(self, conversation_id: str, occasion: str, intent: str, slots: Mapping[str, Any]) -> Turn:
        """The bot speaks first."""
        ...

    async def parse(self, items: Sequence[Mapping[str, Any]]) -> list[Parsed]:
        """What the bot understands in texts, without any conversation."""
        ...

    async def resume(self, conversation_id: str) -> None:
        """The conversation is the bot's again: whatever it was in the middle of is over, and it listens."""
        ...

    async def ready(self) -> bool:
        """Whether it can answer now."""
        ...


class Words(Protocol):
    """The responses of the domain, for words that must leave even while the dialogue is down."""

    def render(
        self, name: str, language: str | None, channel: str | None = None, slots: Mapping[str, Any] | None = None
    ) -> str:
        """One response in one language with its slots filled."""
        ...


type ThreadParts = tuple[Conversation, Customer, ContactPoint, CheckIn | None, ServiceEvent | None, Site | None]
"""A conversation with the people and the service it is about."""


class Conversations(Protocol):
    """What conversations need beyond plain look-ups."""

    async def parts(self, conversation_id: str) -> ThreadParts:
        """A conversation with what it is about. Raises NotFound."""
        ...

    async def parts_around(self, message_id: str, *, hold: bool = False) -> tuple[Message, ThreadParts]:
        """A message with its conversation and what that is about. Raises NotFound.

        `hold`: nobody moves the conversation's ownership from now until this transaction ends.
        """
        ...

    async def next_position(self, conversation_id: str) -> int:
        """Number the next message; holds the conversation's row until the transaction ends, so numbers never jump."""
        ...

    async def next_positions(self, many: Mapping[str, int]) -> dict[str, int]:
        """Number so many next messages of each conversation, as `next_position` does; the first number of each."""
        ...

    async def move_owner(
        self, conversation_id: str, *, expected_version: int, owner: Owner, agent_id: str | None
    ) -> int | None:
        """Move ownership if the version is still `expected_version`; the new version, or None when it was not."""
        ...

    async def hold_customer(self, customer_id: str) -> None:
        """Let nobody else write to this customer first until the transaction ends; whoever comes next waits here."""
        ...

    async def first_messages(self, conversation_ids: Sequence[str], since: datetime) -> list[datetime]:
        """When we wrote first in these conversations: when it left, or was written if it may still leave.

        What never left, or was reported lost, does not count; words written together count once.
        """
        ...

    async def usual_words(self, customer_id: str, *, before: datetime) -> float | None:
        """The median length in words of a customer's answers before an instant; None before there are three."""
        ...

    async def asked_and_answered(self, customer_id: str) -> tuple[int, int]:
        """How many check-ins this customer was sent and how many of those they answered."""
        ...


class Tasks(Protocol):
    """The due table."""

    async def claim(self, now: datetime, *, lease: timedelta, limit: int) -> list[Task]:
        """Take up to `limit` due tasks, each the earliest unfinished of its lock. Taking one moves `due_at` to the
        end of the lease: a task whose worker died is due again then."""
        ...

    async def finish(self, task: Task) -> None:
        """The work is done. Raises Conflict when the lease was lost to another worker meanwhile."""
        ...

    async def retry(self, task: Task, *, at: datetime, error: str) -> None:
        """Put it back, due at `at`."""
        ...

    async def give_up(self, task: Task, *, error: str) -> None:
        """It will never succeed; keep it for a person to look at."""
        ...

    async def postpone(self, task: Task, *, at: datetime, **noted: Any) -> None:
        """Not now: due again at `at`, without counting an attempt; what is `noted` joins its payload."""
        ...

    async def repeat(self, task: Task, *, at: datetime, payload: Json) -> None:
        """The work is done and begins anew at `at`, its attempts counted from none."""
        ...

    async def cancel(self, key: str) -> bool:
        """Take back a task that has not begun; whether there was one."""
        ...

    async def is_locked(self, lock: str, *, besides: int | None) -> bool:
        """Whether an unfinished task holds or waits for a lock, other than the one with this number."""
        ...

    async def is_settled(self, key: str) -> bool:
        """Whether the task with this key was done or given up. If not, that waits until this transaction has ended."""
        ...

    async def any_due(self, now: datetime) -> bool:
        """Whether it is worth trying to claim."""
        ...

    async def due(self, now: datetime) -> int:
        """How many tasks are due and not done."""
        ...


@dataclass(frozen=True, slots=True)
class Hint:
    """Something under `topic` changed; `id` numbers the hints in the order they were written."""

    id: int
    topic: str


class Changes(Protocol):
    """The hints that something changed."""

    async def since(self, number: int, missing: Sequence[int] = (), limit: int = 5000) -> list[Hint]:
        """Those numbered above `number`, oldest first, and those `missing` from before that have appeared since."""
        ...

    async def newest(self) -> int:
        """The greatest number given so far; 0 when there is none."""
        ...


@dataclass(frozen=True, slots=True)
class CasePage:
    """Some cases, and the cursor of the next page, None at the end."""

    cases: list[Case]
    next: str | None


class Cases(Protocol):
    """Questions about many cases."""

    async def page(self, *, state: CaseState | None, site_id: str | None, limit: int, cursor: str | None) -> CasePage:
        """Cases, newest first."""
        ...

    async def live(self, limit: int = 500) -> list[Case]:
        """Every case a human still has to do something about."""
        ...

    def touch(self, case: Case) -> None:
        """Count what is done in this transaction as a change of the case: the commit of whoever changed it at the
        same time raises Conflict."""
        ...

    async def granted(self, case_id: str, by: str) -> Any:
        """The sum (Decimal) one agent has granted on one case."""
        ...


@dataclass(frozen=True, slots=True)
class EventPage:
    """Some service events, and the cursor of the next page, None at the end."""

    events: list[ServiceEvent]
    next: str | None


class Ledger(Protocol):
    """Questions about all service events."""

    async def counts(self, *, site_id: str | None) -> dict[Verdict, int]:
        """How many events are in each state; a state without any may be missing."""
        ...

    async def page(self, *, verdict: Verdict | None, site_id: str | None, limit: int, cursor: str | None) -> EventPage:
        """Events, the latest finished first."""
        ...


class Senders(Protocol):
    """Our numbers and services, whose meters every worker shares."""

    async def hold(self, medium: Medium) -> Sender | None:
        """The sender of a medium, nobody else's until this transaction ends; None for a medium without a pace."""
        ...


class Leftovers(Protocol):
    """What has done its service and says nothing about anybody's recovery."""

    async def forget(self, now: datetime) -> int:
        """Delete old hints of change, kept answers, expired logins, visits and done tasks; how many rows that were."""
        ...


@dataclass(frozen=True, slots=True)
class Held:
    """What is held about one person: rows as plain values, by table, and their conversations."""

    rows: Mapping[str, list[dict[str, Any]]]
    conversations: frozenset[str]


@dataclass(frozen=True, slots=True)
class Erased:
    """How many rows went, by table, and whose conversations they were."""

    rows: Mapping[str, int]
    conversations: frozenset[str]


class People(Protocol):
    """Everything about one person, wherever it lies in the store."""

    async def held(self, customer_id: str) -> Held:
        """All of it, in the order in which it came about."""
        ...

    async def erase(self, customer_id: str) -> Erased:
        """Delete all of it; what was counted stays counted. Raises Conflict when others were faster."""
        ...


class Seals(Protocol):
    """Keyed hashes of people whose data are gone. `kind` is `sms`, `external` or `customer`."""

    def mark(self, kind: str, value: str) -> str:
        """The mark of an identifier. Raises Refused when there is no key to make marks with."""
        ...

    async def find(self, kind: str, value: str) -> Seal | None:
        """What still holds of whoever had this identifier; None when nobody with it was erased."""
        ...

    async def keep(
        self, kind: str, value: str, *, erased_at: datetime | None = None, opted_out_at: datetime | None = None
    ) -> Seal:
        """Remember this identifier as a mark. Raises Refused when there is no key to make marks with."""
        ...

    async def adopt(self, seal: Seal) -> Seal:
        """Remember a mark that was made before. Of two erasures the later counts, and an opt-out stands."""
        ...

    async def lift(self, kind: str, value: str) -> None:
        """They asked for it themselves: their opt-out no longer holds."""
        ...

    async def all(self) -> list[Seal]:
        """Every mark."""
        ...

    async def foreign(self) -> int:
        """How many marks were made with another key, and so recognise nobody."""
        ...

    async def drop_foreign(self) -> int:
        """Forget the marks that were made with another key; how many they were."""
        ...


class UnitOfWork(Protocol):
    """One transaction. Leaving it without `commit()` rolls everything back."""

    @property
    def conversations(self) -> Conversations:
        """What conversations need beyond plain look-ups."""
        ...

    @property
    def tasks(self) -> Tasks:
        """The due table."""
        ...

    @property
    def cases(self) -> Cases:
        """Questions about many cases."""
        ...

    @property
    def ledger(self) -> Ledger:
        """Questions about all service events."""
        ...

    @property
    def leftovers(self) -> Leftovers:
        """What may be forgotten."""
        ...

    @property
    def people(self) -> People:
        """Everything about one person."""
        ...

    @property
    def seals(self) -> Seals:
        """What still holds of people whose data are gone."""
        ...

    @property
    def senders(self) -> Senders:
        """Our numbers and services."""
        ...

    @property
    def changes(self) -> Changes:
        """The hints that something changed."""
        ...

    async def find(self, kind: type[T], id: str) -> T | None:
        """The entity with this primary key, or None."""
        ...

    async def get(self, kind: type[T], id: str) -> T:
        """The entity with this primary key. Raises NotFound."""
        ...

    async def one(self, kind: type[T], /, **equal: Any) -> T | None:
        """The only or first entity whose attributes equal these."""
        ...

    async def all(
        self,
        kind: type[T],
        /,
        *,
        order_by: str | None = None,
        descending: bool = False,
        limit: int | None = None,
        **equal: Any,
    ) -> list[T]:
        """Every entity whose attributes equal these; a tuple, list or set of values means any of them."""
        ...

    def add(self, *entities: Any) -> None:
        """Remember new entities at the commit."""
        ...

    async def begin(self, task: Task) -> bool:
        """Remember a new task; whether the worker of this process begins it as soon as this is committed.

        It then counts as tried once: found undone later, it was begun and cut off.
        """
        ...

    async def delete(self, entity: Any) -> None:
        """Forget an entity at the commit."""
        ...

    def changed(self, *topics: str) -> None:
        """Tell open pages, after the commit, that something under each topic changed."""
        ...

    async def flush(self) -> None:
        """Send what is pending to the database, so that identifiers and constraints are settled now."""
        ...

    async def commit(self, *, durable: bool = True) -> None:
        """Make it so. Raises Conflict when someone else changed the same thing first.

        What need not survive a power cut is committed without waiting for the disk: `durable=False`.
        """
        ...


class Store(Protocol):
    """Opens units of work."""

    def __call__(self, *, read_only: bool = False) -> AbstractAsyncContextManager[UnitOfWork]:
        """A new transaction."""
        ...


class Clock(Protocol):
    """Tells the time."""

    def __call__(self) -> datetime:
        """Now, aware, in UTC."""
        ...


Channels = Mapping[Medium, Channel]
