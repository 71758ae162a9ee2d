"""The plain look-ups, each built once: to build a statement and its cache key costs more than to run it."""

from __future__ import annotations

from functools import cache
from typing import Any, cast

from sqlalchemy import Select, bindparam, select
from sqlalchemy.orm import class_mapper

from bot.services.entities import CheckIn, ContactPoint, Conversation, Customer, Message, ServiceEvent, Site
from bot.store import tables as t

MANY = (tuple, list, set, frozenset)
"""A value of one of these means any of its members."""

type Shape = tuple[tuple[str, bool | None], ...]
"""Which attributes are compared, and how: True with many values, False with one, None with none (IS NULL)."""


def shape_of(equal: dict[str, Any]) -> Shape:
    """The shape of a comparison."""
    return tuple((name, None if value is None else isinstance(value, MANY)) for name, value in equal.items())


def values_of(equal: dict[str, Any]) -> dict[str, Any]:
    """The parameters of the statement of that shape."""
    given = ((name, value) for name, value in equal.items() if value is not None)
    return {name: list(value) if isinstance(value, MANY) else value for name, value in given}


def by_key[T](kind: type[T]) -> Select[tuple[T]]:
    """The entity whose primary key is the parameter `key`."""
    return cast("Select[tuple[T]]", _by_key(kind))  # type: ignore[arg-type]  # a class is hashable


def by_attributes[T](
    kind: type[T], shape: Shape, order_by: str | None, descending: bool, limit: int | None
) -> Select[tuple[T]]:
    """The entities whose attributes equal the parameters of the same names."""
    found = _by_attributes(kind, shape, order_by, descending, limit)  # type: ignore[arg-type]  # a class is hashable
    return cast("Select[tuple[T]]", found)


@cache
def _by_key(kind: Any) -> Select[Any]:
    [column] = class_mapper(kind).primary_key
    return select(kind).where(column == bindparam("key", type_=column.type))


@cache
def _by_attributes(kind: Any, shape: Shape, order_by: str | None, descending: bool, limit: int | None) -> Select[Any]:
    columns = class_mapper(kind).columns
    query = select(kind)
    for name, many in shape:
        column = columns[name]
        if many is None:
            query = query.where(column.is_(None))
        elif many:
            query = query.where(column.in_(bindparam(name, type_=column.type, expanding=True)))
        else:
            query = query.where(column == bindparam(name, type_=column.type))
    if order_by is not None:
        query = query.order_by(columns[order_by].desc() if descending else columns[order_by].asc())
    return query if limit is None else query.limit(limit)


@cache
def thread_of_conversation() -> Select[Any]:
    """The conversation with the key `id`, and beside it whom and what it is about."""
    return _with_thread(select(Conversation)).where(t.conversations.c.id == bindparam("id"))


@cache
def thread_of_message() -> Select[Any]:
    """The message with the key `id`, its conversation, and beside it whom and what that is about."""
    query = select(Message, Conversation).join_from(
        Message, Conversation, t.conversations.c.id == t.messages.c.conversation_id
    )
    return _with_thread(query).where(t.messages.c.id == bindparam("id"))


@cache
def thread_of_message_held() -> Select[Any]:
    """The same, with the conversation's row held until the transaction ends (SQLite holds everything anyway)."""
    return thread_of_message().with_for_update(of=Conversation, key_share=True)


def _with_thread(query: Select[Any]) -> Select[Any]:
    conversation = t.conversations.c
    return (
        query.add_columns(Customer, ContactPoint, CheckIn, ServiceEvent, Site)
        .join(Customer, t.customers.c.id == conversation.customer_id)
        .join(ContactPoint, t.contact_points.c.id == conversation.contact_point_id)
        .outerjoin(CheckIn, t.check_ins.c.id == conversation.check_in_id)
        .outerjoin(ServiceEvent, t.service_events.c.id == t.check_ins.c.service_event_id)
        .outerjoin(Site, t.sites.c.id == t.service_events.c.site_id)
    )
