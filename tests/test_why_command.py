"""`afterword why`: an account for a terminal, over a real database."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bot.core.vocabulary import Medium
from bot.services.entities import Site
from bot.services.inbound import Received, receive_sms
from bot.services.workshop import Workshop
from bot.store.migrate import migrate
from bot.store.unit_of_work import SqlStore, create_engine
from bot.work.loop import Worker
from tests.conftest import Clock, FakeChannel, FakeDialogue, FakeWords

ROOT = Path(__file__).parents[1]
PHONE = "+447700900001"


@pytest.fixture
async def house(tmp_path: Path, clock: Clock, dialogue: FakeDialogue, sms: FakeChannel) -> Path:
    """The folder of a house in which somebody wrote STOP."""
    engine = create_engine(f"sqlite+aiosqlite:///{tmp_path / 'afterword.sqlite'}")
    await migrate(engine)
    shop = Workshop(SqlStore(engine), clock, dialogue, FakeWords(), {Medium.SMS: sms})
    async with shop.store() as tx:
        tx.add(Site(id="harbour", name="Harbour", zone="Europe/London"))
        await tx.commit()
    await receive_sms(shop, PHONE, Received("STOP", provider_id="SM1"))
    await Worker(shop).drain()
    await engine.dispose()
    return tmp_path


def asked(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What the command answers."""
    environment = {"AFTERWORD_DATA_DIR": str(folder), "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-m", "bot", "why", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


async def test_an_account_is_printed_in_plain_words(house: Path) -> None:
    """Who, how they stand, what happened, what is planned."""
    done = asked(house, "07700 900001")

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "+447700900001. Times are on their clock, UTC."
    assert "They opted out, Wed 4 Mar 2026, 12:00." in done.stdout
    assert "Wed 4 Mar 2026, 12:00  Opted out of messages by SMS: they wrote “STOP”." in done.stdout
    assert "Nothing is planned." in done.stdout


async def test_as_json_it_is_what_the_api_answers(house: Path) -> None:
    """For a script."""
    account = json.loads(asked(house, PHONE, "--json", "--since", "2026-03-04").stdout)

    assert account["phone"] == PHONE
    assert [item["kind"] for item in account["items"]] == ["consent", "message"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("banana",), "not a phone number; write it with its country"),
        (("+447700900999",), "nothing is known of this number"),
        ((PHONE, "--since", "soon"), "not a day; write it like 2026-03-01"),
    ],
)
async def test_what_cannot_be_told_is_one_line_that_says_what_to_do(
    house: Path, arguments: tuple[str, ...], said: str
) -> None:
    """And the command fails."""
    done = asked(house, *arguments)

    assert done.returncode == 1
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
