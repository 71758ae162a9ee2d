"""Everything about load in one table: `python -m benchmarks.load [--stock] [--quick]`, or `make bench-load`.

Turns of Rasa's side, due tasks and check-ins with a million pending, a burst of ten thousand webhooks, and the memory
of each process, on SQLite and PostgreSQL, each with its target where it has one. Ten to fifteen minutes on two cores;
with `--stock` the same bot on stock Rasa beside it (the first time some minutes and 2.5 GB more).
"""

from __future__ import annotations

import argparse
import asyncio

from benchmarks import burst, dialogue, due
from benchmarks.figures import Report

_LONGEST = 3600


async def measure(*, stock: bool, quick: bool) -> Report:
    """All lines."""
    report = Report()
    async with asyncio.timeout(_LONGEST):
        print("Rasa's turns", flush=True)
        await dialogue.measure(report, dialogue.QUICK if quick else dialogue.Effort(), stock=stock)
        print("Due tasks and check-ins", flush=True)
        await due.measure(report, due.QUICK if quick else due.Size(), rasa=True)
        print("A burst of webhooks", flush=True)
        await burst.measure(report, burst.QUICK if quick else burst.Size())
    return report


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stock", action="store_true", help="measure the same bot on stock Rasa beside it")
    parser.add_argument("--quick", action="store_true", help="a little of everything, to see that it works")
    options = parser.parse_args()
    report = asyncio.run(measure(stock=options.stock, quick=options.quick))
    print()
    print(report.table())


if __name__ == "__main__":
    main()
