"""Rasa's commands and our two servers: `python -m bot.rasa_compat run|actions|<any command of Rasa> ...`."""

from __future__ import annotations

import argparse
import asyncio
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

from bot import rasa_compat


def main(arguments: Sequence[str] | None = None) -> None:
    """Start a server of ours, or pass everything on to Rasa."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] == ["run"]:
        run(_parser("run", 5005).parse_args(words[1:]))
    elif words[:1] == ["actions"]:
        actions(_parser("actions", 5055).parse_args(words[1:]))
    else:
        rasa(words)


def run(options: argparse.Namespace) -> None:
    """Rasa's server, with everything that Afterword relies on checked at the start."""
    from bot.rasa_compat import server

    server.serve(
        options.port,
        options.model,
        endpoints=options.endpoints,
        credentials=options.credentials,
        host=options.host,
    )


def actions(options: argparse.Namespace) -> None:
    """The action server."""
    sys.path.insert(0, str(Path.cwd()))
    from bot.rasa_compat import action_server

    asyncio.run(action_server.serve(options.port, options.package, options.host))


def rasa(words: Sequence[str]) -> None:
    """Rasa's own command line."""
    rasa_compat.install()
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    from rasa.__main__ import main as rasa_main

    sys.argv = ["rasa", *words]
    rasa_main()


def _parser(command: str, port: int) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"python -m bot.rasa_compat {command}")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on")
    parser.add_argument("--port", type=int, default=port)
    if command == "run":
        parser.add_argument("--model", type=Path, default=Path("models"), help="a model, or a folder: its newest")
        parser.add_argument("--endpoints", type=Path, default=Path("endpoints.yml"))
        parser.add_argument("--credentials", type=Path, default=Path("credentials.yml"))
    else:
        parser.add_argument("--package", default="actions", help="where the custom actions are")
    return parser


if __name__ == "__main__":
    main()
