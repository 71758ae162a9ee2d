"""A tiny bot, trained once with the plain `rasa` command, and its two servers."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from bot import rasa_compat
from bot.dialogue.client import RasaDialogue

rasa_compat.install()

HERE = Path(__file__).parent
TOKEN = "a secret of the tests"
RASA = Path(sys.executable).with_name("rasa")


@dataclass(frozen=True)
class TinyBot:
    """A project folder with a trained model in `models`."""

    folder: Path
    environment: dict[str, str]

    def start(self, *command: str | Path) -> subprocess.Popen[str]:
        """Run a command in the project's folder."""
        return subprocess.Popen(
            [str(word) for word in command],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


def finish(process: subprocess.Popen[str]) -> str:
    """What a command printed, once it ended well."""
    printed, _ = process.communicate(timeout=600)
    assert process.returncode == 0, printed
    return printed


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def token() -> str:
    """The secret that Rasa and we share."""
    return TOKEN


@pytest.fixture(scope="session")
def tiny_bot(tmp_path_factory: pytest.TempPathFactory) -> TinyBot:
    """Trained once for all tests."""
    folder = tmp_path_factory.mktemp("rasa") / "bot"
    shutil.copytree(HERE / "tiny_bot", folder, ignore=shutil.ignore_patterns("__pycache__"))
    environment = {
        **os.environ,
        "AFTERWORD_RASA_TOKEN": TOKEN,
        "AFTERWORD_RASA_DATABASE_URL": f"sqlite:///{folder}/var/rasa.sqlite",
    }
    bot = TinyBot(folder, environment)
    finish(bot.start(RASA, "train", "--skip-validation", "--data", "nlu.yml", "rules.yml"))
    return bot


@pytest.fixture(scope="session")
def rasa_url(tiny_bot: TinyBot) -> Iterator[str]:
    """The address of a running Rasa, whose actions run too."""
    rasa_port, actions_port = free_port(), free_port()
    environment = {**tiny_bot.environment, "AFTERWORD_ACTIONS_URL": f"http://127.0.0.1:{actions_port}/webhook"}
    bot = TinyBot(tiny_bot.folder, environment)
    ours = (sys.executable, "-m", "bot.rasa_compat")
    servers = [
        bot.start(*ours, "actions", "--port", str(actions_port)),
        bot.start(*ours, "run", "--port", str(rasa_port)),
    ]
    try:
        wait_for(f"http://127.0.0.1:{actions_port}/health", servers[0])
        wait_for(f"http://127.0.0.1:{rasa_port}/", servers[1])
        yield f"http://127.0.0.1:{rasa_port}"
    finally:
        for server in servers:
            server.terminate()
        for server in servers:
            server.communicate(timeout=20)


def wait_for(url: str, process: subprocess.Popen[str]) -> None:
    """Return once the address answers; fail the test when its process ends."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        if process.poll() is not None:
            pytest.fail(f"The server ended: {process.communicate()[0]}")
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.1)
    pytest.fail(f"{url} did not answer.")


@pytest.fixture
async def rasa_http(rasa_url: str) -> AsyncIterator[aiohttp.ClientSession]:
    """A session at Rasa's address that knows the secret."""
    async with aiohttp.ClientSession(rasa_url, headers={"Authorization": f"Bearer {TOKEN}"}) as session:
        yield session


@pytest.fixture
async def dialogue(rasa_url: str) -> AsyncIterator[RasaDialogue]:
    """Our client at the running Rasa."""
    async with aiohttp.ClientSession() as session:
        yield RasaDialogue(session, [rasa_url], TOKEN)
