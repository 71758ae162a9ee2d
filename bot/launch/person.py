"""`afterword export` and `afterword erase`: one person, in the store, Rasa, the look-alike and the archives."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bot.app import SIMULATED_NUMBER, open_store, ready_store
from bot.channels.simulator.book import forget
from bot.core.errors import AfterwordError, Conflict, Refused
from bot.core.vocabulary import Medium
from bot.launch.databases import Databases
from bot.launch.restoring import archives_of, erase_from_archive, marks_file, remember_marks
from bot.rasa_compat import event_table
from bot.services.entities import ContactPoint, Customer, Json, Site
from bot.services.people import erase, find_customer, held_about
from bot.services.phones import numbers_meant
from bot.services.ports import Store, UnitOfWork
from bot.settings import Settings
from bot.store.sqlite import scour
from bot.store.unit_of_work import SqlStore

_TRIES = 3
_BOOK = "simulator.sqlite"


@dataclass(frozen=True, slots=True)
class Erasure:
    """What went, or would go: rows by where they lay; and what could not be reached, in words."""

    customer_id: str
    rows: dict[str, int]
    archives: dict[Path, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def lines(self, *, done: bool) -> list[str]:
        """What to tell the operator; never who it was, for terminals are remembered."""
        found = [f"  {number:>6}  {name}" for name, number in sorted(self.rows.items())]
        if not done:
            return [
                f"Customer {self.customer_id}. This would be erased:",
                *found,
                *(f"  and from the archive {archive}" for archive in self.archives),
                "Nothing was changed; `--yes` does it.",
            ]
        return [
            f"Customer {self.customer_id} is erased:",
            *found,
            *(f"  {archive}: {_was_in(number)}" for archive, number in self.archives.items()),
            *(f"! {problem}" for problem in self.problems),
            "Archives kept anywhere else still hold them until you delete those; restoring one erases them again.",
        ]


def _was_in(number: int) -> str:
    return "written anew without them" if number else "did not hold them"


async def let_go_of_foreign_marks(settings: Settings) -> int:
    """Forget the marks that were made with another key; how many they were."""
    store = open_store(settings)
    try:
        async with store() as tx:
            number = await tx.seals.drop_foreign()
            await tx.commit()
            return number
    finally:
        await store.engine.dispose()


async def export_person(settings: Settings, written: str, *, now: datetime) -> Json:
    """Everything held about one person. Raises NotFound or Refused when it is not clear who that is."""
    async with _open(settings) as store, store(read_only=True) as tx:
        customer = await _find(tx, written)
        held, conversations = await held_about(tx, customer)
        about = {"id": customer.id, "external_id": customer.external_id, "name": customer.name}
    async with Databases.of(settings).tracker_engine() as trackers:
        events = await event_table.events_of(trackers, conversations)
    return {"exported_at": now.isoformat(), "customer": about, **held, "tracker_events": _with_times(events)}


async def what_would_go(settings: Settings, written: str) -> Erasure:
    """What an erasure would reach; nothing is changed."""
    async with _open(settings) as store, store(read_only=True) as tx:
        customer = await _find(tx, written)
        held, conversations = await held_about(tx, customer)
    async with Databases.of(settings).tracker_engine() as trackers:
        events = await event_table.events_of(trackers, conversations)
    rows = {name: len(found) for name, found in held.items()}
    rows |= {event_table.events.name: len(events)} if events else {}
    return Erasure(customer.id, rows, dict.fromkeys(await archives_of(settings), 0))


async def erase_person(settings: Settings, written: str, *, now: datetime) -> Erasure:
    """Erase one person everywhere this installation reaches. May be called again when it was cut off.

    Raises NotFound or Refused when it is not clear who that is, or when their opt-out could not be kept.
    """
    databases = Databases.of(settings)
    async with _open(settings) as store:
        async with store(read_only=True) as tx:
            customer = await _find(tx, written)
            points = await tx.all(ContactPoint, customer_id=customer.id, medium=Medium.SMS)
        rows, seals = await _erase_from_databases(store, databases, customer, now)
        remember_marks(marks_file(settings), seals)
    problems: list[str] = []
    if carried := forget(settings.data_dir / _BOOK, [point.address for point in points]):
        rows["simulator"] = carried
        scour(settings.data_dir / _BOOK)
    problems += await databases.scour()
    archives: dict[Path, int] = {}
    for archive in await archives_of(settings):
        try:
            archives[archive] = await erase_from_archive(settings, archive, seals, now=now)
        except (AfterwordError, OSError) as error:
            problems.append(f"{archive} could not be written anew ({error}); delete it yourself")
    return Erasure(customer.id, rows, archives, problems)


async def _erase_from_databases(
    store: Store, databases: Databases, customer: Customer, now: datetime
) -> tuple[dict[str, int], list[Any]]:
    """Rasa first: cut off in between, the customer is still here and can be erased again, and no memory is orphaned."""
    async with databases.tracker_engine() as trackers:
        events = 0
        for tries_left in reversed(range(_TRIES)):
            async with store(read_only=True) as tx:
                _, conversations = await held_about(tx, customer)
            events += await event_table.erase(trackers, conversations)
            try:
                erased, seals = await erase(store, customer.id, conversations=conversations, by="operator", now=now)
            except Conflict:
                if not tries_left:
                    raise
                continue
            return {**erased.rows, **({event_table.events.name: events} if events else {})}, seals
    raise AssertionError("the last try either ends or raises")


@asynccontextmanager
async def _open(settings: Settings) -> AsyncIterator[SqlStore]:
    store = await ready_store(settings)
    try:
        yield store
    finally:
        await store.engine.dispose()


async def _find(tx: UnitOfWork, written: str) -> Customer:
    return await find_customer(tx, written, _phones(written, await tx.all(Site)))


def _phones(written: str, sites: Sequence[Site]) -> set[str]:
    """The numbers this can mean; none when it is no number, but a customer's id."""
    try:
        found = set(numbers_meant(written, zones=[site.zone for site in sites], field="customer"))
    except Refused:
        return set()
    return found - {SIMULATED_NUMBER}


def _with_times(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rasa counts seconds; people read dates."""
    return [
        {**event, "at": datetime.fromtimestamp(event["timestamp"], UTC).isoformat()} if "timestamp" in event else event
        for event in events
    ]
