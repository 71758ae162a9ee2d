"""What Rasa 3.6, the last open release, needs to run well on a modern Python without TensorFlow.

`install()` prepares the interpreter: inert stand-ins for libraries that Rasa imports and this project never uses
(`stubs`), and corrections that are applied to each module right after it is imported (`patches`). Call it before the
first `import rasa`; in the project's environment that happens by itself (`autostart`). It is explicit on purpose:
importing this package changes nothing.
"""

from __future__ import annotations

import os
import warnings


def install() -> None:
    """Prepare this process for Rasa. Cheap, idempotent, and imports nothing of Rasa's."""
    from bot.rasa_compat import after_import, patches, stubs

    os.environ["RASA_TELEMETRY_ENABLED"] = "false"
    for noise in ("pkg_resources is deprecated", ".*declarative_base", r"the load_module\(\) method"):
        warnings.filterwarnings("ignore", message=noise)
    os.environ.setdefault("AFTERWORD_ACTIONS_URL", "http://127.0.0.1:5055/webhook")
    os.environ.setdefault("SANIC_HOST", "127.0.0.1")
    os.environ.setdefault("SQLALCHEMY_SILENCE_UBER_WARNING", "1")
    stubs.install()
    after_import.install(patches.PATCHES)
