"""How many due tasks a worker takes, and how many check-ins it decides and queues, with a million pending.

`python -m benchmarks.due [--quick] [--rasa]`

SQLite and PostgreSQL. The worker is ours, in a process of its own, with its own loop, claims and leases; what is
counted is what the database holds afterwards. A claim is measured with nothing to do but to finish. A check-in is
decided before there are words and again when they are written (consent, opt-out, hours, cap, staleness, collisions,
with its trace), and its message and the tasks that send it and judge its silence are written. Words cost nothing, so
that the store is what is measured; with `--rasa` once more from a real Rasa.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from datetime import time as clock_time
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.business import Business, count
from benchmarks.databases import KINDS, answers, database
from benchmarks.figures import Report, resident_mb
from benchmarks.plans import plan_of
from bot.core.check_in import ContactPolicy
from bot.core.dialogue import Parsed, Turn, Utterance
from bot.core.hours import ContactWindow
from bot.dialogue.client import RasaDialogue
from bot.dialogue.words import Words
from bot.services.check_ins import send_check_in
from bot.services.entities import Task
from bot.services.ports import Dialogue
from bot.services.workshop import Rules, Workshop
from bot.store.due_table import ANY_DUE, DUE
from bot.store.unit_of_work import SqlStore, async_url, create_engine
from bot.work.loop import Worker
from tests.e2e.house import ROOT, living

INDEX = "ix_tasks_due"
_UNRESTRAINED = ContactPolicy(ContactWindow(clock_time(0), clock_time(23, 59, 59)), cap=1_000, spacing=timedelta(0))
"""Each repeat asks the same customers again."""
_PATIENCE = 240.0
_SENT = "SELECT count(*) FROM check_ins WHERE state = 'sent'"
_QUEUED = "SELECT count(*) FROM messages WHERE direction = 'out'"


@dataclass(frozen=True, slots=True)
class Size:
    """How much there is."""

    customers: int = 100_000
    pending: int = 1_000_000
    claims: int = 2_000
    check_ins: int = 1_000
    with_rasa: int = 300
    repeats: int = 3


QUICK = Size(customers=200, pending=1_000, claims=200, check_ins=60, with_rasa=5, repeats=1)


@dataclass(frozen=True, slots=True)
class Worked:
    """So many tasks a second, and the worker's memory at its end, in MB."""

    per_second: float
    memory: float


class Ready:
    """A dialogue that has its words ready."""

    async def trigger(self, conversation_id: str, occasion: str, intent: str, slots: Mapping[str, Any]) -> Turn:
        """The question."""
        return Turn((Utterance(f"Hi {slots['customer_name']}, how was everything?", "utter_check_in"),))

    async def turn(self, conversation_id: str, message_id: str, text: str, metadata: Mapping[str, Any]) -> Turn:
        """Nobody writes here."""
        raise NotImplementedError

    async def parse(self, items: Sequence[Mapping[str, Any]]) -> list[Parsed]:
        """Nobody writes here."""
        raise NotImplementedError

    async def resume(self, conversation_id: str) -> None:
        """Nobody hands anything back here."""

    async def ready(self) -> bool:
        """Always."""
        return True


async def measure(report: Report, size: Size, on: Sequence[str] = KINDS, *, rasa: bool) -> None:
    """Add the lines of this measurement."""
    for kind in on:
        if not await answers(kind):
            report.add(f"due tasks on {kind}", "no server answers")
            continue
        async with database(kind) as url:
            await _measure_on(report, size, kind, url, rasa=rasa)


async def _measure_on(report: Report, size: Size, kind: str, url: str, *, rasa: bool) -> None:
    business = Business(async_url(url), datetime.now(UTC))
    await business.open(size.customers)
    due = size.repeats * size.check_ins + (size.with_rasa if rasa else 0)
    # What is due comes in parts, so that each repeat begins with the same.
    await business.plan_check_ins(pending=size.pending, due=0)
    await business.settle()
    name = "SQLite" if kind == "sqlite" else "PostgreSQL"
    engine = create_engine(async_url(url))
    plans = [await plan_of(engine, query, scans=size.pending > 100_000) for query in (DUE, ANY_DUE)]
    await engine.dispose()
    report.add(
        f"{name}: what is due is found by {INDEX}, nothing is scanned",
        "yes" if all(INDEX in plan and "SCAN tasks" not in plan and "Seq Scan" not in plan for plan in plans) else "no",
    )
    claims = [await _claims(business, url, size.claims) for _ in range(size.repeats)]
    report.add(f"{name}: due tasks claimed and finished", f"{_middle(claims).per_second:.0f}/s")
    asked = [await _check_ins(business, url, size.check_ins, "", "") for _ in range(size.repeats)]
    middle = _middle(asked)
    report.add(f"{name}: check-ins decided and queued", f"{middle.per_second:.0f}/s")
    report.add(f"{name}: memory of the worker meanwhile", f"{middle.memory:.0f} MB")
    if rasa:
        with tempfile.TemporaryDirectory() as folder, living(Path(folder), demo=False) as house:
            asked_rasa = await _check_ins(business, url, size.with_rasa, house.rasa_url, house.secrets["rasa_token"])
        report.add(f"{name}: check-ins decided and queued, words from Rasa", f"{asked_rasa.per_second:.0f}/s")
    sent, queued = await count(async_url(url), _SENT), await count(async_url(url), _QUEUED)
    assert sent == queued == due, f"{due} check-ins were due, {sent} are sent, {queued} messages are queued"


def _middle(repeats: Sequence[Worked]) -> Worked:
    return sorted(repeats, key=lambda worked: worked.per_second)[len(repeats) // 2]


async def _claims(business: Business, url: str, many: int) -> Worked:
    await business.plan_tasks(many, kind="note")
    return await _in_a_process(_claim_and_finish, url, many)


async def _check_ins(business: Business, url: str, many: int, rasa_url: str, token: str) -> Worked:
    await business.plan_check_ins(pending=0, due=many)
    return await _in_a_process(_ask, url, many, rasa_url, token)


async def _in_a_process(work: Any, *arguments: Any) -> Worked:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        worked: Worked = await asyncio.get_running_loop().run_in_executor(pool, work, *arguments)
        return worked


def _claim_and_finish(url: str, many: int) -> Worked:
    """In a process of its own: a worker whose tasks are done when they are begun."""
    done = Countdown(many)

    async def finish(shop: Workshop, task: Task) -> None:
        async with shop.store() as tx:
            await tx.tasks.finish(task)
            await tx.commit()
        done.less(1)

    async def work() -> Worked:
        shop = _shop(url, Ready())
        worker = Worker(shop, handlers={"note": finish}, chores=())
        return await _until(done, worker, shop, many)

    return asyncio.run(work())


def _ask(url: str, many: int, rasa_url: str, token: str) -> Worked:
    """In a process of its own: a worker that asks; nothing is sent, so that the outbox is what is measured."""
    done = Countdown(many)

    async def never(shop: Workshop, task: Task) -> None:
        await asyncio.Event().wait()

    async def ask(shop: Workshop, task: Task) -> None:
        await send_check_in(shop, task)
        done.less(1)

    async def work() -> Worked:
        async with aiohttp.ClientSession() as session:
            dialogue: Dialogue = RasaDialogue(session, [rasa_url], token) if rasa_url else Ready()
            shop = _shop(url, dialogue)
            worker = Worker(shop, handlers={"send_check_in": ask, "send_message": never}, chores=())
            return await _until(done, worker, shop, many)

    return asyncio.run(work())


class Countdown:
    """Tells when so many things have happened."""

    def __init__(self, many: int) -> None:
        self._left = many
        self._over: asyncio.Event | None = None

    def less(self, many: int) -> None:
        """So many happened."""
        self._left -= many
        if self._left <= 0 and self._over is not None:
            self._over.set()

    async def over(self) -> None:
        """Return when all have."""
        self._over = self._over or asyncio.Event()
        if self._left > 0:
            await self._over.wait()


async def _until(done: Countdown, worker: Worker, shop: Workshop, many: int) -> Worked:
    assert isinstance(shop.store, SqlStore)
    begun = time.perf_counter()
    running = asyncio.create_task(worker.run())
    async with asyncio.timeout(_PATIENCE):
        await done.over()
    seconds = time.perf_counter() - begun
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await shop.store.engine.dispose()
    return Worked(many / seconds, resident_mb(os.getpid()))


def _shop(url: str, dialogue: Dialogue) -> Workshop:
    return Workshop(
        store=SqlStore(create_engine(async_url(url))),
        clock=lambda: datetime.now(UTC),
        dialogue=dialogue,
        words=Words.load(ROOT / "domain.yml", "en"),
        channels={},
        rules=Rules(languages=frozenset({"en"}), contact=_UNRESTRAINED),
    )


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a thousand pending, to see that it works")
    parser.add_argument("--rasa", action="store_true", help="check-ins once more with words from a real Rasa")
    parser.add_argument("--on", choices=KINDS, nargs="+", default=list(KINDS), help="on which databases")
    options = parser.parse_args()
    report = Report()
    asyncio.run(measure(report, QUICK if options.quick else Size(), options.on, rasa=options.rasa))
    print(report.table())


if __name__ == "__main__":
    main()
