"""What the customer said about amounts, order numbers and times, for the person who takes up the case."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bot.core.details import details_in
from bot.core.vocabulary import Direction
from bot.services.entities import Case, Json
from bot.services.ports import UnitOfWork


async def details_said(tx: UnitOfWork, case: Case, transcript: Sequence[Json]) -> list[Json]:
    """Each detail once, oldest first, with its words and its message; what an earlier case was about stays there."""
    closed = [
        other.closed_at
        for other in await tx.all(Case, conversation_id=case.conversation_id)
        if other.closed_at is not None and other.closed_at <= case.opened_at and other.id != case.id
    ]
    found: dict[tuple[str, str], Json] = {}
    for message in transcript:
        at = datetime.fromisoformat(message["at"])
        if message["direction"] != Direction.IN or (closed and at <= max(closed)):
            continue
        for detail in details_in(message["text"]):
            entry = {"kind": detail.kind.value, "value": detail.value, "words": detail.words}
            found.setdefault((detail.kind, detail.value), {**entry, "message_id": message["id"], "at": message["at"]})
    return list(found.values())
