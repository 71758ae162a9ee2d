"""The command line: `afterword COMMAND`."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import structlog
import typer

from bot.core.errors import AfterwordError
from bot.core.vocabulary import Role
from bot.settings import load

MODEL = Path("models") / "afterword.tar.gz"
"""Where `afterword train` leaves the model."""

cli = typer.Typer(
    name="afterword",
    help="Asks how it was, hears what is left unsaid, begins to put it right, and brings in a person.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
people = typer.Typer(help="The agents at the desk.", no_args_is_help=True)
keys = typer.Typer(help="Keys to the JSON API.", no_args_is_help=True)
cli.add_typer(people, name="user")
cli.add_typer(keys, name="api-key")


def main() -> None:
    """Run a command; what goes wrong is said in one line that tells what to do."""
    _configure_log()
    try:
        cli()
    except AfterwordError as error:
        print(f"afterword: {error}", file=sys.stderr)
        raise SystemExit(1) from error


def _configure_log() -> None:
    """One line an event, to standard error, where tracebacks never quote the values they met: those are people's."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
        ],
        # Whatever standard error is when something is said, not when this was configured.
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
    )


@cli.command()
def up(demo: Annotated[bool, typer.Option(help="Load the demo business and its customers.")] = True) -> None:
    """Everything on this machine: train, migrate, start all processes, wait until ready; Ctrl-C stops all."""
    from bot.launch.up import run_up

    run_up(demo=demo, begun=float(os.environ.get("AFTERWORD_BEGUN", time.time())))


@cli.command()
def edge(
    host: Annotated[str | None, typer.Option(help="The address to listen on; else AFTERWORD_HOST.")] = None,
    port: Annotated[int | None, typer.Option(help="The port; else AFTERWORD_PORT.")] = None,
) -> None:
    """The public HTTP service; it hosts a worker unless AFTERWORD_WORKER says no."""
    from bot.app import run_edge

    given: dict[str, Any] = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    asyncio.run(run_edge(load(**given)))


@cli.command()
def worker(
    host: Annotated[str, typer.Option(help="The address of its /livez, /readyz and /metrics.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port of the same; 0: it listens nowhere.")] = 0,
) -> None:
    """The due loop alone."""
    from bot.app import run_worker

    asyncio.run(run_worker(load(), host, port))


@cli.command()
def rasa(
    host: Annotated[str, typer.Option(help="The address to listen on; never one the internet reaches.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port.")] = 5005,
    model: Annotated[Path, typer.Option(help="A trained model, or a folder: its newest.")] = MODEL,
) -> None:
    """Rasa: it understands, and decides what to say."""
    from bot.launch.rasa import serve_rasa

    serve_rasa(load(), host, port, model)


@cli.command()
def actions(
    host: Annotated[str, typer.Option(help="The address to listen on; never one the internet reaches.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port.")] = 5055,
) -> None:
    """The action server: what Rasa asks us to do."""
    from bot.launch.rasa import serve_actions

    serve_actions(load(), host, port)


@cli.command()
def migrate() -> None:
    """Bring the database to the newest schema."""
    from bot.app import migrate_store

    asyncio.run(migrate_store(load()))
    print("The database has the newest schema.")


@cli.command()
def train() -> None:
    """Train the bot if what it is made from changed."""
    from bot.app import ROOT
    from bot.launch.training import ensure_model

    logs = load().data_dir / "log"
    logs.mkdir(parents=True, exist_ok=True)
    print("The model is new." if ensure_model(ROOT, logs) else "The model matches its data already.")


@cli.command()
def recalibrate() -> None:
    """Refit the detector to what agents said of its verdicts, by language and site; it refuses to get worse."""
    from bot.launch.learning import refit_and_report

    for line in asyncio.run(refit_and_report(load())):
        print(line)


@cli.command("train-detector")
def train_detector(
    data: Annotated[Path, typer.Option(help="Folder with measure/ and train/: the public sets.")],
    out: Annotated[Path | None, typer.Option(help="Where the weights go; without it, to those that ship.")] = None,
) -> None:
    """Learn the detector's weights anew and say whether they are the same, byte for byte."""
    from bot.launch.detection import train_detector as learn_detector
    from bot.nlu.scorer import WEIGHTS

    same = learn_detector(data, out or WEIGHTS, load().data_dir)
    print("The weights are what they were." if same else "The weights changed.")


@cli.command()
def evaluate(
    data: Annotated[Path, typer.Option(help="Folder with the measuring sets; train/ is looked for beside it.")],
    parts: Annotated[bool, typer.Option(help="Also show what each part adds (some minutes).")] = False,
) -> None:
    """Measure the detector, by set and language."""
    from bot.launch.detection import evaluate as measure_detector

    measure_detector(data, load().data_dir, parts=parts)


@cli.command()
def demo() -> None:
    """Load the demo business into the database; a second time changes nothing."""
    from bot.launch.demo import prepare_demo

    settings = load()
    asyncio.run(prepare_demo(settings))
    print(f"The demo business is there; its logins are in {settings.data_dir / 'demo.json'}.")


@cli.command()
def doctor() -> None:
    """Look at the installation and say what is wrong with it, and what to do."""
    from bot.launch.doctor import examine

    findings = asyncio.run(examine(load()))
    for finding in findings:
        print(f"{'ok  ' if finding.well else 'FAIL'} {finding.what}: {finding.said}")
    raise SystemExit(0 if all(finding.well for finding in findings) else 1)


@people.command("add")
def add_person(
    email: str,
    name: Annotated[str, typer.Option(help="How customers know them.")] = "",
    role: Annotated[Role, typer.Option(help="What they may do.")] = Role.AGENT,
    site: Annotated[str | None, typer.Option(help="The site they run, if they run one.")] = None,
) -> None:
    """Add an agent; the password is asked for, or read from AFTERWORD_PASSWORD."""
    password = os.environ.get("AFTERWORD_PASSWORD") or typer.prompt(
        "Password", hide_input=True, confirmation_prompt=True
    )
    asyncio.run(_add_person(email, name, password, role, site))
    print(f"{email} may log in at the desk.")


@keys.command("create")
def create_key(
    name: Annotated[str, typer.Option(help="What the key is for.")],
    scope: Annotated[str, typer.Option(help="api, or desk: may also act for agents.")] = "api",
) -> None:
    """Make a key; it is shown this once."""
    print(asyncio.run(_create_key(name, scope)))


async def _add_person(email: str, name: str, password: str, role: Role, site_id: str | None) -> None:
    from bot.app import bare_workshop
    from bot.services.agents import add_agent

    async with bare_workshop(load()) as shop:
        await add_agent(shop, email=email, name=name, password=password, role=role, site_id=site_id)


async def _create_key(name: str, scope: str) -> str:
    from bot.app import bare_workshop
    from bot.services.agents import add_api_key

    async with bare_workshop(load()) as shop:
        return await add_api_key(shop, name, scope)


if __name__ == "__main__":
    main()
