"""How long a turn takes: from the moment the edge is handed a customer's message until its reply is at the channel.

`python -m benchmarks.turns [--at-once 1 8] [--turns 40] [--stock]`

Real processes. This one stands for Twilio and calls the real webhook with a signature; the look-alike of Twilio's API
takes the reply, and the turn ends when it was taken. Each turn is a customer of its own who writes for the first time.
`satisfied` runs one custom action and answers once; `complaint` runs three, opens a case and hands over. "CPU ms a
turn" is what each process spent, the statuses after the reply included; the edge is the worker and the look-alike, too.
With `--stock`, the bot that `rasa init` makes is measured beside it over its REST channel, in an environment of its own
(Rasa 3.6.21 with TensorFlow on Python 3.10: some minutes and 2.5 GB the first time).
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import statistics
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

import aiohttp
from twilio.request_validator import SIGNATURE_HEADER, RequestValidator  # type: ignore[import-untyped]

from tests.e2e.house import House, living

TEXTS = {
    "satisfied": "all good, thanks!",
    "complaint": "it was fine I guess, bit of a wait though",
}
_NUMBERS = itertools.count(1)

Turn = Callable[[], Awaitable[float]]


async def measure(turn: Turn, *, at_once: int, turns: int) -> list[float]:
    """The milliseconds of `turns` turns, `at_once` running at any time."""
    left = itertools.repeat(None, turns)

    async def one_after_the_other() -> list[float]:
        return [await turn() for _ in left]

    taken = await asyncio.gather(*(one_after_the_other() for _ in range(at_once)))
    return [ms for some in taken for ms in some]


@asynccontextmanager
async def phones(session: aiohttp.ClientSession, house: House) -> AsyncIterator[Callable[[str], Turn]]:
    """Phones that write: given a text, one turn of Afterword as Twilio sees it.

    One stream tells of everything that reaches any phone, so that waiting for a reply costs the edge nothing.
    """
    waiting: dict[str, asyncio.Future[str]] = {}
    listener = asyncio.create_task(_listen(session, house.base_url, waiting))
    webhook = f"{house.base_url}/webhooks/twilio/sms"
    signer = RequestValidator(house.secrets["twilio_auth_token"])

    def writing(text: str) -> Turn:
        async def turn() -> float:
            phone = f"+4477009{next(_NUMBERS):05d}"
            waiting[phone] = asyncio.get_running_loop().create_future()
            form = {"MessageSid": f"SM{uuid.uuid4().hex}", "From": phone, "To": "+15005550006", "Body": text}
            signature = {SIGNATURE_HEADER: signer.compute_signature(webhook, form)}
            begun = time.time()
            async with session.post(webhook, data=form, headers=signature) as taken:
                taken.raise_for_status()
            replied_at = await asyncio.wait_for(waiting[phone], 60)
            return (datetime.fromisoformat(replied_at).timestamp() - begun) * 1000

        return turn

    try:
        await asyncio.sleep(0.5)
        yield writing
    finally:
        listener.cancel()


async def _listen(session: aiohttp.ClientSession, base_url: str, waiting: dict[str, asyncio.Future[str]]) -> None:
    async with session.get(f"{base_url}/simulator/events", timeout=aiohttp.ClientTimeout(total=None)) as stream:
        async for line in stream.content:
            if line.startswith(b"data:"):
                item = json.loads(line[5:])
                found = waiting.get(item.get("to", ""))
                if item.get("direction") == "out" and found is not None and not found.done():
                    found.set_result(item["at"])


def show(name: str, at_once: int, ms: list[float], taken: Mapping[str, float] | None = None) -> None:
    """One line of the table; `taken` are the seconds of processor time by process."""
    cut = statistics.quantiles(sorted(ms), n=100)
    each = ", ".join(f"{process} {seconds * 1000 / len(ms):.0f}" for process, seconds in (taken or {}).items())
    print(f"{name:<28} {at_once:>7} {len(ms):>6} {statistics.median(ms):>9.0f} {cut[94]:>8.0f} {cut[98]:>8.0f}  {each}")


async def run(at_once: list[int], turns: int, *, stock: bool) -> None:
    """Print the table."""
    print(f"{'scenario':<28} {'at once':>7} {'turns':>6} {'median ms':>9} {'p95 ms':>8} {'p99 ms':>8}  CPU ms a turn")
    with tempfile.TemporaryDirectory() as folder, living(Path(folder)) as house:
        async with aiohttp.ClientSession() as session, phones(session, house) as writing:
            for name, text in TEXTS.items():
                turn = writing(text)
                await measure(turn, at_once=2, turns=4)
                for many in at_once:
                    before = house.processor_seconds()
                    ms = await measure(turn, at_once=many, turns=turns)
                    await asyncio.sleep(1)  # what follows a reply, its statuses, belongs to its turn
                    after = house.processor_seconds()
                    show(name, many, ms, {process: after[process] - before.get(process, 0.0) for process in after})
    if stock:
        from benchmarks.stock import stock_turn

        async with stock_turn() as turn:
            await measure(turn, at_once=2, turns=4)
            for many in at_once:
                show("stock `rasa init`", many, await measure(turn, at_once=many, turns=turns))


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--at-once", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--turns", type=int, default=80, help="how many turns a line is measured on")
    parser.add_argument("--stock", action="store_true", help="measure the bot of `rasa init` beside it")
    options = parser.parse_args()
    asyncio.run(run(options.at_once, options.turns, stock=options.stock))


if __name__ == "__main__":
    main()
