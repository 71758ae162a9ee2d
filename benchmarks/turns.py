"""How long a turn takes: from the moment the edge is handed a customer's message until its reply is at the channel.

`python -m benchmarks.turns [--at-once 1 8] [--turns 40] [--stock]`

Real processes, the real webhook with its signature, the look-alike of Twilio as the channel. Each turn is a customer
of its own who writes for the first time. `satisfied` runs one custom action and answers once; `complaint` runs three,
opens a case and hands over. The reply's time is when the look-alike took it. With `--stock`, the bot that `rasa init`
makes is measured beside it over its REST channel, in an environment of its own (Rasa 3.6.21 with TensorFlow on Python
3.10: some minutes and 2.5 GB the first time).
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

import aiohttp

from tests.e2e.house import living

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
async def phones(session: aiohttp.ClientSession, base_url: str) -> AsyncIterator[Callable[[str], Turn]]:
    """Phones that write: given a text, one turn of Afterword as the outside sees it.

    One stream tells of everything that reaches any phone, so that waiting for a reply costs the edge nothing.
    """
    waiting: dict[str, asyncio.Future[str]] = {}
    listener = asyncio.create_task(_listen(session, base_url, waiting))

    def writing(text: str) -> Turn:
        async def turn() -> float:
            phone = f"+4477009{next(_NUMBERS):05d}"
            waiting[phone] = asyncio.get_running_loop().create_future()
            begun = time.time()
            async with session.post(f"{base_url}/simulator/messages", json={"from": phone, "body": text}) as sent:
                sent.raise_for_status()
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


def show(name: str, at_once: int, ms: list[float]) -> None:
    """One line of the table."""
    ordered = sorted(ms)
    cut = statistics.quantiles(ordered, n=100)
    print(f"{name:<28} {at_once:>7} {len(ms):>6} {statistics.median(ms):>9.0f} {cut[94]:>8.0f} {cut[98]:>8.0f}")


async def run(at_once: list[int], turns: int, *, stock: bool) -> None:
    """Print the table."""
    print(f"{'scenario':<28} {'at once':>7} {'turns':>6} {'median ms':>9} {'p95 ms':>8} {'p99 ms':>8}")
    with tempfile.TemporaryDirectory() as folder, living(Path(folder)) as house:
        async with aiohttp.ClientSession() as session, phones(session, house.base_url) as writing:
            for name, text in TEXTS.items():
                turn = writing(text)
                await measure(turn, at_once=2, turns=4)
                for many in at_once:
                    show(name, many, await measure(turn, at_once=many, turns=turns))
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
