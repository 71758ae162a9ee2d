"""`afterword backup`: everything that is needed to start again elsewhere, in one file, while everything runs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.app import open_store, sealer_of
from bot.core.errors import Unusable
from bot.launch.databases import Databases
from bot.launch.secrets import secrets_in_force
from bot.rasa_compat.event_table import events
from bot.services.entities import AuditEntry
from bot.settings import Settings
from bot.store.archive import ArchiveWriter, Manifest, new_archive, rows_of, tables_of
from bot.store.migrate import at_head, is_known, revision_of
from bot.store.tables import metadata

LEFT_OUT = frozenset({"logins", "changes"})
"""Tables that a restored store begins without: everybody logs in again, and no page is open that waits for a hint."""
STORE, TRACKERS, SECRETS = "store/", "rasa/", "secrets.jsonl"
BACKED_UP = "backed up"


def default_file(settings: Settings, now: datetime) -> Path:
    """A name that tells when."""
    return settings.data_dir / "backups" / f"afterword-{now:%Y%m%dT%H%M%SZ}.zip"


async def back_up(settings: Settings, file: Path, *, with_secrets: bool, now: datetime) -> Manifest:
    """Write an archive of both databases as they are now; what it holds. The record says that it was made, and where.

    `file` is absolute. Raises Unusable when there is no sound database to back up, Refused when there is such a file.
    """
    secrets = secrets_in_force(settings) if with_secrets else {}
    manifest = await dump(Databases.of(settings), file, key_id=sealer_of(settings).key_id, secrets=secrets, now=now)
    store = open_store(settings)
    try:
        if await at_head(store.engine):
            async with store() as tx:
                detail = {"file": str(file), "taken_at": now.isoformat()}
                tx.add(AuditEntry(at=now, who="operator", action=BACKED_UP, subject="backup", detail=detail))
                await tx.commit()
    finally:
        await store.engine.dispose()
    return manifest


async def dump(databases: Databases, file: Path, *, key_id: str, secrets: Mapping[str, str], now: datetime) -> Manifest:
    """Write what is in two databases into a new archive that says it was taken at `now`."""
    async with databases.reading() as (store, trackers):
        revision = await _sound_revision(store)
        with new_archive(file) as archive:
            await _add_tables(archive, STORE, store, set(metadata.tables) - LEFT_OUT)
            if trackers is not None:
                await _add_tables(archive, TRACKERS, trackers, {events.name})
            if secrets:
                await archive.add(SECRETS, _one(dict(secrets)))
            return archive.close(taken_at=now, revision=revision, key_id=key_id)


async def _add_tables(archive: ArchiveWriter, folder: str, connection: AsyncConnection, wanted: set[str]) -> None:
    for table in await tables_of(connection, wanted):
        await archive.add(f"{folder}{table.name}.jsonl", rows_of(connection, table))


async def _one(row: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
    yield row


async def _sound_revision(store: AsyncConnection) -> str:
    if store.dialect.name == "sqlite":
        found = str(await store.scalar(text("PRAGMA quick_check(1)")))
        if found != "ok":
            raise Unusable(f"the database is damaged ({found}), and so would its backup be; restore an older one")
    revision = await revision_of(store)
    if revision is None:
        raise Unusable("the database has no tables yet, so there is nothing to back up; run `uv run afterword migrate`")
    if not is_known(revision):
        raise Unusable(f"the database's schema ({revision}) is newer than this Afterword; back it up with a newer one")
    return revision
