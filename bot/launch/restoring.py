"""`afterword restore`: an archive becomes the databases, all of it or none, and nobody is written to twice.

What people asked of us after the archive was made still holds: whoever was erased is erased again, whoever opted out
stays opted out, as far as anything here remembers it: the database that is replaced, and the file of marks.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path

import aiohttp
from sqlalchemy import Table, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from bot.app import sealer_of
from bot.core.errors import Refused, Unusable
from bot.core.sealing import Sealer
from bot.launch.backing_up import BACKED_UP, LEFT_OUT, SECRETS, STORE, TRACKERS, dump
from bot.launch.databases import Databases
from bot.launch.secrets import adopt_secrets, with_secrets_of
from bot.rasa_compat import event_table
from bot.services.entities import AuditEntry, Seal
from bot.services.people import erase_again, suppress_again
from bot.services.restored import keep_opt_outs, put_aside
from bot.settings import Settings
from bot.store.archive import Manifest, fill, read_manifest, rows_in, tables_of
from bot.store.migrate import head, is_known, revision_of, upgrade
from bot.store.tables import map_entities, metadata
from bot.store.unit_of_work import SqlUnitOfWork

MARKS = "erased.jsonl"
_VERSIONS = "alembic_version"


@dataclass(frozen=True, slots=True)
class Restored:
    """What came of it."""

    manifest: Manifest
    erased_again: int
    suppressed_again: int
    doubtful: int


def marks_file(settings: Settings) -> Path:
    """Where the marks of erased people are kept beside the database, for the day on which that is lost."""
    return settings.data_dir / MARKS


def remember_marks(file: Path, seals: Iterable[Seal]) -> None:
    """Add marks to the file (mode 600)."""
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "a", encoding="utf-8") as lines:
        for seal in seals:
            lines.write(json.dumps({name: _text(value) for name, value in asdict(seal).items()}) + "\n")
        lines.flush()
        os.fsync(lines.fileno())


def read_marks(files: Iterable[Path]) -> list[Seal]:
    """The marks in some files. Raises Unusable, naming the file, when one is missing or no such file."""
    found = []
    for file in files:
        try:
            said = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
            found += [
                Seal(
                    mark=one["mark"],
                    key_id=one["key_id"],
                    erased_at=_instant(one["erased_at"]),
                    opted_out_at=_instant(one["opted_out_at"]),
                )
                for one in said
            ]
        except FileNotFoundError as error:
            raise Unusable(f"there is no file {file}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise Unusable(f"{file} holds no marks of erased people; it is the {MARKS} of a data folder") from error
    return found


async def restore(
    settings: Settings, file: Path, *, over_all: bool, marks: Sequence[Path] = (), now: datetime
) -> Restored:
    """Make the databases what the archive says; `over_all` lets go of what they hold now.

    Raises Unusable for an archive that cannot be used here, Refused when the databases are not empty.
    """
    manifest = read_manifest(file, verify=True)
    secrets = next(rows_in(file, SECRETS)) if SECRETS in manifest.members else {}
    settings = with_secrets_of(settings, secrets)
    _must_fit(manifest, sealer := sealer_of(settings))
    await must_be_stopped(settings)
    known = read_marks([*marks, *filter(Path.exists, [marks_file(settings)])])
    databases = Databases.of(settings)
    async with databases.writing() as (store, trackers):
        known += await _let_go(store, trackers, sealer, over_all=over_all)
        await load(store, trackers, file, manifest)
        async with _work(store, sealer) as tx:
            for seal in known:
                await tx.seals.adopt(seal)
            erased = await erase_again(tx, since=manifest.taken_at, now=now)
            for conversation in sorted(id for one in erased for id in one.conversations):
                await event_table.erase_in(trackers, conversation)
            suppressed = await suppress_again(tx)
            doubtful = await put_aside(tx, taken_at=manifest.taken_at, now=now)
            detail = {"taken_at": manifest.taken_at.isoformat(), "rows": manifest.rows, "doubtful": doubtful}
            tx.add(AuditEntry(at=now, who="operator", action="restored", subject="backup", detail=detail))
    if over_all:
        await databases.scour()
    if secrets:
        adopt_secrets(settings.data_dir, secrets)
    return Restored(manifest, len(erased), suppressed, doubtful)


async def must_be_stopped(settings: Settings) -> None:
    """Raises Refused while the edge of this installation answers: processes would go on with what they have read."""
    address = f"http://{settings.host}:{settings.port}/livez"
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=3)) as session,
            session.get(address) as answer,
        ):
            running = answer.status == 200
    except (aiohttp.ClientError, TimeoutError):
        running = False
    if running:
        raise Refused(f"Afterword is running (it answers at {address}); stop every process of it first")


def _must_fit(manifest: Manifest, sealer: Sealer) -> None:
    if not is_known(manifest.revision):
        raise Unusable(
            f"the archive is from a newer Afterword (schema {manifest.revision}); install that version, or a newer "
            "one, and restore there"
        )
    sealed = f"{STORE}seals.jsonl" in manifest.members and manifest.members[f"{STORE}seals.jsonl"]["rows"]
    if sealed and manifest.key_id != sealer.key_id:
        raise Unusable(
            "the archive's marks of erased people were made with another AFTERWORD_SUPPRESSION_KEY than the one set "
            "here; set the one of the installation it comes from (its var/secrets.json, or where you keep secrets)"
        )


async def _let_go(store: AsyncConnection, trackers: AsyncConnection, sealer: Sealer, *, over_all: bool) -> list[Seal]:
    """Make room for the archive; what people asked of the installation that goes."""
    theirs = await tables_of(store, set(metadata.tables) | {_VERSIONS})
    rasas = await tables_of(trackers, {event_table.events.name})
    filled = [table.name for table in theirs if table.name != _VERSIONS and await _has_rows(store, table)]
    filled += [table.name for table in rasas if await _has_rows(trackers, table)]
    if filled and not over_all:
        raise Refused(
            f"the database is not empty (there are rows in {', '.join(filled[:5])}{', …' if filled[5:] else ''}); "
            "restore into an empty one, or say --replace to lose what it holds"
        )
    asked: list[Seal] = []
    if filled:
        if await revision_of(store) != head():
            raise Refused(
                "the database has another schema than this Afterword, so that nobody can tell who opted out; "
                "run `uv run afterword migrate` first, or remove the database yourself"
            )
        async with _work(store, sealer) as tx:
            await keep_opt_outs(tx)
            asked = [replace(seal) for seal in await tx.seals.all() if seal.key_id == sealer.key_id]
    for connection, tables in ((trackers, rasas), (store, theirs)):
        for table in reversed(tables):
            await connection.run_sync(table.drop)
    return asked


async def load(store: AsyncConnection, trackers: AsyncConnection, file: Path, manifest: Manifest) -> None:
    """Put an archive into databases without tables, as the schema was, and bring that to the newest."""
    await upgrade(store, manifest.revision)
    await trackers.run_sync(event_table.metadata.create_all)
    for folder, connection, wanted in (
        (STORE, store, set(metadata.tables) - LEFT_OUT),
        (TRACKERS, trackers, {event_table.events.name}),
    ):
        for table in await tables_of(connection, wanted):
            member = f"{folder}{table.name}.jsonl"
            if member in manifest.members:
                await fill(connection, file, member, table)
    await upgrade(store)


async def erase_from_archive(settings: Settings, file: Path, seals: Iterable[Seal], *, now: datetime) -> int:
    """Write an archive anew without those who were erased since it was made; how many people that concerned.

    The new one takes the old one's place when it is whole. Raises Unusable when the old one cannot be read.
    """
    manifest, sealer = read_manifest(file, verify=True), sealer_of(settings)
    _must_fit(manifest, sealer)
    with tempfile.TemporaryDirectory(dir=file.parent, prefix=".erasing-") as folder:
        databases = Databases.within(Path(folder))
        async with databases.writing() as (store, trackers):
            await load(store, trackers, file, manifest)
            async with _work(store, sealer) as tx:
                for seal in seals:
                    await tx.seals.adopt(seal)
                erased = await erase_again(tx, since=manifest.taken_at, now=now)
                for conversation in sorted(id for one in erased for id in one.conversations):
                    await event_table.erase_in(trackers, conversation)
        if erased:
            secrets = next(rows_in(file, SECRETS)) if SECRETS in manifest.members else {}
            clean = Path(folder) / file.name
            await dump(databases, clean, key_id=sealer.key_id, secrets=secrets, now=manifest.taken_at)
            clean.replace(file)
    return len(erased)


async def archives_of(settings: Settings) -> list[Path]:
    """The archives that this installation has made and that are still where it put them."""
    async with Databases.of(settings).reading() as (store, _), _work(store, sealer_of(settings)) as tx:
        entries = await tx.all(AuditEntry, action=BACKED_UP)
    named = [Path(entry.detail["file"]) for entry in entries if "file" in entry.detail]
    here = sorted((settings.data_dir.absolute() / "backups").glob("*.zip"))
    return [file for file in dict.fromkeys([*named, *here]) if file.exists()]


@asynccontextmanager
async def _work(connection: AsyncConnection, sealer: Sealer) -> AsyncIterator[SqlUnitOfWork]:
    """A unit of work inside a transaction of others, which they commit."""
    map_entities()
    async with AsyncSession(bind=connection, expire_on_commit=False) as session:
        tx = SqlUnitOfWork(session, sealer)
        yield tx
        await tx.commit()


async def _has_rows(connection: AsyncConnection, table: Table) -> bool:
    return (await connection.execute(select(table).limit(1))).first() is not None


def _text(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value


def _instant(value: str | None) -> datetime | None:
    return datetime.fromisoformat(value) if value else None
