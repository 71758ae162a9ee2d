"""A backup is whole, sound and private, and either kind of database can be made of it."""

from __future__ import annotations

import asyncio
import json
import stat
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from bot.core.errors import Refused, Unusable
from bot.launch import backing_up
from bot.launch.backing_up import LEFT_OUT, back_up
from bot.launch.databases import Databases
from bot.launch.restoring import restore
from bot.services.entities import Message, Task
from bot.store.archive import MANIFEST, new_archive, read_manifest, rows_in
from bot.store.migrate import at_head, upgrade
from bot.store.tables import metadata
from tests.conftest import NOON
from tests.launch.conftest import KINDS, Builder, Home

CHANGED_BY_RESTORING = {"audit", "tasks"}


async def a_story(home: Home) -> None:
    """A lunch, a complaint, a resolved case, and what Rasa remembers of it."""
    sam = await home.house.hires()
    await home.house.serve(facts={"wait_minutes": 55, "note": 'Ünïcödé ☃ \u2028 and "quotes"', "amount": 42.25})
    case = await home.house.complains()
    await home.house.resolves(case, sam)
    await home.remembers(case.conversation_id, "an hour for a soup", "Ünïcödé ☃")


async def backed_up(home: Home, name: str = "backup.zip", **changed: Any) -> Path:
    """A backup of it."""
    file = home.settings.data_dir / name
    await back_up(home.settings, file, **{"with_secrets": False, "now": home.house.clock(), **changed})
    return file


@pytest.mark.parametrize("target", KINDS)
async def test_a_backup_becomes_either_kind_of_database(home: Home, builder: Builder, target: str) -> None:
    """Every row of every table as it was, Rasa's memory too; and what is new is numbered after what is old."""
    await a_story(home)
    file = await backed_up(home)
    there = await builder.at(await builder.settings(target))

    await restore(there.settings, file, over_all=False, now=home.house.later(minutes=1))

    assert await at_head(there.store.engine)
    for table in set(metadata.tables) - LEFT_OUT - CHANGED_BY_RESTORING:
        assert await there.rows(table) == await home.rows(table), table
    conversation = await there.house.conversation()
    assert await there.remembered(conversation.id) == ["an hour for a soup", "Ünïcödé ☃"]
    numbers = {task.id for task in await there.house.all(Task)}
    await there.house.writes("hello again", provider_id="SM-after")
    assert len(await there.house.all(Task)) > len(numbers)


async def test_who_was_logged_in_has_to_log_in_again(home: Home, builder: Builder) -> None:
    """A backup opens no session."""
    file = await backed_up(home)

    assert "store/logins.jsonl" not in read_manifest(file, verify=False).members


async def test_a_backup_taken_while_everything_is_written_is_of_one_moment(home: Home) -> None:
    """Of each conversation it holds as many messages as the conversation counts, although more come all the while."""
    await home.house.serve()
    done = asyncio.Event()

    async def go_on_writing() -> int:
        number = 0
        while not done.is_set():
            number += 1
            await home.house.arrives(f"message {number}")
        return number

    writing = asyncio.create_task(go_on_writing())
    files = [await backed_up(home, f"backup-{number}.zip") for number in range(4)]
    done.set()
    assert await writing > 4

    seen = []
    for file in files:
        counted = Counter(row["conversation_id"] for row in rows_in(file, "store/messages.jsonl"))
        said = {row["id"]: row["last_position"] for row in rows_in(file, "store/conversations.jsonl")}
        assert counted == said
        seen.append(sum(counted.values()))
    assert seen == sorted(seen)
    assert len(await home.house.all(Message)) >= seen[-1]


async def test_only_its_owner_may_read_it(home: Home) -> None:
    """Mode 600."""
    assert stat.S_IMODE((await backed_up(home)).stat().st_mode) == 0o600


async def test_what_is_cut_off_leaves_nothing_behind(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Never half a file, under no name."""
    await a_story(home)

    async def break_off(*_: object) -> Any:
        raise OSError("the disk is full")
        yield {}

    monkeypatch.setattr(backing_up, "rows_of", break_off)
    with pytest.raises(OSError, match="disk is full"):
        await backed_up(home)

    assert [path.name for path in home.settings.data_dir.iterdir() if "backup" in path.name] == []


async def test_an_archive_is_never_written_over(home: Home) -> None:
    """Neither a finished one nor one that somebody is writing."""
    file = await backed_up(home)
    with pytest.raises(Refused, match="there already"):
        await backed_up(home)

    (file.parent / "other.zip.part").touch()
    with pytest.raises(Refused, match="remove it"):
        await backed_up(home, "other.zip")


async def test_the_secrets_are_in_it_only_when_asked_for(home: Home, builder: Builder) -> None:
    """Then another place can start with nothing but the file."""
    await home.house.writes("STOP")
    plain, full = await backed_up(home), await backed_up(home, "full.zip", with_secrets=True)
    secret = home.settings.suppression_key.get_secret_value()
    with zipfile.ZipFile(plain) as archive:
        assert not any(secret.encode() in archive.read(name) for name in archive.namelist())

    there = await builder.settings("sqlite", key="")
    await restore(there, full, over_all=False, now=NOON)

    kept = there.data_dir / "secrets.json"
    assert json.loads(kept.read_text())["suppression_key"] == secret
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


async def test_a_damaged_archive_is_refused(home: Home, builder: Builder) -> None:
    """Cut short, changed in the middle, or with a member that is not the one that was written."""
    await a_story(home)
    file = await backed_up(home)
    whole = file.read_bytes()
    there = await builder.settings("sqlite")

    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(Unusable, match="damaged"):
        await restore(there, file, over_all=False, now=NOON)
    middle = len(whole) // 3
    file.write_bytes(whole[:middle] + bytes([whole[middle] ^ 0xFF]) + whole[middle + 1 :])
    with pytest.raises(Unusable):
        await restore(there, file, over_all=False, now=NOON)
    file.write_bytes(whole)
    exchanged(file, "store/customers.jsonl", b"{}\n")
    with pytest.raises(Unusable, match=r"customers\.jsonl"):
        await restore(there, file, over_all=False, now=NOON)
    file.write_text("not an archive")
    with pytest.raises(Unusable, match="no archive"):
        await restore(there, file, over_all=False, now=NOON)
    with pytest.raises(Unusable, match="no file"):
        await restore(there, file.with_name("missing"), over_all=False, now=NOON)


def exchanged(file: Path, member: str, content: bytes) -> None:
    """Replace one member of an archive."""
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(file, "w") as archive:
        for name, old in members.items():
            archive.writestr(name, content if name == member else old)


async def test_an_archive_of_an_older_schema_is_migrated(home: Home, builder: Builder) -> None:
    """It is filled in as its schema was."""
    old = await builder.settings("sqlite")
    async with Databases.of(old).writing() as (store, _):
        await upgrade(store, "0001")
        await store.execute(text("INSERT INTO sites VALUES ('s', 'Old Quay', 'UTC', 'EUR', '{}', '[]')"))
    file = old.data_dir / "old.zip"
    await back_up(old, file, with_secrets=False, now=NOON)
    assert read_manifest(file, verify=True).revision == "0001"

    await restore(home.settings, file, over_all=True, now=NOON)

    assert await at_head(home.store.engine)
    assert [row[1] for row in await home.rows("sites")] == ["Old Quay"]


async def test_an_archive_of_a_newer_schema_is_refused(home: Home, builder: Builder) -> None:
    """It says what to do."""
    file = await backed_up(home)
    with zipfile.ZipFile(file) as archive:
        said = json.loads(archive.read(MANIFEST))
    exchanged(file, MANIFEST, json.dumps({**said, "revision": "9999"}).encode())

    with pytest.raises(Unusable, match=r"9999.*install that version"):
        await restore(await builder.settings("sqlite"), file, over_all=False, now=NOON)


async def test_there_must_be_something_to_back_up(builder: Builder) -> None:
    """No file, or no tables."""
    settings = await builder.settings("sqlite")
    with pytest.raises(Unusable, match="AFTERWORD_DATA_DIR"):
        await back_up(settings, settings.data_dir / "x.zip", with_secrets=False, now=NOON)
    (settings.data_dir / "afterword.sqlite").touch()
    with pytest.raises(Unusable, match="migrate"):
        await back_up(settings, settings.data_dir / "x.zip", with_secrets=False, now=NOON)


async def test_a_filled_database_is_refused_and_a_failed_restoration_changes_nothing(home: Home) -> None:
    """All or nothing, also with `--replace`: rows that contradict each other take everything back."""
    await a_story(home)
    file = await backed_up(home)
    with pytest.raises(Refused, match="--replace"):
        await restore(home.settings, file, over_all=False, now=NOON)

    before = {table: await home.rows(table) for table in metadata.tables}
    broken = home.settings.data_dir / "broken.zip"

    async def orphan() -> Any:
        yield {"id": "d", "message_id": "nobody's", "status": "sent", "error_code": None, "at": NOON.isoformat()}

    manifest = read_manifest(file, verify=False)
    with new_archive(broken) as archive:
        await archive.add("store/deliveries.jsonl", orphan())
        archive.close(taken_at=NOON, revision=manifest.revision, key_id=manifest.key_id)
    with pytest.raises(Exception, match=r"(?i)foreign key"):
        await restore(home.settings, broken, over_all=True, now=NOON)

    assert {table: await home.rows(table) for table in metadata.tables} == before
    assert await home.remembered((await home.house.conversation()).id) == ["an hour for a soup", "Ünïcödé ☃"]
