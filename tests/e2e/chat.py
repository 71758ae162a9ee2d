"""A visitor of the web chat, as a program: the four calls of docs and the stream of events."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import requests

from tests.e2e.house import House


@dataclass(frozen=True)
class Event:
    """One event of the stream."""

    name: str
    data: dict[str, Any]
    id: str | None


class Visitor:
    """One chat; `identity` is the token with which the business's site says who it is."""

    def __init__(self, house: House, identity: str | None = None, language: str = "en") -> None:
        self._base = f"{house.base_url}/webchat"
        body = {"language": language, **({"identity": identity} if identity else {})}
        opened = requests.post(f"{self._base}/sessions", json=body, timeout=30)
        assert opened.status_code == 201, opened.text
        self._headers = {"Authorization": f"Bearer {opened.json()['token']}"}
        self.conversation_id: str = opened.json()["conversation_id"]

    def say(self, text: str, client_id: str) -> str:
        """Write one message; its id."""
        body = {"client_id": client_id, "text": text}
        taken = requests.post(f"{self._base}/messages", json=body, headers=self._headers, timeout=30)
        assert taken.status_code == 202, taken.text
        return str(taken.json()["id"])

    def thread(self, after: str | None = None) -> list[dict[str, Any]]:
        """The messages, oldest first."""
        query = {"after": after} if after else None
        answer = requests.get(f"{self._base}/messages", params=query, headers=self._headers, timeout=30)
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    @contextmanager
    def listen(self, last_id: str | None = None) -> Iterator[Iterator[Event]]:
        """The live events, from after `last_id` on. A silence of half a minute ends the test."""
        headers = {**self._headers, **({"Last-Event-ID": last_id} if last_id else {})}
        with requests.get(f"{self._base}/events", headers=headers, stream=True, timeout=30) as line:
            assert line.status_code == 200, line.text
            yield _events(line.iter_lines(chunk_size=1, decode_unicode=True))


def messages(events: Iterator[Event], author: str) -> Iterator[dict[str, Any]]:
    """The messages of one author among the events, as they come."""
    return (event.data for event in events if event.name == "message" and event.data["author"] == author)


def _events(lines: Iterator[Any]) -> Iterator[Event]:
    fields: dict[str, str] = {}
    for line in lines:
        if line and not line.startswith(":"):
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
        elif not line and fields:
            if "data" in fields:
                yield Event(fields.get("event", ""), json.loads(fields["data"]), fields.get("id"))
            fields = {}
