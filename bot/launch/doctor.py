"""Looks at an installation and says what is wrong with it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp

from bot.app import ROOT, now, open_store, sealer_of
from bot.dialogue.words import Words
from bot.launch.training import MODEL, fingerprint
from bot.services.entities import Sender
from bot.services.senders import notices
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
    return [await check(settings) for check in _CHECKS]


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


async def _erased(settings: Settings) -> Finding:
    if not sealer_of(settings):
        said = (
            "nobody can be erased: set AFTERWORD_SUPPRESSION_KEY, to the output of `openssl rand -hex 32` for example"
        )
        return Finding("Erasure", not settings.production, said)
    store = open_store(settings)
    try:
        async with store(read_only=True) as tx:
            foreign = await asyncio.wait_for(tx.seals.foreign(), 5)
    except Exception:
        return Finding("Erasure", False, "cannot be looked at before the database is well")
    finally:
        await store.engine.dispose()
    otherwise = f"{foreign} marks were made with another AFTERWORD_SUPPRESSION_KEY: set that one again"
    return Finding("Erasure", not foreign, otherwise if foreign else "erased people's opt-outs are kept")


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
    public = urlsplit(settings.public_url)
    if public.scheme != "https" or public.path or public.query or public.fragment:
        wrong = "AFTERWORD_PUBLIC_URL must be https://HOST and no more: Twilio signs exactly what it calls"
        return Finding("Twilio", False, wrong)
    how = "SHA-256 with a shared key" if settings.shared_keys() else "SHA-1 with the auth token"
    return Finding("Twilio", True, f"webhooks go to {settings.base_url()}/webhooks/twilio/sms, signed by {how}")


async def _sender(settings: Settings) -> Finding:
    """How fast our sender may be, and whether its provider's errors hold it back."""
    store = open_store(settings)
    try:
        async with store(read_only=True) as tx:
            held, [sender, *_] = await notices(tx, now()), [*await tx.all(Sender), None]
    except Exception as error:
        return Finding("Sender", False, f"cannot be looked up ({type(error).__name__}); see Database above")
    finally:
        await store.engine.dispose()
    if held:
        until = held[0].until.isoformat(timespec="minutes")
        said = f"{held[0].words}, until {until}. When it is put right: `uv run afterword resume`"
        return Finding("Sender", False, said)
    pace = f"{sender.segments_per_second:g} segments a second" if sender else "has not been used yet"
    guessed = settings.twilio_sender.startswith("MG") and not settings.twilio_segments_per_second
    hint = "; set AFTERWORD_TWILIO_SEGMENTS_PER_SECOND to what the service's numbers may send together"
    return Finding("Sender", True, pace + (hint if guessed else ""))


async def _answers(what: str, url: str, otherwise: str) -> Finding:
    try:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=3)) as session, session.get(url) as answer:
            well = answer.status == 200
            return Finding(what, well, f"answers at {url}" if well else f"answers {answer.status} at {url}")
    except (aiohttp.ClientError, TimeoutError):
        return Finding(what, False, f"nothing answers at {url}; {otherwise}")


_CHECKS: tuple[Callable[[Settings], Awaitable[Finding]], ...] = (
    _python,
    _database,
    _erased,
    _words,
    _model,
    _rasa,
    _edge,
    _twilio,
    _sender,
)
