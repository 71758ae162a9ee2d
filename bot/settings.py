"""Every setting, once: `AFTERWORD_*` environment variables over `afterword.toml` over these defaults."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from datetime import time
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from bot.core.errors import Unusable

PREFIX = "AFTERWORD_"


class Settings(BaseModel):
    """Built once at the start by `load`. Each field's description is its documentation (docs/settings.md)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    business: str = Field("Harbour Kitchen", description="The name of the business, as customers know it.")
    language: str = Field("en", description="The language to write in when a customer's is unknown (BCP 47).")
    host: str = Field("127.0.0.1", description="The address the edge listens on.")
    port: int = Field(8080, ge=0, le=65535, description="The port the edge listens on.")
    public_url: str = Field(
        "", description="How the internet reaches the edge, without a slash at the end; Twilio signs this address."
    )
    data_dir: Path = Field(Path("var"), description="The folder for the embedded database, logs and the demo's keys.")
    database_url: str = Field(
        "", description="`postgresql://…` or `sqlite:///…`; also read from `DATABASE_URL`. Empty: SQLite in `data_dir`."
    )
    database_connections: int = Field(
        10, ge=1, description="How many connections to PostgreSQL one process holds at most; Rasa's counts by itself."
    )
    database_statement_seconds: float = Field(
        30, ge=0, description="After how long PostgreSQL gives up a statement of ours; 0: never."
    )
    worker: bool = Field(True, description="Whether the edge hosts the worker loop itself.")
    stop_seconds: float = Field(
        20, ge=0, description="How long a process that is told to stop may finish what it is doing."
    )
    production: bool = Field(False, description="Production mode: no simulator, no demo, cookies over HTTPS only.")
    rasa_url: str = Field(
        "http://127.0.0.1:5005",
        description="Where Rasa listens (never on the internet); several addresses are separated by commas.",
    )
    rasa_seconds: float = Field(
        15, gt=0, description="How long one Rasa server may take for a turn before the turn is tried again elsewhere."
    )
    rasa_database_url: str = Field(
        "", description="Where Rasa keeps its conversations; empty: SQLite in `data_dir`, or `database_url`."
    )
    rasa_token: SecretStr = Field(SecretStr(""), description="The secret shared with Rasa; made anew when empty.")
    actions_url: str = Field(
        "http://127.0.0.1:5055/webhook",
        description="Where Rasa calls the action server; several addresses are separated by commas.",
    )
    twilio_account_sid: str = Field("", description="Twilio's account; empty: texts go to the simulator.")
    twilio_auth_token: SecretStr = Field(SecretStr(""), description="Twilio's auth token; it also signs the webhooks.")
    twilio_sender: str = Field("", description="The number (E.164) or the Messaging Service (MG…) to send from.")
    twilio_shared_keys: SecretStr = Field(
        SecretStr(""),
        description="Keys of accounts that sign webhooks with SHA-256, `NAME=SECRET`, separated by commas; once set, "
        "nothing weaker is accepted.",
    )
    twilio_segments_per_second: float = Field(
        0, ge=0, le=1000, description="How fast the sender may send; 0: a number 1, toll-free 3, a short code 10."
    )
    simulator_url: str = Field(
        "",
        description="Where the look-alike of Twilio is when no edge hosts it; "
        "empty: without an account, each edge hosts its own.",
    )
    identity_secret: SecretStr = Field(
        SecretStr(""), description="The secret with which the business's website signs who is chatting (HS256)."
    )
    suppression_key: SecretStr = Field(
        SecretStr(""), description="The key under which erased people's opt-outs are kept; lost, they are forgotten."
    )
    web_origins: tuple[str, ...] = Field(
        (), description="Origins whose pages may embed the widget, separated by commas; our own is always allowed."
    )
    contact_from: time = Field(time(9), description="From when, on the customer's clock, we may write first.")
    contact_until: time = Field(time(20), description="Until when, on the customer's clock, we may write first.")
    contact_cap: int = Field(
        3, ge=1, description="How many first messages a customer gets in seven days at most, on all channels."
    )
    contact_spacing_minutes: float = Field(
        240, ge=0, description="How long after somebody of ours wrote to a customer first a check-in may follow."
    )
    check_in_delay_minutes: float = Field(30, ge=0, description="How long after a service we ask about it.")
    silence_after_hours: float = Field(24, gt=0, description="When an unanswered check-in is judged as silence.")
    bot_may_fail_seconds: float = Field(
        60, gt=0, description="How long a message waits for a bot that does not answer before a person gets it."
    )
    lease_seconds: float = Field(
        60, gt=0, description="How long a piece of work is one worker's; when a worker died, another takes it up after."
    )
    listed_within_seconds: float = Field(
        120,
        gt=0,
        description="Within what time Twilio surely lists a message it took; one whose answer was lost, and which is "
        "not listed by then, is sent again.",
    )
    catch_up_seconds: float = Field(
        60, gt=0, description="How often Twilio's list is read for texts and statuses whose webhook never came."
    )
    follow_up_delay_minutes: float = Field(1440, ge=0, description="How long after a fix we ask whether it helped.")
    follow_up_again_hours: float = Field(48, gt=0, description="When an unanswered follow-up is asked once more.")
    repeat_within_days: float = Field(
        30, ge=0, description="Until when after a fix the same complaint opens the same case again."
    )

    @field_validator("twilio_account_sid")
    @classmethod
    def _account(cls, value: str) -> str:
        if value and not re.fullmatch(r"AC[0-9a-fA-F]{32}", value):
            raise ValueError("an account is AC and 32 hexadecimal digits; copy it from Twilio's console")
        return value

    @field_validator("twilio_sender")
    @classmethod
    def _sender(cls, value: str) -> str:
        if "," in value or " " in value.strip():
            raise ValueError("name one sender: a number or a Messaging Service, not both")
        if value and not re.fullmatch(r"\+[1-9]\d{6,14}|\d{3,8}|MG[0-9a-fA-F]{32}", value):
            raise ValueError(
                "a sender is a number such as +447700900001, a short code such as 12345, or a Messaging Service "
                "(MG and 32 hexadecimal digits)"
            )
        return value

    @field_validator("twilio_shared_keys")
    @classmethod
    def _keys(cls, value: SecretStr) -> SecretStr:
        if any(not part.partition("=")[0].strip() or not part.partition("=")[2].strip() for part in _parts(value)):
            raise ValueError("write each key as NAME=SECRET, separated by commas")
        return value

    def shared_keys(self) -> dict[str, str]:
        """The secrets of Twilio's shared keys, by name."""
        pairs = (part.partition("=") for part in _parts(self.twilio_shared_keys))
        return {name.strip(): secret.strip() for name, _, secret in pairs}

    def sql_url(self) -> str:
        """The database to use, as it was written."""
        return self.database_url or f"sqlite:///{(self.data_dir / 'afterword.sqlite').resolve()}"

    def rasa_sql_url(self) -> str:
        """Where Rasa keeps its conversations: beside everything else on PostgreSQL, in a file of its own on SQLite."""
        if self.rasa_database_url:
            return self.rasa_database_url
        shared = self.database_url.startswith("postgres")
        return self.database_url if shared else f"sqlite:///{(self.data_dir / 'rasa.sqlite').resolve()}"

    def rasa_urls(self) -> tuple[str, ...]:
        """Every Rasa server's address, without a slash at the end."""
        return _addresses(self.rasa_url)

    def base_url(self) -> str:
        """The edge's own address as the outside sees it, without a slash at the end."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")

    @property
    def simulated(self) -> bool:
        """Whether texts go to the simulator instead of Twilio."""
        return not self.production and not self.twilio_account_sid

    @property
    def hosts_simulator(self) -> bool:
        """Whether this edge has the simulator's phones itself."""
        return self.simulated and not self.simulator_url


def _addresses(written: str) -> tuple[str, ...]:
    return tuple(address.strip().rstrip("/") for address in written.split(",") if address.strip())


def _parts(listed: SecretStr) -> list[str]:
    return [part for part in listed.get_secret_value().split(",") if part.strip()]


def load(environ: Mapping[str, str] | None = None, file: Path = Path("afterword.toml"), **overrides: Any) -> Settings:
    """The settings in force. Raises Unusable, naming the setting and what is wrong with it."""
    environ = os.environ if environ is None else environ
    values: dict[str, Any] = _from_file(file)
    if environ.get("DATABASE_URL"):
        values["database_url"] = environ["DATABASE_URL"]
    for name in Settings.model_fields:
        if (written := environ.get(PREFIX + name.upper())) is not None:
            values[name] = tuple(filter(None, written.split(","))) if name == "web_origins" else written
    try:
        return Settings(**{**values, **overrides})
    except ValidationError as error:
        problem = error.errors()[0]
        name = ".".join(str(part) for part in problem["loc"])
        raise Unusable(f"setting {name!r} ({PREFIX}{name.upper()}): {problem['msg']}") from error


def _from_file(file: Path) -> dict[str, Any]:
    if not file.exists():
        return {}
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise Unusable(f"{file}: {error}") from error
