"""The processes of one machine: start them, wait until each answers, start again what dies, stop all in order."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from bot.core.errors import Unusable
from bot.launch.progress import say, step
from bot.serving import port_must_be_free

_PATIENCE = 90.0
_GRACE = 30.0


@dataclass(slots=True)
class Program:
    """One process: how it is started, the address that answers 200 once it is ready, and the setting of its port."""

    name: str
    arguments: Sequence[str]
    ready_url: str
    port: int
    setting: str
    process: asyncio.subprocess.Process | None = field(default=None)
    restarts: int = 0


def must_be_free(host: str, programs: Sequence[Program]) -> None:
    """Raises Unusable, naming the port and what to do, when something else listens where a program would."""
    for program in programs:
        port_must_be_free(host, program.port, what=program.name, choose=program.setting)


class Household:
    """All programs together. `logs` receives one file a program."""

    def __init__(self, programs: Sequence[Program], environment: Mapping[str, str], logs: Path) -> None:
        self._programs = programs
        self._environment = {**os.environ, **environment}
        self._logs = logs
        self._stopping = asyncio.Event()
        self._watchers: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Start everything at once and wait until all of it answers. Raises Unusable with the end of its log if not."""
        with step("Starting " + ", ".join(program.name for program in self._programs)):
            for program in self._programs:
                await self._spawn(program)
            await asyncio.gather(*(self._until_ready(program) for program in self._programs))
        self._watchers = [asyncio.create_task(self._watch(program)) for program in self._programs]

    async def run_until_stopped(self) -> None:
        """Until Ctrl-C or SIGTERM."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stopping.set)
        await self._stopping.wait()

    async def stop(self) -> None:
        """Ask every program to end, the edge first so that nothing new comes in; end by force what does not listen."""
        self._stopping.set()
        for watcher in self._watchers:
            watcher.cancel()
        for program in reversed(self._programs):
            _signal(program, signal.SIGTERM)
        for program in self._programs:
            if program.process is None:
                continue
            try:
                await asyncio.wait_for(program.process.wait(), _GRACE)
            except TimeoutError:
                _signal(program, signal.SIGKILL)
                await program.process.wait()

    async def _spawn(self, program: Program) -> None:
        with (self._logs / f"{program.name}.log").open("ab") as log:
            program.process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                *program.arguments,
                env=self._environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
            )

    async def _until_ready(self, program: Program) -> None:
        deadline = asyncio.get_running_loop().time() + _PATIENCE
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session:
            while asyncio.get_running_loop().time() < deadline:
                if program.process is None or program.process.returncode is not None:
                    raise Unusable(f"{program.name} ended at once. {self._last_words(program)}")
                if await _answers(session, program.ready_url):
                    return
                await asyncio.sleep(0.1)
        raise Unusable(f"{program.name} did not answer within {_PATIENCE:.0f} s. {self._last_words(program)}")

    async def _watch(self, program: Program) -> None:
        while True:
            assert program.process is not None
            code = await program.process.wait()
            program.restarts += 1
            pause = min(30.0, 0.5 * 2**program.restarts)
            say(f"! {program.name} ended (code {code}); starting it again in {pause:.0f} s. See {self._log(program)}")
            await asyncio.sleep(pause)
            await self._spawn(program)

    def _log(self, program: Program) -> Path:
        return self._logs / f"{program.name}.log"

    def _last_words(self, program: Program) -> str:
        lines = self._log(program).read_text(encoding="utf-8", errors="replace").strip().splitlines()[-6:]
        return f"The end of {self._log(program)} says:\n  " + "\n  ".join(lines)


def _signal(program: Program, number: signal.Signals) -> None:
    if program.process is not None and program.process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            program.process.send_signal(number)


async def _answers(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(url) as response:
            return response.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False
