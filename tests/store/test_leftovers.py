"""What has done its service is forgotten, and nothing else."""

from __future__ import annotations

from datetime import timedelta

from bot.services.entities import Change, KeptAnswer, Task
from bot.store.unit_of_work import SqlStore
from tests.conftest import NOON


async def test_only_what_is_old_and_done_is_forgotten(store: SqlStore) -> None:
    """A task that still has to be done is kept however old it is."""
    last_month, just_now = NOON - timedelta(days=30), NOON - timedelta(minutes=5)
    async with store() as tx:
        for at in (last_month, just_now):
            tx.add(Change(topic="desk", at=at))
            tx.add(KeptAnswer(id=str(at), fingerprint="f", status=200, body="{}", at=at))
            tx.add(Task(kind="done", state="done", due_at=at, created_at=at))
        tx.add(Task(kind="waiting", state="todo", due_at=last_month, created_at=last_month))
        await tx.commit()

    async with store() as tx:
        forgotten = await tx.leftovers.forget(NOON)
        await tx.commit()

    assert forgotten == 3
    async with store(read_only=True) as tx:
        assert {change.at for change in await tx.all(Change)} == {just_now}
        assert [task.kind for task in await tx.all(Task, order_by="id")] == ["done", "waiting"]
