"""The command line: `afterword COMMAND`."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import structlog
import typer

from bot.core.errors import AfterwordError
from bot.core.vocabulary import Role
from bot.settings import Settings, load

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
    asyncio.run(run_edge(_settings(**given)))


@cli.command()
def worker(
    host: Annotated[str, typer.Option(help="The address of its /livez, /readyz and /metrics.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port of the same; 0: it listens nowhere.")] = 0,
) -> None:
    """The due loop alone."""
    from bot.app import run_worker

    asyncio.run(run_worker(_settings(), host, port))


@cli.command()
def simulator(
    port: Annotated[int | None, typer.Option(help="Where to listen; else the port in AFTERWORD_SIMULATOR_URL.")] = None,
    pace: Annotated[float, typer.Option(help="Seconds between two statuses of a message.")] = 0.1,
) -> None:
    """The look-alike of Twilio in a process of its own; without it, the edge hosts one."""
    from bot.launch.simulator import run_simulator

    run_simulator(_settings(), port=port, pace=pace)


@cli.command()
def rasa(
    host: Annotated[str, typer.Option(help="The address to listen on; never one the internet reaches.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port.")] = 5005,
    model: Annotated[Path, typer.Option(help="A trained model, or a folder: its newest.")] = MODEL,
) -> None:
    """Rasa: it understands, and decides what to say."""
    from bot.launch.rasa import serve_rasa

    serve_rasa(_settings(), host, port, model)


@cli.command()
def actions(
    host: Annotated[str, typer.Option(help="The address to listen on; never one the internet reaches.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port.")] = 5055,
) -> None:
    """The action server: what Rasa asks us to do."""
    from bot.launch.rasa import serve_actions

    serve_actions(_settings(), host, port)


@cli.command()
def migrate() -> None:
    """Bring the database to the newest schema."""
    from bot.app import migrate_store

    asyncio.run(migrate_store(_settings()))
    print("The database has the newest schema.")


@cli.command()
def train() -> None:
    """Train the bot if what it is made from changed."""
    from bot.app import ROOT
    from bot.launch.training import ensure_model

    logs = _settings().data_dir / "log"
    logs.mkdir(parents=True, exist_ok=True)
    print("The model is new." if ensure_model(ROOT, logs) else "The model matches its data already.")


@cli.command()
def recalibrate() -> None:
    """Refit the detector to what agents said of its verdicts, by language and site; it refuses to get worse."""
    from bot.launch.learning import refit_and_report

    for line in asyncio.run(refit_and_report(_settings())):
        print(line)


@cli.command("train-detector")
def train_detector(
    data: Annotated[Path, typer.Option(help="Folder with measure/ and train/: the public sets.")],
    out: Annotated[Path | None, typer.Option(help="Where the weights go; without it, to those that ship.")] = None,
) -> None:
    """Learn the detector's weights anew and say whether they are the same, byte for byte."""
    from bot.launch.detection import train_detector as learn_detector
    from bot.nlu.scorer import WEIGHTS

    same = learn_detector(data, out or WEIGHTS, _settings().data_dir)
    print("The weights are what they were." if same else "The weights changed.")


@cli.command()
def evaluate(
    data: Annotated[Path, typer.Option(help="Folder with the measuring sets; train/ is looked for beside it.")],
    parts: Annotated[bool, typer.Option(help="Also show what each part adds (some minutes).")] = False,
) -> None:
    """Measure the detector, by set and language."""
    from bot.launch.detection import evaluate as measure_detector

    measure_detector(data, _settings().data_dir, parts=parts)


@cli.command()
def demo() -> None:
    """Load the demo business into the database; a second time changes nothing."""
    from bot.launch.demo import prepare_demo

    settings = _settings()
    asyncio.run(prepare_demo(settings))
    print(f"The demo business is there; its logins are in {settings.data_dir / 'demo.json'}.")


@cli.command()
def why(
    phone: Annotated[str, typer.Argument(help="The number in any usual notation, like +44 7700 900001.")],
    as_json: Annotated[bool, typer.Option("--json", help="As the API answers it.")] = False,
    since: Annotated[str | None, typer.Option(help="Only from this day on, on their clock: 2026-03-01.")] = None,
) -> None:
    """Why a customer got each message they got, why not those they did not, and what is still planned."""
    from bot.launch.why import account_of

    for line in asyncio.run(account_of(_settings(), phone, as_json=as_json, since=since)):
        print(line)


@cli.command()
def backup(
    file: Annotated[Path | None, typer.Argument(help="Where to; without it into the data folder.")] = None,
    with_secrets: Annotated[bool, typer.Option(help="Put the secrets in too: whoever has the file has them.")] = False,
) -> None:
    """Write everything into one file, while everything runs; `restore` makes either kind of database of it."""
    from bot.launch.backing_up import back_up, default_file
    from bot.launch.progress import step

    settings, now = _settings(), datetime.now(UTC)
    target = (file or default_file(settings, now)).absolute()
    with step("Backing up"):
        manifest = asyncio.run(back_up(settings, target, with_secrets=with_secrets, now=now))
    print(
        f"{target}: {manifest.rows} rows as of {manifest.taken_at:%Y-%m-%d %H:%M:%S} UTC, read again and found sound."
    )
    if with_secrets:
        print("It holds the secrets: keep it as you keep those.")
    else:
        print("It holds no secrets: keep AFTERWORD_SUPPRESSION_KEY and the others yourself (docs/operations.md).")


@cli.command()
def restore(
    file: Annotated[Path, typer.Argument(help="A file that `backup` wrote.")],
    replace: Annotated[bool, typer.Option(help="Lose what the databases hold now; asks first.")] = False,
    yes: Annotated[bool, typer.Option(help="Do not ask.")] = False,
    marks: Annotated[list[Path] | None, typer.Option(help="Further erased.jsonl files to heed.")] = None,
) -> None:
    """Make the databases what a backup says, all of it or none. Stop every process first."""
    from bot.launch.progress import step
    from bot.launch.restoring import restore as restore_all

    settings = _settings()
    if replace and not yes:
        typer.confirm("Everything the databases hold now will be lost. Go on?", abort=True)
    with step("Restoring"):
        done = asyncio.run(restore_all(settings, file, over_all=replace, marks=marks or (), now=datetime.now(UTC)))
    print(f"{done.manifest.rows} rows as of {done.manifest.taken_at:%Y-%m-%d %H:%M:%S} UTC are back.")
    print(f"Erased again: {done.erased_again} customers. Opted out since: {done.suppressed_again} numbers.")
    print(f"Asked about before anything is sent: {done.doubtful} messages and tasks (docs/operations.md, Backups).")


@cli.command()
def export(
    customer: Annotated[str, typer.Argument(help="Phone number, external id or customer id.")],
    to: Annotated[Path | None, typer.Option(help="A file (mode 600) instead of standard output.")] = None,
) -> None:
    """Everything held about one person, as JSON."""
    from bot.launch.person import export_person
    from bot.launch.secrets import write_private

    held = asyncio.run(export_person(_settings(), customer, now=datetime.now(UTC)))
    if to is None:
        print(json.dumps(held, indent=2, ensure_ascii=False))
    else:
        write_private(to, held)


@cli.command()
def erase(
    customer: Annotated[str, typer.Argument(help="Phone number, external id or customer id.")],
    yes: Annotated[bool, typer.Option(help="Do it; without this it is only listed.")] = False,
) -> None:
    """Erase one person everywhere; an opt-out survives as a keyed hash."""
    from bot.launch.person import erase_person, what_would_go

    settings = _settings()
    if yes:
        done = asyncio.run(erase_person(settings, customer, now=datetime.now(UTC)))
    else:
        done = asyncio.run(what_would_go(settings, customer))
    for line in done.lines(done=yes):
        print(line)
    raise SystemExit(1 if done.problems else 0)


@cli.command("forget-marks")
def forget_marks() -> None:
    """When AFTERWORD_SUPPRESSION_KEY is lost for good: let go of the marks of erased people made with it."""
    from bot.launch.person import let_go_of_foreign_marks

    number = asyncio.run(let_go_of_foreign_marks(_settings()))
    print(f"{number} marks are gone. Erased people who had opted out are not known any more.")


@cli.command()
def doctor() -> None:
    """Look at the installation and say what is wrong with it, and what to do."""
    from bot.launch.doctor import examine

    findings = asyncio.run(examine(_settings()))
    for finding in findings:
        print(f"{'ok  ' if finding.well else 'FAIL'} {finding.what}: {finding.said}")
    raise SystemExit(0 if all(finding.well for finding in findings) else 1)


@cli.command()
def resume() -> None:
    """Let texts leave again, when what the provider held against our sender is put right."""
    held = asyncio.run(_resume())
    print("Texts leave again." if held else "Nothing was held back.")


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


async def _resume() -> bool:
    from bot.app import bare_workshop
    from bot.core.vocabulary import Medium
    from bot.services.senders import resume as resume_sender

    async with bare_workshop(_settings()) as shop:
        return await resume_sender(shop.store, Medium.SMS, now=shop.clock())


async def _add_person(email: str, name: str, password: str, role: Role, site_id: str | None) -> None:
    from bot.app import bare_workshop
    from bot.services.agents import add_agent

    async with bare_workshop(_settings()) as shop:
        await add_agent(shop, email=email, name=name, password=password, role=role, site_id=site_id)


async def _create_key(name: str, scope: str) -> str:
    from bot.app import bare_workshop
    from bot.services.agents import add_api_key

    async with bare_workshop(_settings()) as shop:
        return await add_api_key(shop, name, scope)


def _settings(**overrides: Any) -> Settings:
    """The settings in force; an embedded installation's secrets are where `up` put them."""
    from bot.launch.secrets import with_kept_secrets

    return with_kept_secrets(load(**overrides))


if __name__ == "__main__":
    main()
