"""The portable archive: a whole database in one file that either kind of database can be made from.

A zip with one member of JSON lines for each table and a `manifest.json` that names the schema's revision, the moment
the snapshot was taken, and the checksum and number of rows of every member. Rows are streamed both ways, so that the
memory needed does not grow with the database. Tables are read from the database itself, not from the code: an archive
of an older schema is filled in as that schema was, and migrated then. See docs/adr/0010-one-archive.md.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
import zlib
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from itertools import batched
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Connection, DateTime, Float, MetaData, Numeric, Table, func, inspect, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core.errors import Refused, Unusable

FORMAT = 1
MANIFEST = "manifest.json"
_BATCH = 1000
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an archive says of itself. `members` are the checksum (SHA-256) and number of rows of each, by name."""

    taken_at: datetime
    revision: str
    key_id: str
    members: dict[str, dict[str, Any]]
    format: int = FORMAT

    @property
    def rows(self) -> int:
        """How many rows there are in all."""
        return sum(int(member["rows"]) for member in self.members.values())


@dataclass(slots=True)
class ArchiveWriter:
    """An archive that is being written."""

    zip: zipfile.ZipFile
    members: dict[str, dict[str, Any]] = field(default_factory=dict)

    async def add(self, name: str, rows: AsyncIterator[dict[str, Any]]) -> None:
        """One member, a JSON object a line."""
        digest, number = hashlib.sha256(), 0
        with self.zip.open(name, "w", force_zip64=True) as member:
            async for row in rows:
                line = json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
                digest.update(line)
                member.write(line)
                number += 1
        self.members[name] = {"rows": number, "sha256": digest.hexdigest()}

    def close(self, *, taken_at: datetime, revision: str, key_id: str) -> Manifest:
        """The last member: what the others are."""
        manifest = Manifest(taken_at, revision, key_id, self.members)
        said = {
            "format": FORMAT,
            "taken_at": taken_at.isoformat(),
            "revision": revision,
            "key_id": key_id,
            "members": self.members,
        }
        self.zip.writestr(MANIFEST, json.dumps(said, indent=2))
        return manifest


@contextmanager
def new_archive(path: Path) -> Iterator[ArchiveWriter]:
    """An archive for this account only (mode 600), which has its name once it is whole, on the disk and found sound.

    Raises Refused when there is such a file already, or another one is being written for that name.
    """
    if path.exists():
        raise Refused(f"{path} is there already; choose another name, or remove it")
    draft = path.with_name(path.name + ".part")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise Refused(f"{draft} is there: another backup is at work, or one was cut off; remove it then") from error
    try:
        with os.fdopen(descriptor, "w+b") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
                yield ArchiveWriter(archive)
            file.flush()
            os.fsync(file.fileno())
        read_manifest(draft, verify=True)
        draft.rename(path)
        _sync_folder(path.parent)
    finally:
        draft.unlink(missing_ok=True)


def read_manifest(path: Path, *, verify: bool) -> Manifest:
    """What an archive says of itself; with `verify` every byte is compared with that.

    Raises Unusable when the file is missing, no archive of ours, of a newer format, or not as it was written.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            said = json.loads(archive.read(MANIFEST))
            if said["format"] > FORMAT:
                raise Unusable(f"{path} was made by a newer Afterword (format {said['format']}); restore it with that")
            manifest = Manifest(
                datetime.fromisoformat(said["taken_at"]), said["revision"], said["key_id"], said["members"]
            )
            for name, member in manifest.members.items() if verify else ():
                if _digest(archive, name) != member["sha256"]:
                    raise Unusable(f"{path} is damaged: {name} is not what was written; use another backup")
    except FileNotFoundError as error:
        raise Unusable(f"there is no file {path}") from error
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError) as error:
        raise Unusable(f"{path} is damaged or no archive: {error}; use another backup") from error
    except (KeyError, ValueError, TypeError) as error:
        raise Unusable(f"{path} is not an archive made by `afterword backup`") from error
    return manifest


def _digest(archive: zipfile.ZipFile, name: str) -> str:
    digest = hashlib.sha256()
    with archive.open(name) as member:
        while chunk := member.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


async def tables_of(connection: AsyncConnection, wanted: Collection[str]) -> list[Table]:
    """The tables of these names that the database has, as it has them, each after those it points at."""

    def reflect(sync: Connection) -> list[Table]:
        there, found = set(inspect(sync).get_table_names()), MetaData()
        found.reflect(sync, only=sorted(there & set(wanted)))
        return [table for table in found.sorted_tables if table.name in wanted]

    return await connection.run_sync(reflect)


async def rows_of(connection: AsyncConnection, table: Table) -> AsyncIterator[dict[str, Any]]:
    """A table's rows as JSON, in the order of the primary key, a batch in memory at a time."""
    query = select(table).order_by(*table.primary_key.columns)
    async with connection.stream(query, execution_options={"yield_per": _BATCH}) as result:
        async for row in result.mappings():
            yield {name: _to_json(value) for name, value in row.items()}


async def fill(connection: AsyncConnection, archive: Path, member: str, table: Table) -> int:
    """Put the rows of a member into a table that is empty; how many they are."""
    columns, number = {column.name: column for column in table.columns}, 0
    naive = connection.dialect.name == "sqlite"
    with zipfile.ZipFile(archive) as file, file.open(member) as lines:
        for some in batched(lines, _BATCH):
            rows = [
                {name: _from_json(columns[name], value, naive=naive) for name, value in json.loads(line).items()}
                for line in some
            ]
            await connection.execute(table.insert(), rows)
            number += len(rows)
    await _continue_numbers(connection, table)
    return number


def rows_in(archive: Path, member: str) -> Iterator[dict[str, Any]]:
    """The rows of a member."""
    with zipfile.ZipFile(archive) as file, file.open(member) as lines:
        yield from map(json.loads, lines)


async def _continue_numbers(connection: AsyncConnection, table: Table) -> None:
    """PostgreSQL numbers new rows from a counter of its own: it goes on after the greatest number put in."""
    if connection.dialect.name != "postgresql":
        return
    for column in table.primary_key.columns:
        counter = await connection.scalar(
            text("SELECT pg_get_serial_sequence(:table, :column)"), {"table": table.name, "column": column.name}
        )
        greatest = await connection.scalar(select(func.max(column))) if counter else None
        if greatest is not None:
            await connection.execute(text("SELECT setval(:counter, :last)"), {"counter": counter, "last": greatest})


def _to_json(value: Any) -> Any:
    if isinstance(value, datetime):
        return (value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()
    return str(value) if isinstance(value, Decimal) else value


def _from_json(column: Column[Any], value: Any, *, naive: bool) -> Any:
    if value is None:
        return None
    if isinstance(column.type, DateTime):
        instant = datetime.fromisoformat(value)
        return instant.replace(tzinfo=None) if naive else instant
    if isinstance(column.type, Numeric) and not isinstance(column.type, Float):
        return Decimal(value)
    return value
