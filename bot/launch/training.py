"""Train the model when, and only when, what it is made from changed."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from bot.core.errors import Unusable
from bot.launch.progress import step

MODEL = "afterword"
_SOURCES = ("config.yml", "domain.yml", "data/nlu", "data/rules", "data/stories", "bot/nlu", "bot/rasa_compat")


def ensure_model(root: Path, logs: Path) -> bool:
    """Train unless `models/afterword.tar.gz` was made from what lies there now; whether it trained.

    Raises Unusable when the data or the training fails, with the lines that say why.
    """
    models = root / "models"
    stamp, made_from = models / f"{MODEL}.made-from", fingerprint(root)
    if stamp.exists() and stamp.read_text() == made_from and (models / f"{MODEL}.tar.gz").exists():
        return False
    models.mkdir(exist_ok=True)
    log = logs / "train.log"
    with step("Training the bot (its data changed)"):
        # Rasa validates the data itself before it trains. Its own cache does not see the modules our components import.
        _rasa(["train", "--force", "--fixed-model-name", MODEL, "--out", "models"], root, log)
    stamp.write_text(made_from)
    return True


def fingerprint(root: Path) -> str:
    """Changes with any byte of what the model is made from, and with the version of Rasa."""
    digest = hashlib.sha256(version("rasa").encode())
    for path in _files(root):
        digest.update(str(path.relative_to(root)).encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _files(root: Path) -> Iterator[Path]:
    for source in (root / name for name in _SOURCES):
        found = [source] if source.is_file() else sorted(p for p in source.rglob("*") if p.is_file())
        yield from (path for path in found if "__pycache__" not in path.parts)


def _rasa(words: list[str], root: Path, log: Path) -> None:
    command = [sys.executable, "-m", "bot.rasa_compat", *words]
    with log.open("ab") as output:
        done = subprocess.run(command, cwd=root, stdout=output, stderr=subprocess.STDOUT, check=False)  # noqa: S603
    if done.returncode != 0:
        said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-6:]
        raise Unusable(f"`rasa {' '.join(words)}` failed; the end of {log} says:\n  " + "\n  ".join(said))
