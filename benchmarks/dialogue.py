"""How many turns Rasa's side takes: our Rasa and our action server, called as the worker calls them.

`python -m benchmarks.dialogue [--stock] [--quick]`

Real processes; each turn is another customer's answer to their check-in, and its action writes the assessment to the
store. With `--stock` the same bot on stock Rasa 3.6.21 (`benchmarks.twin`) takes turns in between, and the ratio is
told: some minutes and 2.5 GB the first time.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import statistics
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import aiohttp

from benchmarks.business import Business
from benchmarks.figures import Report, Took, median_of, timed
from benchmarks.twin import twin
from bot.dialogue.client import RasaDialogue
from tests.e2e.house import House, living

WORDS = "everything was great, thank you"
TARGET_RATIO = 12
TARGET_P95 = 60
_METADATA = {
    "default_language": "en",
    "language": "en",
    "channel": "sms",
    "context": "check_in",
    "business": "Harbour Kitchen",
    "site": "Harbour",
    "customer_name": "Robin",
}

Turn = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured: at these many at once, so many turns each, so many times over."""

    at_once: tuple[int, ...] = (1, 8, 32)
    ours: int = 300
    stock: int = 48
    repeats: int = 3

    def turns(self) -> int:
        """How many turns of ours that needs, warming up included."""
        return len(self.at_once) * self.repeats * self.ours + 100


QUICK = Effort(at_once=(1, 2), ours=6, stock=6, repeats=1)


@asynccontextmanager
async def our_turns(house: House, many: int) -> AsyncIterator[Turn]:
    """A turn of ours; there are so many of them."""
    business = Business(f"sqlite+aiosqlite:///{house.data_dir / 'afterword.sqlite'}", datetime.now(UTC))
    await business.open(many)
    heard = iter(await business.hear(WORDS))
    async with aiohttp.ClientSession() as session:
        dialogue = RasaDialogue(session, [house.rasa_url], house.secrets["rasa_token"], timeout=60)

        async def turn() -> None:
            conversation, message = next(heard)
            answer = await dialogue.turn(conversation, message, WORDS, _METADATA)
            assert answer.utterances, "our bot said nothing"

        yield turn


@asynccontextmanager
async def stock_turns() -> AsyncIterator[Turn]:
    """A turn of the same bot on stock Rasa."""
    senders = itertools.count()
    async with twin() as say:

        async def turn() -> None:
            assert await say(f"customer-{next(senders)}", WORDS), "the stock bot said nothing"

        yield turn


async def measure(report: Report, effort: Effort, *, stock: bool) -> None:
    """Add the lines of this measurement."""
    with tempfile.TemporaryDirectory() as folder, living(Path(folder), demo=False) as house:
        async with our_turns(house, effort.turns()) as ours, stock_turns() if stock else nullcontext() as theirs:
            for warm in filter(None, (ours, theirs)):
                await timed(warm, at_once=2, times=6)
            for many in effort.at_once:
                await _measure(report, effort, many, house, ours, theirs)


async def _measure(report: Report, effort: Effort, many: int, house: House, ours: Turn, theirs: Turn | None) -> None:
    taken: list[Took] = []
    stock: list[Took] = []
    before = house.processor_seconds()
    for _ in range(effort.repeats):
        taken.append(await timed(ours, at_once=many, times=effort.ours))
        if theirs is not None:
            stock.append(await timed(theirs, at_once=many, times=effort.stock))
    after = house.processor_seconds()
    turns = effort.repeats * effort.ours
    spent = ", ".join(f"{name} {(after[name] - before[name]) * 1000 / turns:.1f}" for name in ("rasa", "actions"))
    middle = median_of(taken)
    of_rasa = (f"p95 <= {TARGET_P95} ms", middle.share(0.95) <= TARGET_P95) if many == 8 else ("", None)
    report.add(f"Rasa's turn with an action, {many} at once", f"{middle}; CPU ms a turn: {spent}", *of_rasa)
    if stock:
        ratio = statistics.median(mine.per_second / other.per_second for mine, other in zip(taken, stock, strict=True))
        target = (f">= {TARGET_RATIO}", ratio >= TARGET_RATIO) if many == 8 else ("", None)
        report.add(f"the same bot on stock Rasa, {many} at once", str(median_of(stock)))
        report.add(f"turns a second against stock Rasa, {many} at once", f"{ratio:.1f} times", *target)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stock", action="store_true", help="measure the same bot on stock Rasa beside it")
    parser.add_argument("--quick", action="store_true", help="a few turns only, to see that it works")
    options = parser.parse_args()
    report = Report()
    asyncio.run(measure(report, QUICK if options.quick else Effort(), stock=options.stock))
    print(report.table())


if __name__ == "__main__":
    main()
