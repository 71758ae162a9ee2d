"""The demo business in the database, and its keys in `demo.json`."""

from __future__ import annotations

import json
from typing import Any

from bot.app import ROOT, bare_workshop, migrate_store
from bot.core.errors import Unusable
from bot.launch.secrets import write_private
from bot.services.agents import add_api_key
from bot.services.demo import load_demo
from bot.settings import Settings


async def prepare_demo(settings: Settings, *, load_business: bool = True) -> None:
    """Migrate, load the demo business once, and keep its logins and a key where `read_demo` finds them."""
    await migrate_store(settings)
    if not load_business:
        return
    async with bare_workshop(settings) as shop:
        loaded = await load_demo(shop, ROOT / "data" / "demo")
        path = settings.data_dir / "demo.json"
        if loaded.desk:
            key = await add_api_key(shop, "demo", "desk")
            desk = [dict(who) for who in loaded.desk]
            write_private(path, {"base_url": settings.base_url(), "api_key": key, "desk": desk})
        elif path.exists() and (known := read_demo(settings))["base_url"] != settings.base_url():
            write_private(path, {**known, "base_url": settings.base_url()})
        elif not path.exists():
            raise Unusable(
                f"the demo business is loaded, but its logins in {path} are gone. Add an agent with "
                "`uv run afterword user add`, or remove the database to begin again."
            )


def read_demo(settings: Settings) -> dict[str, Any]:
    """What `demo.json` holds."""
    content: dict[str, Any] = json.loads((settings.data_dir / "demo.json").read_text(encoding="utf-8"))
    return content
