"""`make chaos`: the long form of the chaos test on both databases; ends with 1 when the books of one do not balance."""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import uuid
from dataclasses import replace
from pathlib import Path

import asyncpg

from tests.chaos.run import FULL, Plan, Report, chaos

_POSTGRES = os.environ.get("AFTERWORD_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")


def main() -> int:
    """Run and report."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--database", choices=["sqlite", "postgresql", "both"], default="both")
    asked.add_argument("--customers", type=int, default=FULL.customers)
    asked.add_argument("--kills", type=int, default=FULL.kills)
    asked.add_argument("--seed", type=int, default=FULL.seed)
    given = asked.parse_args()
    plan = replace(FULL, customers=given.customers, kills=given.kills, seed=given.seed)
    names = ["sqlite", "postgresql"] if given.database == "both" else [given.database]
    reports = [asyncio.run(_run(name, plan)) for name in names]
    return int(any(report.faults for report in reports))


async def _run(name: str, plan: Plan) -> Report:
    print(f"… {name}: {plan.customers} customers, {plan.kills} kills, seed {plan.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="afterword-chaos-", delete=False) as folder:
        database = f"afterword_chaos_{uuid.uuid4().hex[:8]}"
        try:
            url = await _created(database) if name == "postgresql" else ""
            report = await chaos(url, Path(folder), plan, lambda said: print(f"  {said}", flush=True))
        finally:
            if name == "postgresql":
                await _administer(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')
    deaths = ", ".join(f"{who} {times}" for who, times in report.deaths.items())
    print(
        f"{name}: {sum(report.deaths.values())} kills ({deaths}); {report.counts['inbound']} texts in, "
        f"{report.counts['outbound']} out, {report.counts['cases']} cases, {report.seconds:.0f} s"
    )
    for fault in report.faults:
        print(f"  ✗ {fault}")
    print("  ✓ the books balance" if not report.faults else f"  the logs are in {folder}/log")
    return report


async def _created(database: str) -> str:
    await _administer(f'CREATE DATABASE "{database}"')
    return f"{_POSTGRES.rsplit('/', 1)[0]}/{database}"


async def _administer(statement: str) -> None:
    connection = await asyncpg.connect(_POSTGRES)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


if __name__ == "__main__":
    raise SystemExit(main())
