"""The bot that `rasa init` makes, on stock Rasa 3.6.21 with TensorFlow, in an environment and a folder of its own."""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from tests.e2e.house import free_port

HOME = Path("var/stock-rasa")
_SENDERS = itertools.count(1)


@asynccontextmanager
async def stock_turn() -> AsyncIterator[Callable[[], Awaitable[float]]]:
    """A turn of the stock bot over its REST channel, in milliseconds; made and trained on first use."""
    rasa = _installed()
    _trained(rasa)
    port = free_port()
    server = subprocess.Popen(
        [rasa, "run", "--port", str(port), "--interface", "127.0.0.1"],
        cwd=HOME / "bot",
        env=_environment(),
        stdout=(HOME / "run.log").open("wb"),
        stderr=subprocess.STDOUT,
    )
    try:
        async with aiohttp.ClientSession() as session:
            await _until_ready(session, port, server)

            async def turn() -> float:
                begun = time.time()
                message = {"sender": f"customer-{next(_SENDERS)}", "message": "hello"}
                async with session.post(f"http://127.0.0.1:{port}/webhooks/rest/webhook", json=message) as answer:
                    assert await answer.json(), "the stock bot said nothing"
                return (time.time() - begun) * 1000

            yield turn
    finally:
        server.terminate()
        server.wait(30)


def _installed() -> str:
    environment = HOME / "venv"
    rasa = environment / "bin" / "rasa"
    if not rasa.exists():
        uv = shutil.which("uv") or ".tools/uv/bin/uv"
        print("… installing stock Rasa 3.6.21 (Python 3.10, TensorFlow)", flush=True)
        subprocess.run([uv, "venv", "--no-config", "--python", _python(), str(environment)], check=True)
        python = str(environment / "bin" / "python")
        subprocess.run(
            [uv, "pip", "install", "--no-config", "--quiet", "--python", python, "rasa==3.6.21", "setuptools<81"],
            check=True,
        )
    return str(rasa.resolve())


def _python() -> str:
    known = sorted((Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions").glob("3.10*/bin/python"))
    return str(known[-1]) if known else "3.10"


def _trained(rasa: str) -> None:
    bot = HOME / "bot"
    if not list(bot.glob("models/*.tar.gz")):
        bot.mkdir(parents=True, exist_ok=True)
        print("… making and training the bot of `rasa init`", flush=True)
        with (HOME / "init.log").open("wb") as log:
            subprocess.run(
                [rasa, "init", "--no-prompt"], cwd=bot, env=_environment(), check=True, stdout=log, stderr=log
            )


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    return {**kept, "RASA_TELEMETRY_ENABLED": "false"}


async def _until_ready(session: aiohttp.ClientSession, port: int, server: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        if server.poll() is not None:
            raise RuntimeError(f"stock Rasa ended; see {HOME / 'run.log'}")
        try:
            async with session.get(f"http://127.0.0.1:{port}/webhooks/rest/") as answer:
                if answer.status == 200:
                    return
        except aiohttp.ClientError:
            pass
        await asyncio.sleep(0.2)
    raise RuntimeError("stock Rasa did not become ready")
