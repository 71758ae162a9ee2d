"""A whole Afterword in real processes, in a folder and on ports of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

ROOT = Path(__file__).resolve().parents[2]
PROCESSES = {"bot rasa": "rasa", "bot actions": "actions", "bot edge": "edge", "bot simulator": "simulator"}
"""How each process of a house is told by its command line."""


@dataclass
class House:
    """The running processes, as the outside sees them."""

    base_url: str
    data_dir: Path
    process: subprocess.Popen[str]
    environment: Mapping[str, str]

    @property
    def rasa_url(self) -> str:
        """Where its Rasa answers."""
        return self.environment["AFTERWORD_RASA_URL"]

    @property
    def secrets(self) -> dict[str, str]:
        """What the processes share and nobody else knows."""
        content: dict[str, str] = json.loads((self.data_dir / "secrets.json").read_text(encoding="utf-8"))
        return content

    @property
    def demo(self) -> dict[str, Any]:
        """What `demo.json` says."""
        content: dict[str, Any] = json.loads((self.data_dir / "demo.json").read_text(encoding="utf-8"))
        return content

    def api(self, method: str, path: str, body: Any = None, **headers: str) -> requests.Response:
        """One call of the JSON API with the demo's key."""
        headers["Authorization"] = f"Bearer {self.demo['api_key']}"
        return requests.request(method, f"{self.base_url}/api/v1{path}", json=body, headers=headers, timeout=30)

    def text(self, phone: str, body: str) -> None:
        """Write one SMS as the customer with that phone."""
        sent = requests.post(f"{self.base_url}/simulator/messages", json={"from": phone, "body": body}, timeout=30)
        sent.raise_for_status()

    def phone(self, phone: str) -> list[dict[str, Any]]:
        """What is on that phone, oldest first."""
        answer = requests.get(f"{self.base_url}/simulator/messages", params={"phone": phone}, timeout=30)
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    def received(self, phone: str) -> list[str]:
        """The texts that phone received."""
        return [item["body"] for item in self.phone(phone) if item["direction"] == "out"]

    def command(self, *words: str) -> str:
        """What a command of this installation prints; it must end well."""
        done = subprocess.run(
            [sys.executable, "-m", "bot", *words],
            cwd=ROOT,
            env=dict(self.environment),
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
        )
        assert done.returncode == 0, f"{words[0]}: {done.stdout}{done.stderr}"
        return done.stdout

    def processor_seconds(self) -> dict[str, float]:
        """The processor time each process of this house has taken so far, by its log's name."""
        taken: dict[str, float] = {}
        for name, pid in self._processes():
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks = int(fields[11]) + int(fields[12])
            taken[name] = taken.get(name, 0.0) + ticks / os.sysconf("SC_CLK_TCK")
        return taken

    def resident_mb(self) -> dict[str, float]:
        """The memory in RAM of each process of this house, in MB, by its log's name."""
        return {name: _resident_kb(pid) / 1024 for name, pid in self._processes()}

    def _processes(self) -> Iterator[tuple[str, int]]:
        for pid in _descendants(self.process.pid):
            command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
            yield next((name for words, name in PROCESSES.items() if words in command), "other"), pid

    def kill(self, words: str) -> None:
        """End, without a warning, the process of this house whose command line has these words."""
        for pid in _descendants(self.process.pid):
            command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
            if words in command:
                os.kill(pid, signal.SIGKILL)


def eventually[T](look: Callable[[], T], *, within: float = 30.0, every: float = 0.1) -> T:
    """What `look` sees once it sees something; fails with the last sight when it never does."""
    deadline = time.monotonic() + within
    while True:
        seen = look()
        if seen:
            return seen
        if time.monotonic() > deadline:
            raise AssertionError(f"nothing within {within} s; last seen: {seen!r}")
        time.sleep(every)


@contextmanager
def living(data_dir: Path, settings: Mapping[str, str] | None = None, *, demo: bool = True) -> Iterator[House]:
    """A house that is ready, and gone afterwards; without the demo it is empty."""
    ports = {name: free_port() for name in ("edge", "rasa", "actions")}
    environment = {
        **bare_environment(),
        "AFTERWORD_DATA_DIR": str(data_dir),
        "AFTERWORD_PORT": str(ports["edge"]),
        "AFTERWORD_RASA_URL": f"http://127.0.0.1:{ports['rasa']}",
        "AFTERWORD_ACTIONS_URL": f"http://127.0.0.1:{ports['actions']}/webhook",
        **(settings or {}),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "bot", "up", *(() if demo else ("--no-demo",))],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        _wait_until_ready(process)
        yield House(f"http://127.0.0.1:{ports['edge']}", data_dir, process, environment)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            for pid in (*_descendants(process.pid), process.pid):
                os.kill(pid, signal.SIGKILL)
            raise


def bare_environment() -> dict[str, str]:
    """This process's environment without any setting of ours."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("AFTERWORD_") and name != "DATABASE_URL"
    }


@dataclass
class Process:
    """One process of ours, `afterword ARGUMENTS`: started, asked whether it is ready, told to stop, started anew.

    What it says goes to `log`. `ready_url` answers 200 when it is ready.
    """

    name: str
    arguments: Sequence[str]
    ready_url: str
    environment: Mapping[str, str]
    log: Path
    popen: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Begin; it is not ready yet."""
        with self.log.open("ab") as log:
            self.popen = subprocess.Popen(
                [sys.executable, "-m", "bot", *self.arguments],
                cwd=ROOT,
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def wait_until_ready(self, *, within: float = 600.0) -> None:
        """Return once it says that it is ready; fails with the end of its log when it ends instead."""
        eventually(self._ready, within=within)

    def stop(self, *, within: float = 40.0) -> None:
        """Tell it to stop, and see that it left by itself and in order."""
        assert self.popen is not None
        self.popen.terminate()
        assert self.popen.wait(within) == 0, f"{self.name} ended with {self.popen.returncode}:\n{self.last_words()}"

    def kill(self) -> None:
        """End it without a warning, if it runs."""
        if self.popen is not None and self.popen.poll() is None:
            self.popen.kill()
            self.popen.wait(10)

    def last_words(self) -> str:
        """The end of its log."""
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-30:])

    def _ready(self) -> bool:
        assert self.popen is not None
        assert self.popen.poll() is None, f"{self.name} ended:\n{self.last_words()}"
        try:
            return requests.get(self.ready_url, timeout=5).status_code == 200
        except requests.RequestException:
            return False


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _resident_kb(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def _wait_until_ready(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        if "is ready after" in line:
            return
    raise AssertionError("`afterword up` ended before it was ready:\n" + "".join(said))


def _descendants(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children")
    if not children.exists():
        return []
    found = [int(child) for child in children.read_text().split()]
    return [*found, *(grandchild for child in found for grandchild in _descendants(child))]
