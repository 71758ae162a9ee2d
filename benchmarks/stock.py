"""Stock Rasa 3.6.21 with TensorFlow, in an environment and a folder of its own, and the bot that `rasa init` makes."""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import aiohttp

from tests.e2e.house import free_port

HOME = Path("var/stock-rasa")
_SENDERS = itertools.count(1)

Say = Callable[[str, str], Awaitable[list[str]]]
"""A sender and their text in, the bot's texts out."""


@asynccontextmanager
async def stock_turn() -> AsyncIterator[Callable[[], Awaitable[float]]]:
    """A turn of the bot of `rasa init` over its REST channel, in milliseconds; made and trained on first use."""
    rasa = installed()
    _initialised(rasa)
    async with serving(HOME / "bot") as say:

        async def turn() -> float:
            begun = time.time()
            assert await say(f"customer-{next(_SENDERS)}", "hello"), "the stock bot said nothing"
            return (time.time() - begun) * 1000

        yield turn


@asynccontextmanager
async def serving(bot: Path) -> AsyncIterator[Say]:
    """`rasa run` over a trained bot; what its REST channel says."""
    port = free_port()
    with process(bot, "run", "--port", str(port), "--interface", "127.0.0.1") as server:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            await until_answering(session, f"http://127.0.0.1:{port}/webhooks/rest/", server)

            async def say(sender: str, text: str) -> list[str]:
                message = {"sender": sender, "message": text}
                async with session.post(f"http://127.0.0.1:{port}/webhooks/rest/webhook", json=message) as answer:
                    return [said["text"] for said in await answer.json()]

            yield say


@contextmanager
def process(bot: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A `rasa` command over a bot, ended afterwards; its log lies beside the bot."""
    server = subprocess.Popen(
        [installed(), *arguments],
        cwd=bot,
        env=environment(),
        stdout=bot.with_name(f"{bot.name}-{'-'.join(arguments[:2])}.log").open("wb"),
        stderr=subprocess.STDOUT,
    )
    try:
        yield server
    finally:
        server.terminate()
        try:
            server.wait(30)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


async def until_answering(session: aiohttp.ClientSession, url: str, server: subprocess.Popen[bytes]) -> None:
    """Return once that address answers. Raises RuntimeError when its process ends first, or after five minutes."""
    for _ in range(1500):
        if server.poll() is not None:
            raise RuntimeError(f"stock Rasa ended; see the logs in {HOME}")
        try:
            async with session.get(url) as answer:
                if answer.status == 200:
                    return
        except aiohttp.ClientError:
            pass
        await asyncio.sleep(0.2)
    raise RuntimeError(f"stock Rasa did not become ready; see the logs in {HOME}")


def installed() -> str:
    """The `rasa` command of the environment, which is made on first use."""
    folder = HOME / "venv"
    rasa = folder / "bin" / "rasa"
    if not rasa.exists():
        uv = shutil.which("uv") or ".tools/uv/bin/uv"
        print("… installing stock Rasa 3.6.21 (Python 3.10, TensorFlow)", flush=True)
        subprocess.run([uv, "venv", "--no-config", "--python", _python(), str(folder)], check=True)
        python = str(folder / "bin" / "python")
        subprocess.run(
            [uv, "pip", "install", "--no-config", "--quiet", "--python", python, "rasa==3.6.21", "setuptools<81"],
            check=True,
        )
    return str(rasa.resolve())


def _python() -> str:
    known = sorted((Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions").glob("3.10*/bin/python"))
    return str(known[-1]) if known else "3.10"


def _initialised(rasa: str) -> None:
    bot = HOME / "bot"
    if not list(bot.glob("models/*.tar.gz")):
        bot.mkdir(parents=True, exist_ok=True)
        print("… making and training the bot of `rasa init`", flush=True)
        with (HOME / "init.log").open("wb") as log:
            subprocess.run(
                [rasa, "init", "--no-prompt"], cwd=bot, env=environment(), check=True, stdout=log, stderr=log
            )


def environment() -> dict[str, str]:
    """Ours without what would point stock Rasa at our own Python."""
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    return {**kept, "RASA_TELEMETRY_ENABLED": "false", "SANIC_HOST": "127.0.0.1"}
