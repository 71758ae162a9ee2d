"""Everything the tables hold about one person, to be handed to them or to be forgotten.

Which tables that are is not written down here: whatever points at a customer, directly or through others, is theirs.
A table made tomorrow is theirs too as soon as it has its foreign key. What has none is in `LOOSE` or `OF_NOBODY`, and
a test refuses a table that is nowhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import batched
from typing import Any

from sqlalchemy import Column, ColumnElement, Table, and_, delete, func, insert, or_, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from bot.core.errors import Conflict
from bot.services.ports import Erased, Held
from bot.store import tables as t
from bot.store.repositories import changed_rows

LOOSE = frozenset({t.tasks, t.audit, t.kept_answers, t.changes})
"""Tables that name people's things without a foreign key."""
OF_NOBODY = frozenset(
    {t.sites, t.agents, t.logins, t.api_keys, t.senders, t.site_calibrations, t.seals, t.erased_counts}
)
"""Tables that say nothing about any customer."""
_AT_ONCE = 1000
_CONDITIONS = 24
"""How many values a comparison names, and how many comparisons a statement has: both databases end at 32,766 values."""
_MOMENTS = ("position", "at", "created_at", "due_at")
"""The columns to order rows by, the first that a table has."""
_LOST_A_RACE = {"40001", "40P01"}
"""PostgreSQL's codes for a transaction that gave way to another."""

type Keys = dict[Table, list[Any]]
type Link = tuple[Column[Any], Table]


def _belonging() -> dict[Table, list[Link]]:
    """The tables of people, parents first, and by which columns their rows belong to rows of the others."""
    found: dict[Table, list[Link]] = {t.customers: []}
    for table in t.metadata.sorted_tables:
        keys = [(column, key.column.table) for column in table.columns for key in column.foreign_keys]
        links = [(column, parent) for column, parent in keys if parent in found]
        if links:
            found[table] = links
    return found


OF_PEOPLE = _belonging()


class PeopleRepository:
    """See `bot.services.ports.People`."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def held(self, customer_id: str) -> Held:
        """Everything about a customer, by table, as plain values in the order in which it came about."""
        keys = await self._keys(customer_id)
        rows = {table.name: await self._rows(_theirs(table, keys), table) for table in OF_PEOPLE}
        rows[t.tasks.name] = await self._rows(_their_tasks(keys), t.tasks)
        rows[t.audit.name] = await self._rows(_among(t.audit.c.subject, _all(keys)), t.audit)
        return Held({name: found for name, found in rows.items() if found}, frozenset(keys[t.conversations]))

    async def erase(self, customer_id: str) -> Erased:
        """Delete all of it; what was counted stays counted. Raises Conflict when others were faster."""
        try:
            return await self._erase(customer_id)
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) not in _LOST_A_RACE:
                raise
            raise Conflict("someone else changed this first; look again") from error

    async def _erase(self, customer_id: str) -> Erased:
        keys = await self._keys(customer_id, lock=True)
        await self._keep_counts(keys[t.service_events])
        gone = {t.kept_answers.name: await self._forget_answers(_all(keys))}
        gone[t.tasks.name] = await self._delete(t.tasks, _their_tasks(keys))
        topics = [f"{about}:{id}" for about in ("conversation", "typing") for id in keys[t.conversations]]
        gone[t.changes.name] = await self._delete(t.changes, _among(t.changes.c.topic, topics))
        gone[t.audit.name] = await self._make_nobodys(_all(keys))
        for table in reversed(OF_PEOPLE):
            gone[table.name] = await self._delete(table, _theirs(table, keys))
        return Erased({name: rows for name, rows in gone.items() if rows}, frozenset(keys[t.conversations]))

    async def _keys(self, customer_id: str, *, lock: bool = False) -> Keys:
        """The keys of all rows. Locked, nothing can be added to them: every parent is held before its children."""
        keys: Keys = {t.customers: [customer_id]}
        for table in OF_PEOPLE:
            if len(table.primary_key.columns) != 1:
                continue
            [key] = table.primary_key.columns
            found: dict[str, None] = {}
            for condition in _theirs(table, keys):
                query = select(key).where(condition).order_by(key)
                found |= dict.fromkeys(await self._session.scalars(query.with_for_update() if lock else query))
            keys[table] = list(found)
        return keys

    async def _rows(self, conditions: Iterable[ColumnElement[bool]], table: Table) -> list[dict[str, Any]]:
        found: dict[tuple[Any, ...], dict[str, Any]] = {}
        for condition in conditions:
            for row in (await self._session.execute(select(table).where(condition))).mappings():
                found[tuple(row[column] for column in table.primary_key.columns)] = dict(row)
        moment = next((name for name in _MOMENTS if name in table.columns and not table.columns[name].nullable), None)
        rows = list(found.values())
        return sorted(rows, key=lambda row: row[moment]) if moment else rows

    async def _delete(self, table: Table, conditions: Iterable[ColumnElement[bool]]) -> int:
        return sum([await changed_rows(self._session, delete(table).where(one)) for one in conditions])

    async def _make_nobodys(self, keys: Iterable[str]) -> int:
        """That an agent did something, and when, stays on record; for whom does not."""
        changes = [
            update(t.audit).where(condition).values(subject="erased", detail={})
            for condition in _among(t.audit.c.subject, keys)
        ]
        return sum([await changed_rows(self._session, change) for change in changes])

    async def _forget_answers(self, keys: list[str]) -> int:
        """Answers kept for a day of retries name what they are about."""
        query = select(t.kept_answers.c.id, t.kept_answers.c.body)
        quoting = [row.id for row in await self._session.execute(query) if any(key in row.body for key in keys)]
        return await self._delete(t.kept_answers, _among(t.kept_answers.c.id, quoting))

    async def _keep_counts(self, events: list[str]) -> None:
        kept, counted = t.erased_counts.c, t.service_events.c
        for condition in _among(counted.id, events):
            query = select(counted.site_id, counted.verdict, func.count()).where(condition)
            for site_id, verdict, number in await self._session.execute(
                query.group_by(counted.site_id, counted.verdict)
            ):
                here = and_(kept.site_id == site_id, kept.verdict == verdict)
                more = update(t.erased_counts).where(here).values(events=kept.events + number)
                if not await changed_rows(self._session, more):
                    first = insert(t.erased_counts).values(site_id=site_id, verdict=verdict, events=number)
                    await self._session.execute(first)


def _theirs(table: Table, keys: Keys) -> Iterator[ColumnElement[bool]]:
    """Conditions that together meet a table's rows of a person, some may be met twice."""
    if table is t.customers:
        yield from _among(t.customers.c.id, keys[t.customers])
    for column, parent in OF_PEOPLE[table]:
        yield from _among(column, keys.get(parent, []))


def _their_tasks(keys: Keys) -> Iterator[ColumnElement[bool]]:
    """A task says in its payload what it is about: `message_id`, `case_id` and the like."""
    named: list[ColumnElement[bool]] = []
    for table, ids in keys.items():
        name, ids = f"{table.name.removesuffix('s')}_id", [id for id in ids if isinstance(id, str)]
        named += _among(t.tasks.c.payload[name].as_string(), ids)
        # A task that was put aside carries its own payload within.
        named += _among(t.tasks.c.payload[("payload", name)].as_string(), ids)
    # Each statement reads the whole table, so as few as there can be.
    for some in batched(named, _CONDITIONS):
        yield or_(*some)


def _among(column: ColumnElement[Any], values: Iterable[str]) -> Iterator[ColumnElement[bool]]:
    for some in batched(values, _AT_ONCE):
        yield column.in_(some)


def _all(keys: Keys) -> list[str]:
    return [key for table in keys.values() for key in table if isinstance(key, str)]
