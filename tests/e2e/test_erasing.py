"""A person's whole story in real processes, erased while they run: then every byte of everything is searched for it."""

from __future__ import annotations

import asyncio
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
import requests

from tests.databases import empty_database
from tests.e2e.business import LATE, ask, finished
from tests.e2e.chat import Visitor
from tests.e2e.house import House, eventually, living

pytestmark = pytest.mark.e2e

ROBIN, KIM = "+447700901900", "+447700901901"
HERS = "gallimaufry"
"""A word of somebody else, which must still be there."""
THEIRS = ("snollygoster", "flibbertigibbet", "quockerwodger", "xylophagous", "zoanthropy", "absquatulate", "Rumpel")
NOTATIONS = (ROBIN, ROBIN.removeprefix("+"), "7700901900", "07700 901900", "7700 901900")


def tells_a_whole_story(house: House) -> list[str]:
    """Robin is served twice, complains by SMS and writes on the web; Sam works the case. The ids of all that."""
    customer = {**finished(ROBIN)["customer"], "name": "Rumpel", "preferences": ["absquatulate"]}
    event = ask(house, finished(ROBIN, customer=customer, facts={**LATE, "note": "zoanthropy"}))
    eventually(lambda: house.received(ROBIN))
    house.text(ROBIN, "an hour for a cold soup and the snollygoster was rude. my phone is 07700 901900")
    case_id = str(eventually(lambda: house.api("GET", f"/service-events/{event['id']}").json()["case_id"]))
    agent = {"agent": house.demo["desk"][0]["email"]}
    house.api("POST", f"/cases/{case_id}/claim", agent)
    reply = {**agent, "text": "Sorry about that quockerwodger."}
    assert house.api("POST", f"/cases/{case_id}/replies", reply, **{"Idempotency-Key": "reply-1"}).status_code == 200
    step = {**agent, "state": "done", "note": "xylophagous"}
    assert house.api("POST", f"/cases/{case_id}/steps/act", step).status_code == 200
    labels_the_verdict(house, case_id)
    identity = requests.get(f"{house.base_url}/demo/identity", params={"customer": f"c-{ROBIN}"}, timeout=30).json()
    visitor = Visitor(house, identity["identity"])
    visitor.say("the flibbertigibbet again, and it was cold", "one")
    eventually(lambda: len(visitor.thread()) > 1)
    return [event["id"], event["customer_id"], event["conversation_id"], visitor.conversation_id, case_id]


def labels_the_verdict(house: House, case_id: str) -> None:
    """Sam says at the desk that the detector was right."""
    sam = house.demo["desk"][0]
    with requests.Session() as desk:
        desk.post(f"{house.base_url}/desk/login", data={"email": sam["email"], "password": sam["password"]}, timeout=30)
        page = desk.get(f"{house.base_url}/desk/cases/{case_id}", timeout=30).text
        csrf = re.search(r'name="csrf" value="([^"]+)"', page)
        address = re.search(r"/desk/assessments/[0-9a-f]+/verdict", page)
        assert csrf
        assert address
        form = {"csrf": csrf[1], "unhappy": "yes"}
        labelled = desk.post(f"{house.base_url}{address[0]}", data=form, timeout=30, allow_redirects=False)
        assert labelled.status_code in (200, 303), labelled.text


def said_by_kim(house: House) -> None:
    """Somebody else, whose story stays whole."""
    ask(house, finished(KIM, facts=LATE))
    eventually(lambda: house.received(KIM))
    house.text(KIM, f"the {HERS} was cold and we waited an hour")
    eventually(lambda: len(house.received(KIM)) > 2)


def everything(data_dir: Path) -> Iterator[tuple[str, bytes]]:
    """Every file of the data folder byte by byte, and what is packed in archives."""
    for path in sorted(data_dir.rglob("*")):
        if path.is_file():
            yield str(path), path.read_bytes()
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                for name in archive.namelist():
                    yield f"{path}:{name}", archive.read(name)


async def every_row(url: str) -> bytes:
    """Every row of every table of a PostgreSQL database, as text."""
    connection = await asyncpg.connect(url)
    tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    rows = [row[0] for (table,) in tables for row in await connection.fetch(f'SELECT t::text FROM "{table}" t')]
    await connection.close()
    return "\n".join(rows).encode()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_an_erased_person_is_nowhere_any_more(kind: str, tmp_path: Path, postgres: str | None) -> None:
    """No byte of any file and no column of any table knows their number, their words or their identifiers."""
    async with empty_database(kind, tmp_path / "unused", postgres) as url:
        plain = url.replace("+asyncpg", "")
        there = {"DATABASE_URL": plain, "AFTERWORD_RASA_DATABASE_URL": plain} if kind == "postgresql" else {}
        house, ids = await asyncio.to_thread(_live_and_erase, tmp_path / "var", there)

        found = dict(everything(tmp_path / "var"))
        if kind == "postgresql":
            found["postgresql"] = await every_row(plain)
        before = str(tmp_path / "var" / "backups" / "before.zip")
        restored = await asyncio.to_thread(house.command, "restore", before, "--replace", "--yes")

    assert "Erased again: 0 customers" in restored, "the archive was written anew without them"
    kept = [name for name, content in found.items() if HERS.encode() in content]
    assert any(name.endswith(("afterword.sqlite", "postgresql")) for name in kept)
    assert any(name.endswith(("rasa.sqlite", "postgresql")) for name in kept)
    assert any("before.zip" in name for name in kept)
    assert any("after.zip" in name for name in kept)
    for word in (*NOTATIONS, *THEIRS, *ids):
        assert [name for name, content in found.items() if _has(content, word)] == _tombstones(word, ids, found)


def _has(content: bytes, word: str) -> bool:
    return word.lower().encode() in content.lower()


def _tombstones(word: str, ids: list[str], found: dict[str, bytes]) -> list[str]:
    """Where a conversation's random number may stay: in the empty event that keeps Rasa from beginning it again."""
    conversations = ids[2:4]
    kept = ("rasa.sqlite", "rasa_events.jsonl", "postgresql")
    return [name for name in found if word in conversations and name.endswith(kept) and _has(found[name], word)]


def _live_and_erase(data_dir: Path, settings: dict[str, str]) -> tuple[House, list[str]]:
    with living(data_dir, settings) as house:
        said_by_kim(house)
        ids = tells_a_whole_story(house)
        kim_before = house.phone(KIM)
        house.text(ROBIN, "STOP")
        house.command("backup", str(data_dir / "backups" / "before.zip"))

        exported = json.loads(house.command("export", "07700 901900"))
        assert {word for word in THEIRS if word in json.dumps(exported)} == set(THEIRS)
        assert exported["tracker_events"]
        assert exported["verdict_labels"]
        assert HERS not in json.dumps(exported)
        listed = house.command("erase", ROBIN)
        assert "Nothing was changed" in listed
        assert house.phone(ROBIN)

        house.text(ROBIN, "one more about the snollygoster")
        erased = house.command("erase", ROBIN, "--yes")
        assert "is erased" in erased
        assert not [word for word in (*NOTATIONS, *THEIRS) if word in listed + erased]

        assert house.api("GET", f"/cases/{ids[-1]}").status_code == 404
        assert house.api("GET", f"/conversations/{ids[2]}").status_code == 404
        assert house.api("GET", f"/service-events/{ids[0]}").status_code == 404
        assert house.phone(ROBIN) == []
        assert house.phone(KIM) == kim_before
        house.text(KIM, "thanks for asking")
        house.command("backup", str(data_dir / "after.zip"))
    return house, ids
