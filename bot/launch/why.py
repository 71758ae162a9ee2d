"""`afterword why`: the account of one phone, for a terminal."""

from __future__ import annotations

import json
import textwrap

from bot.app import bare_workshop
from bot.services.entities import Json
from bot.services.why import explain
from bot.settings import Settings

_WIDTH = 110


async def account_of(settings: Settings, phone: str, *, as_json: bool, since: str | None) -> list[str]:
    """The lines to print. Raises Refused for what is no number or no day, NotFound for a number nobody knows."""
    async with bare_workshop(settings) as shop, shop.store(read_only=True) as tx:
        account = await explain(tx, phone, since=since)
    return [json.dumps(account, ensure_ascii=False, indent=2)] if as_json else told(account)


def told(account: Json) -> list[str]:
    """An account in plain lines: who it is, what happened, what is still planned."""
    who = f" ({account['name']})" if account["name"] else ""
    lines = [f"{account['phone']}{who}. Times are on their clock, {account['time_zone']}.", account["standing"], ""]
    lines += ["What happened, the oldest first:"] if account["items"] else ["Nothing happened in this time."]
    for item in account["items"]:
        lines += _wrapped(f"{item['local_time']}  ", item["sentence"])
    lines += ["", "What is still planned:" if account["planned"] else "Nothing is planned."]
    for item in account["planned"]:
        lines += _wrapped("- ", item["sentence"])
    return lines


def _wrapped(head: str, text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent="  " + head, subsequent_indent="    ", break_long_words=False)
