"""One transaction: rollback is the default, commit is said aloud, and a second writer is refused."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy.exc import StatementError

from bot.core.errors import Conflict, NotFound
from bot.core.vocabulary import CaseState, GrantKind, HandoffReason, Medium, Owner, Severity
from bot.services.entities import Case, Change, ContactPoint, Conversation, Customer, Grant, Task
from bot.store.unit_of_work import SqlStore, async_url
from tests.conftest import NOON


async def thread(store: SqlStore) -> Conversation:
    """A conversation with somebody."""
    customer = Customer(name="Robin", created_at=NOON)
    point = ContactPoint(customer_id=customer.id, medium=Medium.SMS, address="+447700900001")
    conversation = Conversation(customer_id=customer.id, contact_point_id=point.id, medium=Medium.SMS, created_at=NOON)
    async with store() as tx:
        for entity in (customer, point, conversation):
            tx.add(entity)
            await tx.flush()
        await tx.commit()
    return conversation


async def case_of(store: SqlStore, conversation: Conversation, **changed: object) -> Case:
    """A case in it."""
    about: dict[str, object] = {
        "reason": HandoffReason.DISSATISFIED,
        "severity": Severity.HIGH,
        "site_id": None,
        "customer_id": conversation.customer_id,
        "conversation_id": conversation.id,
        "opened_at": NOON,
        "first_response_due": NOON,
        "resolution_due": NOON,
        **changed,
    }
    case = Case(**about)  # type: ignore[arg-type]
    async with store() as tx:
        tx.add(case)
        await tx.commit()
    return case


async def test_what_is_not_committed_did_not_happen(store: SqlStore) -> None:
    """Leaving, or an error, takes everything back."""
    async with store() as tx:
        tx.add(Customer(name="Robin", created_at=NOON))
        await tx.flush()

    with pytest.raises(ZeroDivisionError):
        async with store() as tx:
            tx.add(Customer(name="Kim", created_at=NOON))
            await tx.flush()
            raise ZeroDivisionError

    async with store(read_only=True) as tx:
        assert await tx.all(Customer) == []


@pytest.mark.parametrize(
    "written",
    [NOON, NOON.astimezone(ZoneInfo("Asia/Tehran")), NOON.astimezone(timezone(timedelta(hours=-3, minutes=-30)))],
)
async def test_an_instant_comes_back_as_the_same_instant_in_utc(store: SqlStore, written: datetime) -> None:
    """To the microsecond, whatever clock it was read from."""
    written = written.replace(microsecond=123456)
    async with store() as tx:
        tx.add(Customer(name="Robin", created_at=written))
        await tx.commit()

    async with store(read_only=True) as tx:
        [customer] = await tx.all(Customer)
        assert customer.created_at == written
        assert customer.created_at.tzinfo is UTC or customer.created_at.utcoffset() == timedelta(0)


async def test_a_naive_instant_is_refused(store: SqlStore) -> None:
    """Nobody can say later which clock it was."""
    with pytest.raises(StatementError, match="naive"):
        async with store() as tx:
            tx.add(Customer(name="Robin", created_at=datetime(2026, 1, 1)))  # noqa: DTZ001
            await tx.commit()


async def test_what_is_not_there_is_said_to_be_missing(store: SqlStore) -> None:
    """`find` answers None, `get` raises, `one` of nothing is None."""
    async with store(read_only=True) as tx:
        assert await tx.find(Customer, "nobody") is None
        assert await tx.one(Customer, name="nobody") is None
        with pytest.raises(NotFound, match="there is no customer 'nobody'"):
            await tx.get(Customer, "nobody")


async def test_look_ups_take_one_value_many_or_none(store: SqlStore) -> None:
    """Several values mean any of them; None means that there is none; an attribute may have any name."""
    async with store() as tx:
        for number, name in enumerate(["Ada", "Bo", "Cy"]):
            tx.add(Customer(name=name, external_id=None if number else "c-1", created_at=NOON))
        tx.add(Task(kind="k", due_at=NOON, created_at=NOON))
        await tx.commit()

    async with store(read_only=True) as tx:
        found = await tx.all(Customer, name=("Ada", "Cy"), order_by="name", descending=True)
        assert [customer.name for customer in found] == ["Cy", "Ada"]
        assert len(await tx.all(Customer, external_id=None)) == 2
        assert len(await tx.all(Customer, name=[])) == 0
        assert len(await tx.all(Customer, limit=2)) == 2
        assert await tx.one(Task, kind="k") is not None


async def test_two_who_change_the_same_case_do_not_both_succeed(store: SqlStore) -> None:
    """The second commit is told to look again, also when it changed something around the case only."""
    case = await case_of(store, await thread(store))
    async with store(read_only=True) as tx:
        stale = await tx.get(Case, case.id)

    async with store() as tx:
        (await tx.get(Case, case.id)).state = CaseState.CLAIMED
        await tx.commit()

    with pytest.raises(Conflict):
        async with store() as tx:
            tx.session.add(stale)
            tx.cases.touch(stale)
            await tx.commit()


async def test_touching_a_case_raises_its_version(store: SqlStore) -> None:
    """Although nothing of the row itself has changed."""
    case = await case_of(store, await thread(store))
    async with store() as tx:
        tx.cases.touch(await tx.get(Case, case.id))
        await tx.commit()

    async with store(read_only=True) as tx:
        assert (await tx.get(Case, case.id)).version == case.version + 1


async def test_a_conversation_has_one_live_case(store: SqlStore) -> None:
    """A second is a conflict; after the first is settled it is not."""
    conversation = await thread(store)
    case = await case_of(store, conversation)
    with pytest.raises(Conflict):
        await case_of(store, conversation)

    async with store() as tx:
        (await tx.get(Case, case.id)).state = CaseState.CLOSED
        await tx.commit()

    await case_of(store, conversation)


async def test_ownership_moves_from_the_version_that_was_read(store: SqlStore) -> None:
    """Whoever read an older one moves nothing; the entity in hand shows what is true now."""
    conversation = await thread(store)
    async with store() as tx:
        mine = await tx.get(Conversation, conversation.id)
        moved = await tx.conversations.move_owner(mine.id, expected_version=1, owner=Owner.AGENT, agent_id="sam")
        late = await tx.conversations.move_owner(mine.id, expected_version=1, owner=Owner.BOT, agent_id=None)
        assert (moved, late) == (2, None)
        assert (mine.owner, mine.agent_id, mine.version) == (Owner.AGENT, "sam", 2)
        await tx.commit()


async def test_messages_are_numbered_within_their_conversation(store: SqlStore) -> None:
    """A number that was rolled back is given again: there are no gaps."""
    conversation = await thread(store)
    async with store() as tx:
        assert await tx.conversations.next_position(conversation.id) == 1
    async with store() as tx:
        assert [await tx.conversations.next_position(conversation.id) for _ in range(3)] == [1, 2, 3]
        await tx.commit()
    async with store() as tx:
        assert await tx.conversations.next_position(conversation.id) == 4


async def test_pages_meet_without_overlap_or_gap(store: SqlStore) -> None:
    """Newest first, also among those of the same instant."""
    conversation = await thread(store)
    made = [
        await case_of(store, conversation, state=CaseState.CLOSED, opened_at=NOON + timedelta(minutes=number // 3))
        for number in range(8)
    ]
    seen: list[str] = []
    cursor = None
    async with store(read_only=True) as tx:
        while True:
            page = await tx.cases.page(state=CaseState.CLOSED, site_id=None, limit=3, cursor=cursor)
            seen += [case.id for case in page.cases]
            cursor = page.next
            if cursor is None:
                break

    assert seen == [case.id for case in sorted(made, key=lambda case: (case.opened_at, case.id), reverse=True)]


async def test_money_adds_up_to_the_cent(store: SqlStore) -> None:
    """By agent and case, and to nothing when nothing was given."""
    case = await case_of(store, await thread(store))
    async with store() as tx:
        for value, by in (("0.10", "Sam"), ("0.20", "Sam"), ("5", "Kim")):
            grant = Grant(case_id=case.id, kind=GrantKind.VOUCHER, value=Decimal(value), currency="EUR", by=by, at=NOON)
            tx.add(grant)
        await tx.commit()

    async with store(read_only=True) as tx:
        assert await tx.cases.granted(case.id, "Sam") == Decimal("0.30")
        assert await tx.cases.granted(case.id, "nobody") == Decimal("0.00")


async def test_changes_are_told_after_the_commit_and_only_then(store: SqlStore) -> None:
    """Numbered, oldest first."""
    async with store() as tx:
        tx.changed("lost")
    async with store() as tx:
        tx.changed("desk", "conversation:1")
        await tx.commit()

    async with store(read_only=True) as tx:
        changes = await tx.changes.since(0)
        assert [change.topic for change in changes] == ["desk", "conversation:1"]
        assert await tx.changes.newest() == changes[-1].id
        assert [change.topic for change in await tx.changes.since(changes[0].id or 0)] == ["conversation:1"]
        assert len(await tx.all(Change)) == 2


@pytest.mark.parametrize(
    ("written", "used"),
    [
        ("postgres://u@h/d", "postgresql+asyncpg://u@h/d"),
        ("postgresql://u@h/d", "postgresql+asyncpg://u@h/d"),
        ("sqlite:////tmp/x.db", "sqlite+aiosqlite:////tmp/x.db"),
        ("postgresql+asyncpg://u@h/d", "postgresql+asyncpg://u@h/d"),
    ],
)
def test_a_database_url_is_taken_as_people_write_it(written: str, used: str) -> None:
    """With or without a driver."""
    assert async_url(written) == used


class Hands:
    """A worker in this process with so much room; it keeps what it is given."""

    lease = timedelta(seconds=60)

    def __init__(self, room: int) -> None:
        self.left = room
        self.begun: list[str | None] = []
        self.told_of_more = False

    def room(self) -> int:
        """How many more it would begin."""
        return self.left

    def take(self, tasks: Sequence[Task], *, more: bool) -> None:
        """Begin."""
        self.begun += [task.key for task in tasks]
        self.told_of_more |= more


def due(key: str, *, lock: str | None = None, after: timedelta = timedelta(0)) -> Task:
    """A task that is due so long after it is made."""
    return Task(kind="note", key=key, lock=lock, due_at=NOON + after, created_at=NOON)


async def test_what_is_due_at_once_goes_straight_to_the_worker_of_this_process(store: SqlStore) -> None:
    """Claimed by the transaction that makes it, as if the worker had claimed it; what is due later is not."""
    store.worker = hands = Hands(room=10)

    async with store() as tx:
        tx.add(due("now"), due("later", after=timedelta(hours=1)))
        await tx.commit()

    assert (hands.begun, hands.told_of_more) == (["now"], True)
    async with store(read_only=True) as tx:
        task = await tx.one(Task, key="now")
        assert task is not None
        assert (task.state, task.attempts, task.due_at) == ("doing", 1, NOON + hands.lease)
    async with store() as tx:
        assert await tx.tasks.claim(NOON, lease=hands.lease, limit=10) == []


async def test_nobody_begins_what_was_not_committed(store: SqlStore) -> None:
    """A rollback takes the task back, too."""
    store.worker = hands = Hands(room=10)

    async with store() as tx:
        tx.add(due("lost"))

    assert hands.begun == []


async def test_a_task_whose_lock_is_held_or_waited_for_is_not_begun(store: SqlStore) -> None:
    """Neither by a task from before nor by one of the same transaction; the worker is told to look again."""
    store.worker = hands = Hands(room=10)
    async with store() as tx:
        tx.add(due("first", lock="in:1"), due("second", lock="in:1"), due("elsewhere", lock="in:2"))
        await tx.commit()
    assert (hands.begun, hands.told_of_more) == (["first", "elsewhere"], True)

    async with store() as tx:
        tx.add(due("third", lock="in:1"))
        await tx.commit()
    assert hands.begun == ["first", "elsewhere"]


async def test_the_transaction_that_ends_a_task_may_begin_the_next_of_its_lock(store: SqlStore) -> None:
    """By then the lock is free."""
    store.worker = hands = Hands(room=10)
    async with store() as tx:
        first = due("first", lock="in:1")
        tx.add(first)
        await tx.commit()

    async with store() as tx:
        await tx.tasks.finish(first)
        tx.add(due("second", lock="in:1"))
        await tx.commit()

    assert hands.begun == ["first", "second"]


async def test_a_worker_without_room_begins_nothing(store: SqlStore) -> None:
    """What it cannot begin is due for anybody."""
    store.worker = hands = Hands(room=0)

    async with store() as tx:
        tx.add(due("now"))
        await tx.commit()

    assert (hands.begun, hands.told_of_more) == ([], True)
    async with store() as tx:
        assert [task.key for task in await tx.tasks.claim(NOON, lease=hands.lease, limit=10)] == ["now"]
