"""One day of chaos: customers are asked and answer, an agent helps, and all the while somebody pulls plugs."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
from aiohttp import web

from bot.app import SIMULATED_ACCOUNT, SIMULATED_NUMBER, bare_workshop, migrate_store
from bot.channels.simulator import Weather, create_lookalike, create_simulator
from bot.channels.simulator.lookalike import LOOKALIKE, Lookalike
from bot.core.vocabulary import Role
from bot.services.agents import add_agent, add_api_key
from bot.services.entities import Message, Site
from bot.settings import Settings, load
from tests.chaos.books import discrepancies, read_books, unsettled
from tests.chaos.people import STORIES, Api, Customer, Sam
from tests.chaos.town import Reaper, Town, environment, residents
from tests.e2e.house import free_port

_SETTLES_WITHIN = 300.0
_GRACE = timedelta(seconds=5)
"""A task that became due just now is not stuck."""
_PHONES = 4_477_009_00_000
_SECRETS = {"rasa_token": "r" * 32, "twilio_auth_token": "t" * 32, "identity_secret": "i" * 32}
_AGENT = "sam@example.org"
_PACE = {
    "contact_from": "00:00",
    "contact_until": "23:59:59.999999",
    "contact_cap": "1000",
    "contact_spacing_minutes": "0",
    "check_in_delay_minutes": "0",
    "follow_up_delay_minutes": "0.05",
    "follow_up_again_hours": "24",
    "bot_may_fail_seconds": "600",
}
"""A day without quiet hours, in which a bot that is being killed is waited for."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much happens. The same seed kills the same processes at the same pauses; the machine decides the rest."""

    customers: int
    kills: int
    every: float
    at_once: int
    seed: int
    lease_seconds: float
    listed_within_seconds: float
    catch_up_seconds: float
    faults: float
    """How often Twilio itself misbehaves, as a probability each time it could."""


SHORT = Plan(
    customers=14,
    kills=10,
    every=2.0,
    at_once=14,
    seed=1,
    lease_seconds=6,
    listed_within_seconds=6,
    catch_up_seconds=3,
    faults=0.03,
)
FULL = Plan(
    customers=280,
    kills=200,
    every=2.0,
    at_once=24,
    seed=1,
    lease_seconds=20,
    listed_within_seconds=20,
    catch_up_seconds=10,
    faults=0.03,
)


@dataclass(frozen=True, slots=True)
class Report:
    """What happened, and every way in which the books do not balance."""

    counts: dict[str, int]
    deaths: dict[str, int]
    seconds: float
    faults: list[str] = field(default_factory=list)


async def chaos(database_url: str, folder: Path, plan: Plan, tell: Callable[[str], None] = lambda _: None) -> Report:
    """Run a plan on an empty database, wait until everything has settled, and read the books."""
    began = asyncio.get_running_loop().time()
    ports = {name: free_port() for name in ("edge", "rasa", "actions", "twilio")}
    given = _settings(database_url, folder, ports, plan)
    settings = load({f"AFTERWORD_{name.upper()}": value for name, value in given.items()}, Path("nowhere.toml"))
    await migrate_store(settings)
    town = Town(residents(ports), environment(ports, folder, given), folder / "log")
    async with aiohttp.ClientSession() as session, _twilio(settings, ports["twilio"], session) as twilio:
        twilio.faults.weather = Weather(plan.faults, plan.seed)
        try:
            await town.start()
            tell(f"{len(town.residents)} processes are ready")
            customers = [Customer(f"+{_PHONES + n}", STORIES[n % len(STORIES)]) for n in range(plan.customers)]
            reaper = Reaper(town, random.Random(plan.seed), every=plan.every)
            await _live(session, settings, twilio, customers, reaper, plan, tell)
            await town.until_ready()
            faults = await _settle(settings, twilio, customers)
            evening = datetime.now(UTC) - _GRACE
        finally:
            await town.stop()
        async with bare_workshop(settings) as shop, shop.store(read_only=True) as tx:
            books = await read_books(tx, twilio.book)
        faults += discrepancies(books, customers, evening)
    deaths = Counter({resident.name: resident.deaths for resident in town.residents})
    return Report(books.counts, dict(deaths), asyncio.get_running_loop().time() - began, faults)


async def _live(
    session: aiohttp.ClientSession,
    settings: Settings,
    twilio: Lookalike,
    customers: list[Customer],
    reaper: Reaper,
    plan: Plan,
    tell: Callable[[str], None],
) -> None:
    """All customers, some at a time, while the reaper is about; it goes on until both are done."""
    api = Api(session, settings.base_url(), await _open_shop(settings))
    door, evening = asyncio.Semaphore(plan.at_once), asyncio.Event()
    done = 0

    async def visit(customer: Customer) -> None:
        nonlocal done
        async with door:
            await customer.live(api, twilio)
        done += 1
        tell(f"{done} of {len(customers)} customers are done, {reaper.kills} kills")

    async with asyncio.TaskGroup() as group:
        group.create_task(Sam(api, _AGENT).work(evening))
        reaping = group.create_task(reaper.reap(plan.kills))
        async with asyncio.TaskGroup() as visits:
            for customer in customers:
                visits.create_task(visit(customer))
        await reaping
        evening.set()


async def _open_shop(settings: Settings) -> str:
    """A site that is always open and one agent; the key to the API."""
    always = {day: [["00:00", "00:00"]] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}
    async with bare_workshop(settings) as shop:
        async with shop.store() as tx:
            tx.add(Site(id="harbour", name="Harbour Kitchen", zone="Europe/London", currency="GBP", weekly=always))
            await tx.commit()
        await add_agent(shop, email=_AGENT, name="Sam", password="a long enough password", role=Role.AGENT)
        return await add_api_key(shop, "chaos", "desk")


async def _settle(settings: Settings, twilio: Lookalike, customers: list[Customer]) -> list[str]:
    """Wait until nothing is under way any more; what still is after a long while is a fault."""
    deadline = asyncio.get_running_loop().time() + _SETTLES_WITHIN
    wanted = {sid for customer in customers for sid in customer.written}
    async with bare_workshop(settings) as shop:
        while True:
            await twilio.settle()
            left = await unsettled(shop)
            async with shop.store(read_only=True) as tx:
                known = {m.provider_id for m in await tx.all(Message) if m.provider_id}
            missing = wanted - known
            if not left and not missing:
                return []
            if asyncio.get_running_loop().time() > deadline:
                return [*left, *(f"text {sid} was never heard of" for sid in missing)]
            await asyncio.sleep(0.5)


def _settings(database_url: str, folder: Path, ports: dict[str, int], plan: Plan) -> dict[str, str]:
    own = database_url or f"sqlite:///{folder / 'afterword.sqlite'}"
    return {
        **_SECRETS,
        **_PACE,
        "data_dir": str(folder),
        "port": str(ports["edge"]),
        "database_url": own,
        "rasa_database_url": database_url or f"sqlite:///{folder / 'rasa.sqlite'}",
        "simulator_url": f"http://127.0.0.1:{ports['twilio']}",
        "lease_seconds": str(plan.lease_seconds),
        "catch_up_seconds": str(plan.catch_up_seconds),
        "listed_within_seconds": str(plan.listed_within_seconds),
    }


@asynccontextmanager
async def _twilio(settings: Settings, port: int, session: aiohttp.ClientSession) -> AsyncIterator[Lookalike]:
    """The look-alike, outside of everything that is killed: Twilio does not fall over when we do."""
    app = create_lookalike(
        settings.data_dir / "simulator.sqlite",
        SIMULATED_ACCOUNT,
        settings.twilio_auth_token.get_secret_value(),
        SIMULATED_NUMBER,
        f"{settings.base_url()}/webhooks/twilio/sms#rc=3&rp=all",
        f"{settings.base_url()}/webhooks/twilio/status#rc=3&rp=all",
        session,
    )
    outside = web.Application()
    outside.add_subapp("/simulator", create_simulator(app))
    runner = web.AppRunner(outside, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield app[LOOKALIKE]
    finally:
        await runner.cleanup()
