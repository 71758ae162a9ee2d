"""`afterword up`: from a fresh clone to a printed address."""

from __future__ import annotations

import asyncio
import os
import time

from bot.app import ROOT
from bot.core.errors import Unusable
from bot.launch.demo import prepare_demo
from bot.launch.processes import Household, Program, must_be_free
from bot.launch.progress import say, step
from bot.launch.secrets import ensure_secrets
from bot.launch.simulator import port_of
from bot.launch.training import ensure_model
from bot.settings import PREFIX, Settings, load

# In the demo nobody sleeps and everything happens soon: the stranger who tries it should not wait for the morning.
_DEMO_PACE = {
    "contact_from": "00:00",
    "contact_until": "23:59:59.999999",
    "contact_cap": "1000",
    "contact_spacing_minutes": "0",
    "check_in_delay_minutes": "0",
    "follow_up_delay_minutes": "0.5",
    "silence_after_hours": "0.5",
}


def run_up(*, demo: bool, begun: float) -> None:
    """Set up, start and look after everything until Ctrl-C. `begun` is when the person pressed Enter (Unix time)."""
    settings = load()
    environment = _environment(settings, demo=demo)
    os.environ.update(environment)
    settings = load()
    programs = _programs(settings)
    must_be_free(settings.host, programs)
    logs = settings.data_dir / "log"
    logs.mkdir(parents=True, exist_ok=True)
    ensure_model(ROOT, logs)
    asyncio.run(_live(settings, Household(programs, environment, logs), demo=demo, begun=begun))


async def _live(settings: Settings, household: Household, *, demo: bool, begun: float) -> None:
    with step("Preparing the database" + (" and the demo business" if demo else "")):
        await prepare_demo(settings, load_business=demo)
    try:
        await household.start()
        _welcome(settings, demo=demo, took=time.time() - begun)
        await household.run_until_stopped()
        say("Stopping.")
    finally:
        await household.stop()


def _environment(settings: Settings, *, demo: bool) -> dict[str, str]:
    """What the processes must agree on; what the person set themselves stays as they set it."""
    data_dir = settings.data_dir.resolve()
    wanted = {"data_dir": str(data_dir), **ensure_secrets(data_dir), **(_DEMO_PACE if demo else {})}
    wanted["rasa_database_url"] = settings.rasa_sql_url()
    return {
        **{
            PREFIX + name.upper(): value
            for name, value in wanted.items()
            if PREFIX + name.upper() not in os.environ and name not in settings.model_fields_set
        },
        "RASA_TELEMETRY_ENABLED": "false",
        PREFIX + "RASA_URL": settings.rasa_url,
        PREFIX + "ACTIONS_URL": settings.actions_url,
        PREFIX + "DATA_DIR": str(data_dir),
    }


def _programs(settings: Settings) -> list[Program]:
    rasa, actions = _port(settings.rasa_url), _port(settings.actions_url)
    return [
        *_simulator(settings),
        Program(
            "actions",
            ("bot", "actions", "--port", str(actions)),
            f"http://127.0.0.1:{actions}/readyz",
            actions,
            "AFTERWORD_ACTIONS_URL",
        ),
        Program(
            "rasa",
            ("bot", "rasa", "--port", str(rasa)),
            f"http://127.0.0.1:{rasa}/webhooks/afterword/readyz",
            rasa,
            "AFTERWORD_RASA_URL",
        ),
        Program(
            "edge", ("bot", "edge"), f"http://{settings.host}:{settings.port}/readyz", settings.port, "AFTERWORD_PORT"
        ),
    ]


def _simulator(settings: Settings) -> list[Program]:
    """The look-alike of Twilio, where it is wanted beside the edge and not in it."""
    port = port_of(settings.simulator_url)
    if port is None or not settings.simulated:
        return []
    arguments = ("bot", "simulator", "--port", str(port))
    return [Program("simulator", arguments, f"{settings.simulator_url}/livez", port, "AFTERWORD_SIMULATOR_URL")]


def _port(url: str) -> int:
    """The port in one address. Raises Unusable for several: `up` starts one of each."""
    if "," in url:
        raise Unusable(f"`afterword up` starts one of each process, and {url} names several; start them one by one")
    return int(url.split("://", 1)[1].split("/", 1)[0].rsplit(":", 1)[1])


def _welcome(settings: Settings, *, demo: bool, took: float) -> None:
    url = settings.base_url()
    say()
    say(f"Afterword is ready after {took:.1f} s. Ctrl-C stops everything.")
    say()
    say(f"  Start here      {url}/")
    if settings.simulated:
        say(f"  A phone         {url}/simulator")
        say(f"  A website       {url}/demo")
    say(f"  The desk        {url}/desk")
    say(f"  The API         {url}/docs")
    if demo:
        say()
        for line in demo_logins(settings):
            say(line)
    say()


def demo_logins(settings: Settings) -> list[str]:
    """The desk logins of the demo, one a line."""
    from bot.launch.demo import read_demo

    return [
        f"  Log in as       {who['email']}  {who['password']}  ({who['role']})" for who in read_demo(settings)["desk"]
    ]
