"""The doctor on Twilio: what is missing, what is wrong, and what holds the sender back."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from bot.app import migrate_store, now, open_store
from bot.core.delivery import problem
from bot.core.pace import Pace
from bot.core.vocabulary import Medium
from bot.launch.doctor import Finding, examine
from bot.services.senders import declare, pause, resume
from bot.settings import Settings

ACCOUNT, SERVICE = "AC" + "0" * 32, "MG" + "0" * 32


def an_installation(folder: Path, **changes: str | float) -> Settings:
    """One that sends through Twilio, on a database of its own."""
    given: dict[str, object] = {
        "data_dir": folder,
        "port": 9,
        "rasa_url": "http://127.0.0.1:9",
        "public_url": "https://harbour.example",
        "twilio_account_sid": ACCOUNT,
        "twilio_auth_token": "token",
        "twilio_sender": SERVICE,
        **changes,
    }
    return Settings.model_validate(given)


async def finding(settings: Settings, what: str) -> Finding:
    """One of the doctor's findings."""
    return next(found for found in await examine(settings) if found.what == what)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "signed by SHA-1 with the auth token"),
        ({"twilio_shared_keys": "key_1=secret"}, "signed by SHA-256 with a shared key"),
    ],
)
async def test_a_whole_account_is_well(tmp_path: Path, changes: dict[str, str], said: str) -> None:
    """And the doctor says how its webhooks are signed."""
    found = await finding(an_installation(tmp_path, **changes), "Twilio")

    assert found.well
    assert said in found.said


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"twilio_sender": ""}, "set AFTERWORD_TWILIO_SENDER"),
        ({"twilio_auth_token": ""}, "set AFTERWORD_TWILIO_AUTH_TOKEN"),
        ({"public_url": "http://harbour.example"}, "must be https://HOST"),
        ({"public_url": "https://harbour.example/afterword"}, "must be https://HOST"),
    ],
)
async def test_what_is_missing_or_wrong_is_named(tmp_path: Path, changes: dict[str, str], said: str) -> None:
    """By the setting to change."""
    found = await finding(an_installation(tmp_path, **changes), "Twilio")

    assert not found.well
    assert said in found.said


async def test_the_sender_is_told_with_its_pace_and_its_pause(tmp_path: Path) -> None:
    """A service whose pace was guessed gets a hint; a pause is told with the way out, and gone when it was taken."""
    settings = an_installation(tmp_path)
    await migrate_store(settings)
    store = open_store(settings)
    await declare(store, Medium.SMS, SERVICE, Pace(1), now=now())

    healthy = await finding(settings, "Sender")
    async with store() as tx:
        await pause(tx, Medium.SMS, problem("30034"), now=now() - timedelta(hours=1))
        await tx.commit()
    held = await finding(settings, "Sender")
    await resume(store, Medium.SMS, now=now())
    again = await finding(settings, "Sender")
    await store.engine.dispose()

    assert healthy.well
    assert "AFTERWORD_TWILIO_SEGMENTS_PER_SECOND" in healthy.said
    assert not held.well
    assert "not registered with the carriers (30034)" in held.said
    assert "afterword resume" in held.said
    assert again.well
