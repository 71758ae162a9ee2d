"""A burst of customers writing at once: signed webhooks as fast as the edge takes them, and none of them lost.

`python -m benchmarks.burst [--quick]`

SQLite and PostgreSQL, the real edge hosting its worker, Rasa and the action server beside it, all in one machine with
this process, which stands for Twilio over 64 connections. Each message is from a customer of its own, every tenth is
sent twice. Afterwards every message is counted in the store, and the first of them are followed until each was handled
exactly once. Memory is that of each process, before, after the burst, and after some thousand turns.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import aiohttp
from twilio.request_validator import SIGNATURE_HEADER, RequestValidator  # type: ignore[import-untyped]

from benchmarks.business import count
from benchmarks.databases import KINDS, answers, database
from benchmarks.figures import Report, Took
from bot.store.unit_of_work import async_url
from tests.e2e.house import House, living

WORDS = "everything was great, thank you"
TARGET_P99 = 500
_KEPT = "SELECT count(*) FROM messages WHERE direction = 'in'"
_HANDLED = "SELECT count(*) FROM tasks WHERE kind = 'handle_message' AND state = 'done'"
_ASSESSED = "SELECT count(*) FROM assessments"
_ANSWERED_TWICE = (
    "SELECT count(*) FROM (SELECT in_reply_to FROM messages WHERE direction = 'out' AND in_reply_to IS NOT NULL "
    "GROUP BY in_reply_to HAVING count(*) > 1) AS twice"
)


@dataclass(frozen=True, slots=True)
class Size:
    """How many webhooks, over how many connections, and how many seconds the worker is followed afterwards."""

    webhooks: int = 10_000
    connections: int = 64
    followed: int = 2_000
    patience: float = 150.0


QUICK = Size(webhooks=60, connections=8, followed=60, patience=60.0)


@dataclass(frozen=True, slots=True)
class Webhook:
    """One request of Twilio, signed before the clock starts."""

    body: bytes
    headers: Mapping[str, str]


def signed(url: str, token: str, number: int) -> Webhook:
    """A message of the customer with that number."""
    form = {
        "MessageSid": f"SM{number:032x}",
        "From": f"+447{number:09d}",
        "To": "+15005550006",
        "Body": WORDS,
    }
    signature = RequestValidator(token).compute_signature(url, form)
    headers = {SIGNATURE_HEADER: signature, "Content-Type": "application/x-www-form-urlencoded"}
    return Webhook(urlencode(form).encode(), headers)


async def post_all(house: House, size: Size) -> Took:
    """Post them, each of the connections as soon as it is answered. Raises when one is refused."""
    url = f"{house.base_url}/webhooks/twilio/sms"
    token = house.secrets["twilio_auth_token"]
    webhooks = [signed(url, token, number) for number in range(size.webhooks)]
    twice = list(itertools.chain.from_iterable((one, one) if n % 10 == 0 else (one,) for n, one in enumerate(webhooks)))
    left, ms = iter(twice), []
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=size.connections)) as session:

        async def post() -> None:
            for webhook in left:
                begun = time.perf_counter()
                async with session.post(url, data=webhook.body, headers=webhook.headers) as answer:
                    answer.raise_for_status()
                    await answer.read()
                ms.append((time.perf_counter() - begun) * 1000)

        begun = time.perf_counter()
        await asyncio.gather(*(post() for _ in range(size.connections)))
        return Took(ms, time.perf_counter() - begun)


async def measure(report: Report, size: Size, on: Sequence[str] = KINDS) -> None:
    """Add the lines of this measurement."""
    for kind in on:
        name = "SQLite" if kind == "sqlite" else "PostgreSQL"
        if not await answers(kind):
            report.add(f"the burst on {name}", "no server answers")
            continue
        async with database(kind) as url:
            with tempfile.TemporaryDirectory() as folder:
                settings = {"AFTERWORD_DATABASE_URL": url, "AFTERWORD_BOT_MAY_FAIL_SECONDS": "100000"}
                with living(Path(folder), settings, demo=False) as house:
                    await _measure_on(report, size, name, async_url(url), house)


async def _measure_on(report: Report, size: Size, name: str, url: str, house: House) -> None:
    report.add(f"{name}: memory when idle", _memory(house))
    took = await post_all(house, size)
    kept, handled = await count(url, _KEPT), await count(url, _HANDLED)
    assert kept == size.webhooks, f"{size.webhooks} messages were sent and {kept} are kept"
    report.add(f"{name}: a burst of {size.webhooks} webhooks, {size.connections} at once", str(took))
    p99 = took.share(0.99)
    report.add(f"{name}: the burst's p99", f"{p99:.0f} ms", f"< {TARGET_P99} ms", p99 < TARGET_P99)
    report.add(f"{name}: messages lost", f"{size.webhooks - kept} of {size.webhooks}", "0", kept == size.webhooks)
    report.add(f"{name}: handled by the worker during the burst", f"{handled}")
    report.add(f"{name}: memory after the burst", _memory(house))
    begun = time.perf_counter()
    wanted = min(size.webhooks, handled + size.followed)
    async with asyncio.timeout(size.patience):
        while (done := await count(url, _HANDLED)) < wanted:  # noqa: ASYNC110 - it happens in another process
            await asyncio.sleep(0.5)
    seconds = time.perf_counter() - begun
    assessed, twice = await count(url, _ASSESSED), await count(url, _ANSWERED_TWICE)
    assert assessed >= done, f"{done} messages were handled and only {assessed} assessed"
    assert twice == 0, f"{twice} messages were answered twice"
    report.add(f"{name}: turns a second afterwards, from webhook to reply", f"{(done - handled) / seconds:.0f}/s")
    report.add(f"{name}: handled twice, of {done}", f"{twice}", "0", twice == 0)
    report.add(f"{name}: memory after {done} turns", _memory(house))


def _memory(house: House) -> str:
    return ", ".join(f"{name} {mb:.0f} MB" for name, mb in sorted(house.resident_mb().items()))


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="some webhooks only, to see that it works")
    parser.add_argument("--on", choices=KINDS, nargs="+", default=list(KINDS), help="on which databases")
    options = parser.parse_args()
    report = Report()
    asyncio.run(measure(report, QUICK if options.quick else Size(), options.on))
    print(report.table())


if __name__ == "__main__":
    main()
