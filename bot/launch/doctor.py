"""Looks at an installation and says what is wrong with it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import aiohttp

from bot.app import ROOT, open_store
from bot.dialogue.words import Words
from bot.launch.training import MODEL, fingerprint
from bot.settings import Settings
from bot.store.migrate import at_head


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: whether it is well, and what to do when it is not."""

    what: str
    well: bool
    said: str


async def examine(settings: Settings) -> list[Finding]:
    """Every finding, in the order in which they are worth mending."""
    checks: list[Callable[[Settings], Awaitable[Finding]]] = [_python, _database, _words, _model, _rasa, _edge, _twilio]
    return [await check(settings) for check in checks]


async def _python(settings: Settings) -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding("Python", (3, 12) <= sys.version_info[:2] < (3, 14), version)


async def _database(settings: Settings) -> Finding:
    store = open_store(settings)
    try:
        current = await asyncio.wait_for(at_head(store.engine), 5)
    except Exception as error:
        return Finding("Database", False, f"does not answer ({type(error).__name__}); check AFTERWORD_DATABASE_URL")
    finally:
        await store.engine.dispose()
    said = "has the newest schema" if current else "needs `uv run afterword migrate`"
    return Finding("Database", current, said)


async def _words(settings: Settings) -> Finding:
    names = Words.load(ROOT / "domain.yml", settings.language).names
    return Finding("Words", True, f"{len(names())} responses in domain.yml")


async def _model(settings: Settings) -> Finding:
    stamp = ROOT / "models" / f"{MODEL}.made-from"
    fresh = stamp.exists() and stamp.read_text() == fingerprint(ROOT)
    return Finding("Model", fresh, "matches its data" if fresh else "is missing or old: run `uv run afterword train`")


async def _rasa(settings: Settings) -> Finding:
    otherwise = "start it with `uv run afterword up` or `uv run afterword rasa`"
    found = [await _answers("Rasa", f"{url}/webhooks/afterword/readyz", otherwise) for url in settings.rasa_urls()]
    return Finding("Rasa", all(one.well for one in found), "; ".join(one.said for one in found))


async def _edge(settings: Settings) -> Finding:
    address = f"http://{settings.host}:{settings.port}/readyz"
    return await _answers("Edge", address, "start it with `uv run afterword up` or `uv run afterword edge`")


async def _twilio(settings: Settings) -> Finding:
    if settings.simulated:
        return Finding("Twilio", True, "texts go to the simulator")
    missing = [
        name for name in ("twilio_account_sid", "twilio_sender", "public_url") if not getattr(settings, name)
    ] + ([] if settings.twilio_auth_token.get_secret_value() else ["twilio_auth_token"])
    if missing:
        return Finding("Twilio", False, "set " + ", ".join(f"AFTERWORD_{name.upper()}" for name in missing))
    return Finding("Twilio", True, f"webhooks go to {settings.base_url()}/webhooks/twilio/sms")


async def _answers(what: str, url: str, otherwise: str) -> Finding:
    try:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=3)) as session, session.get(url) as answer:
            well = answer.status == 200
            return Finding(what, well, f"answers at {url}" if well else f"answers {answer.status} at {url}")
    except (aiohttp.ClientError, TimeoutError):
        return Finding(what, False, f"nothing answers at {url}; {otherwise}")
