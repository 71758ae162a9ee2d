"""Start Rasa's server on this machine only, with its API behind the shared secret."""

from __future__ import annotations

import asyncio
import logging
import os
import warnings
from pathlib import Path

from bot import rasa_compat

LOOPBACK = "127.0.0.1"


def serve(port: int, model: Path, *, endpoints: Path, credentials: Path, host: str = LOOPBACK) -> None:
    """Serve until interrupted. Imports a third less than `rasa run`, and does the same.

    AFTERWORD_RASA_TOKEN guards Rasa's own API as well as our channel. The start ends with an error when there is no
    model, or when Rasa could not use the tracker store and lock store that endpoints.yml names.
    """
    rasa_compat.install()
    warnings.simplefilter("ignore")
    import rasa.core.run
    import rasa.utils.common
    from rasa.core.utils import AvailableEndpoints
    from rasa.utils.log_utils import configure_structlog

    if not endpoints.is_file():
        raise FileNotFoundError(f"{endpoints} is missing: without it Rasa would keep conversations in memory.")
    asyncio.set_event_loop(asyncio.new_event_loop())
    rasa.utils.common.configure_logging_and_warnings(logging.INFO, None)
    configure_structlog(logging.INFO)
    rasa.core.run.serve_application(
        model_path=str(model),
        interface=host,
        port=port,
        credentials=str(credentials),
        auth_token=os.environ.get("AFTERWORD_RASA_TOKEN"),
        enable_api=True,
        endpoints=AvailableEndpoints.read_endpoints(str(endpoints)),
    )
