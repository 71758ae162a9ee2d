"""Rasa and its action server, told by our settings instead of by arguments and environment variables of their own."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from bot.app import ROOT
from bot.core.errors import Unusable
from bot.serving import port_must_be_free
from bot.settings import PREFIX, Settings


def serve_rasa(settings: Settings, host: str, port: int, model: Path) -> None:
    """Serve until told to stop. Raises Unusable when a secret, the model or the port is missing."""
    token = settings.rasa_token.get_secret_value()
    if not token:
        raise Unusable(
            f"{PREFIX}RASA_TOKEN is not set: Rasa, the edges and the workers share this secret. Choose a long random "
            "one and give it to all of them."
        )
    if not model.exists():
        raise Unusable(
            f"there is no model at {model}; run `uv run afterword train` first, or name another with --model"
        )
    port_must_be_free(host, port, what="Rasa", choose="--port")
    os.environ[PREFIX + "RASA_TOKEN"] = token
    os.environ[PREFIX + "RASA_DATABASE_URL"] = settings.rasa_sql_url()
    os.environ[PREFIX + "DATABASE_CONNECTIONS"] = str(settings.database_connections)
    os.environ[PREFIX + "DATABASE_STATEMENT_SECONDS"] = str(settings.database_statement_seconds)
    os.environ[PREFIX + "ACTIONS_URL"] = settings.actions_url
    from bot.rasa_compat import server

    server.serve(
        port,
        model,
        endpoints=ROOT / "endpoints.yml",
        credentials=ROOT / "credentials.yml",
        host=host,
        stop_seconds=settings.stop_seconds,
    )


def serve_actions(settings: Settings, host: str, port: int) -> None:
    """Serve until told to stop. Raises Unusable when the database has not our schema, or the port is taken."""
    from bot.rasa_compat import action_server

    asyncio.run(action_server.serve(port, host=host))
