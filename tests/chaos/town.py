"""The processes of one installation, each of which may be killed at any moment and is started again at once."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from tests.e2e.house import ROOT

_PATIENCE = 120.0
_RASA = ("bot.rasa_compat", "run", "--model", str(Path("models") / "afterword.tar.gz"))


@dataclass(slots=True)
class Resident:
    """One process: how it is started, and the address that answers 200 when it is ready (a worker has none)."""

    name: str
    arguments: Sequence[str]
    ready_url: str | None = None
    process: asyncio.subprocess.Process | None = field(default=None)
    deaths: int = 0


class Town:
    """Everything that runs, under one environment, with one log a process in `logs`."""

    def __init__(self, residents: Sequence[Resident], environment: Mapping[str, str], logs: Path) -> None:
        self.residents = residents
        self._environment = environment
        self._logs = logs

    async def start(self) -> None:
        """Start everything and wait until it answers."""
        self._logs.mkdir(parents=True, exist_ok=True)
        for resident in self.residents:
            await self._spawn(resident)
        await self.until_ready()

    async def until_ready(self) -> None:
        """Wait until everything that has an address answers. Raises AssertionError, naming who does not."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
            await asyncio.gather(*(self._until_ready(session, resident) for resident in self.residents))

    async def kill(self, resident: Resident) -> None:
        """SIGKILL: no warning, no last words. It is started again at once, as a supervisor would."""
        assert resident.process is not None
        assert resident.process.returncode is None, f"{resident.name} died by itself; see {self._log(resident)}"
        resident.process.kill()
        await resident.process.wait()
        resident.deaths += 1
        await self._spawn(resident)

    async def stop(self) -> None:
        """End everything."""
        for resident in self.residents:
            if resident.process is not None and resident.process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    resident.process.send_signal(signal.SIGTERM)
        for resident in self.residents:
            if resident.process is None:
                continue
            try:
                await asyncio.wait_for(resident.process.wait(), 15)
            except TimeoutError:
                resident.process.kill()
                await resident.process.wait()

    async def _spawn(self, resident: Resident) -> None:
        with self._log(resident).open("ab") as log:
            resident.process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                *resident.arguments,
                cwd=ROOT,
                env=dict(self._environment),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=asyncio.subprocess.STDOUT,
            )

    async def _until_ready(self, session: aiohttp.ClientSession, resident: Resident) -> None:
        if resident.ready_url is None:
            return
        deadline = asyncio.get_running_loop().time() + _PATIENCE
        while asyncio.get_running_loop().time() < deadline:
            assert resident.process is not None
            assert resident.process.returncode is None, f"{resident.name} ended; see {self._log(resident)}"
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                async with session.get(resident.ready_url) as response:
                    if response.status == 200:
                        return
            await asyncio.sleep(0.2)
        raise AssertionError(f"{resident.name} was not ready within {_PATIENCE:.0f} s; see {self._log(resident)}")

    def _log(self, resident: Resident) -> Path:
        return self._logs / f"{resident.name}.log"


def residents(ports: Mapping[str, int], *, workers: int = 2) -> list[Resident]:
    """One edge, Rasa and action server, and some workers of their own."""
    return [
        Resident(
            "actions",
            ("bot.rasa_compat", "actions", "--port", str(ports["actions"])),
            f"http://127.0.0.1:{ports['actions']}/health",
        ),
        Resident("rasa", (*_RASA, "--port", str(ports["rasa"])), f"http://127.0.0.1:{ports['rasa']}/"),
        Resident("edge", ("bot", "edge"), f"http://127.0.0.1:{ports['edge']}/readyz"),
        *(Resident(f"worker-{number}", ("bot", "worker")) for number in range(1, workers + 1)),
    ]


def environment(ports: Mapping[str, int], data_dir: Path, settings: Mapping[str, str]) -> dict[str, str]:
    """What every process of a town is told; nothing of the caller's own installation leaks in."""
    inherited = {n: v for n, v in os.environ.items() if not n.startswith("AFTERWORD_") and n != "DATABASE_URL"}
    return {
        **inherited,
        "RASA_TELEMETRY_ENABLED": "false",
        "AFTERWORD_DATA_DIR": str(data_dir),
        "AFTERWORD_PORT": str(ports["edge"]),
        "AFTERWORD_WORKER": "false",
        "AFTERWORD_RASA_URL": f"http://127.0.0.1:{ports['rasa']}",
        "AFTERWORD_ACTIONS_URL": f"http://127.0.0.1:{ports['actions']}/webhook",
        **{f"AFTERWORD_{name.upper()}": value for name, value in settings.items()},
    }


class Reaper:
    """Kills somebody at random, again and again, until it has killed often enough or is told to stop."""

    def __init__(self, town: Town, chance: random.Random, *, every: float) -> None:
        self._town = town
        self._chance = chance
        self._every = every
        self.kills = 0

    async def reap(self, kills: int) -> None:
        """That many kills, about `every` seconds apart."""
        while self.kills < kills:
            await asyncio.sleep(self._chance.uniform(0.2, 1.8) * self._every)
            await self._town.kill(self._chance.choice(self._town.residents))
            self.kills += 1
