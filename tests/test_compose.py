"""compose.yml, the Dockerfile and the Caddyfile say what the code understands, so that they cannot rot unseen."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import typer.main
import yaml
from aiohttp import web

from bot.__main__ import cli
from bot.edge.operations import add_operations
from bot.rasa_compat import action_server, install
from bot.serving import HANG_UP_SECONDS
from bot.settings import PREFIX, load

ROOT = Path(__file__).resolve().parents[1]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service.get("image") == "afterword"}
SERVING = {name: service for name, service in OURS.items() if name != "migrate"}
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
ENOUGH = {
    "POSTGRES_PASSWORD": "p",
    "AFTERWORD_PUBLIC_URL": "https://a.example",
    "AFTERWORD_TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
    "AFTERWORD_TWILIO_SENDER": "+15005550006",
}


def options_of(words: list[str]) -> dict[str, Any]:
    """What our command line makes of a command. Fails for what it does not know."""
    program, command, *arguments = words
    assert program == "afterword"
    commands: Any = typer.main.get_command(cli)
    assert command in commands.commands, f"there is no command {command}"
    params: dict[str, Any] = commands.commands[command].make_context(command, arguments).params
    return params


def filled_in(value: str) -> str:
    """A value with its variables replaced, as compose does."""
    return re.sub(r"\$\{(\w+)[^}]*\}", lambda found: ENOUGH.get(found[1], "x"), value)


def kind(name: str) -> str:
    """edge, worker, rasa or actions."""
    return name.rpartition("-")[0]


def paths_of(process: str) -> set[str]:
    """The addresses at which a process says how it is, from its own routes."""
    if process == "rasa":
        install()
        from bot.rasa_compat.channel import AfterwordInput

        async def never(_: Any) -> None: ...

        routes = AfterwordInput("secret").blueprint(never)._future_routes
        return {f"/webhooks/afterword{route.uri}" for route in routes}
    if process == "actions":
        app = action_server.create_app()
    else:
        add_operations(app := web.Application(), {})
    return {resource.canonical for resource in app.router.resources()}


def test_there_are_two_of_everything() -> None:
    """And one database, one migration, one proxy."""
    for process in ("edge", "worker", "rasa", "actions"):
        assert {name for name in SERVING if kind(name) == process} == {f"{process}-1", f"{process}-2"}
    assert set(SERVICES) - set(SERVING) == {"proxy", "postgres", "migrate"}


@pytest.mark.parametrize("name", OURS)
def test_each_command_is_one_of_ours(name: str) -> None:
    """With options that it has."""
    options = options_of(OURS[name]["command"])

    if name != "migrate":
        assert options["host"] == "0.0.0.0"


@pytest.mark.parametrize("name", SERVING)
def test_each_health_check_asks_an_address_that_is_there(name: str) -> None:
    """At the port that the command listens on."""
    asked = re.search(r"urlopen\('([^']+)'", SERVING[name]["healthcheck"]["test"][-1])
    assert asked is not None
    address = urlsplit(asked[1])

    assert address.port == options_of(SERVING[name]["command"])["port"]
    assert address.path in paths_of(kind(name))


@pytest.mark.parametrize("name", OURS)
def test_each_variable_is_a_setting_with_a_value_it_takes(name: str) -> None:
    """Together they are settings one can start with."""
    environment = {variable: filled_in(value) for variable, value in OURS[name]["environment"].items()}

    settings = load(environment, Path("no such file"))

    known = {PREFIX + field.upper() for field in type(settings).model_fields} | {"DATABASE_URL"}
    assert set(environment) <= known
    assert settings.production
    assert settings.rasa_sql_url() == settings.sql_url()


def test_the_processes_find_each_other() -> None:
    """Each address names a service and the port that it listens on."""
    settings = load({k: filled_in(v) for k, v in COMPOSE["x-settings"].items()}, Path("no such file"))
    actions = [urlsplit(address) for address in settings.actions_url.split(",")]
    rasa = [urlsplit(address) for address in settings.rasa_urls()]

    for address in (*actions, *rasa):
        assert address.hostname in SERVING
        assert address.port == options_of(SERVING[address.hostname]["command"])["port"]
    assert {address.path for address in actions} == {"/webhook"}
    caddy = (ROOT / "deploy" / "Caddyfile").read_text(encoding="utf-8")
    edges = [f"{name}:{options_of(SERVING[name]['command'])['port']}" for name in SERVING if kind(name) == "edge"]
    assert f"reverse_proxy {' '.join(edges)} {{" in caddy


@pytest.mark.parametrize("name", SERVING)
def test_whoever_is_told_to_stop_is_given_the_time(name: str) -> None:
    """The grace is longer than what the process takes at most."""
    grace = float(SERVING[name]["stop_grace_period"].removesuffix("s"))

    assert grace > float(SERVING[name]["environment"]["AFTERWORD_STOP_SECONDS"]) + HANG_UP_SECONDS


def test_no_secret_has_a_default() -> None:
    """Who forgets one is told so before anything starts; what only some use may stay empty."""
    required = re.compile(r"\$\{\w+:\?[^}]+\}")
    for name in ("RASA_TOKEN", "TWILIO_AUTH_TOKEN"):
        assert required.fullmatch(COMPOSE["x-settings"][PREFIX + name])
    assert COMPOSE["x-settings"]["AFTERWORD_IDENTITY_SECRET"] == "${AFTERWORD_IDENTITY_SECRET:-}"
    assert required.search(COMPOSE["x-settings"]["DATABASE_URL"])
    assert required.fullmatch(SERVICES["postgres"]["environment"]["POSTGRES_PASSWORD"])


def test_only_the_proxy_is_reached_from_outside() -> None:
    """Rasa, the actions and the database are in a network of their own."""
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["proxy"]
    inside = {name for name, service in SERVICES.items() if service["networks"] == ["inside"]}
    assert inside == {"rasa-1", "rasa-2", "actions-1", "actions-2", "migrate", "postgres"}
    assert COMPOSE["networks"]["inside"] == {"internal": True}


def test_our_containers_can_do_little() -> None:
    """No root, no capability, nothing to write to but a folder in memory."""
    for service in OURS.values():
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert re.search(r"^USER afterword$", DOCKERFILE, re.MULTILINE)


def test_the_image_is_made_from_what_is_there_and_holds_no_secret() -> None:
    """Each file it copies exists and is let through; no variable that would be a secret is baked in."""
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    for words in (shlex.split(line) for line in DOCKERFILE.splitlines() if line.startswith("COPY ")):
        if any(word.startswith("--from") for word in words):
            continue
        for source in words[1:-1]:
            assert (ROOT / source).exists(), source
            assert f"!{source.split('/')[0]}" in ignored
    assert ignored.count("*") == 1
    assert not re.search(r"(TOKEN|SECRET|PASSWORD|DATABASE_URL)", DOCKERFILE)


def test_what_the_image_runs_by_itself_is_an_edge() -> None:
    """And its health check fits."""
    command = re.findall(r"^CMD (\[.+\])$", DOCKERFILE, re.MULTILINE)[-1]
    options = options_of(json.loads(command))

    assert f"http://127.0.0.1:{options['port']}/livez" in DOCKERFILE
    assert "/livez" in paths_of("edge")
