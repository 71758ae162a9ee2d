"""Rasa over HTTP, through the channel of `bot.rasa_compat.channel`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

import aiohttp

from bot.core.dialogue import DialogueRejected, DialogueUnavailable, Intent, Parsed, Turn, Utterance
from bot.servers import Servers

BATCH = 200
READY_TIMEOUT = 2.0
CONNECT_TIMEOUT = 3.0


class RasaDialogue:
    """The dialogue behind one or more addresses of Rasa servers, for example `["http://127.0.0.1:5005"]`.

    A conversation stays with one server. When that cannot be connected to, nothing has been sent, and the next one is
    asked at once. Every other failure leaves open whether the turn was taken, so it is the caller's to try again: a
    turn that was taken is recognised by its message, whichever server is asked then, and a server that kept silent is
    asked last for a while (docs/adr/0008-two-and-more-of-everything.md).

    Every method but `ready` raises DialogueUnavailable when no server can be reached, or the one asked takes longer
    than `timeout` seconds or reports a failure (the same call may be made again), and DialogueRejected when it refuses
    the call for good.
    """

    def __init__(
        self, session: aiohttp.ClientSession, addresses: Sequence[str], token: str, timeout: float = 15.0
    ) -> None:
        self._session = session
        self._servers = Servers(addresses)
        self._headers = {"Authorization": f"Bearer {token}"}
        self._timeout = aiohttp.ClientTimeout(total=timeout, sock_connect=min(timeout, CONNECT_TIMEOUT))

    async def turn(
        self, conversation_id: str, message_id: str, text: str, metadata: Mapping[str, Any] | None = None
    ) -> Turn:
        """The bot's answer to a message. Sending a message again brings the same answer and changes nothing."""
        body = {
            "conversation_id": conversation_id,
            "message_id": message_id,
            "text": text,
            "metadata": dict(metadata or {}),
        }
        return _turn(await self._post("turn", body))

    async def trigger(
        self, conversation_id: str, occasion: str, intent: str, slots: Mapping[str, Any], channel: str | None = None
    ) -> Turn:
        """The bot's words when something outside the conversation happened, such as a check-in that is due.

        The same `occasion` again brings the same words, and the bot has spoken once.
        """
        body = {"conversation_id": conversation_id, "occasion": occasion, "intent": intent, "slots": dict(slots)}
        return _turn(await self._post("trigger", body | ({"metadata": {"channel": channel}} if channel else {})))

    async def parse(self, items: Sequence[Mapping[str, Any]]) -> list[Parsed]:
        """What the bot understands in each text (`{"text", "metadata"?}`), without any conversation."""
        parsed: list[Parsed] = []
        for start in range(0, len(items), BATCH):
            batch = [dict(item) for item in items[start : start + BATCH]]
            answer = await self._post("parse", {"items": batch})
            parsed += [_parsed(item) for item in answer["items"]]
        return parsed

    async def resume(self, conversation_id: str) -> None:
        """The conversation is the bot's again after a handback."""
        await self._post("resume", {"conversation_id": conversation_id})

    async def forget(self, conversation_id: str) -> None:
        """Erase the conversation from Rasa's memory."""
        await self._post("forget", {"conversation_id": conversation_id})

    async def ready(self) -> bool:
        """Whether there is a server with a model that takes our secret."""
        total = min(READY_TIMEOUT, self._timeout.total or READY_TIMEOUT)
        limit = aiohttp.ClientTimeout(total=total)

        async def answers(address: str) -> bool:
            try:
                await self._ask(address, "parse", {"items": []}, limit)
            except (aiohttp.ClientError, TimeoutError, ValueError, DialogueUnavailable, DialogueRejected):
                return False
            return True

        return any(await asyncio.gather(*(answers(address) for address in self._servers.addresses)))

    async def _post(self, path: str, body: dict[str, Any]) -> Any:
        unreachable = "no address is known"
        for address in self._servers.in_order(str(body.get("conversation_id") or uuid4())):
            try:
                answer = await self._ask(address, path, body, self._timeout)
            except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
                self._servers.failed(address)
                unreachable = type(error).__name__
            except (aiohttp.ClientError, TimeoutError, ValueError) as error:
                self._servers.failed(address)
                raise DialogueUnavailable(f"Rasa did not answer {path}: {type(error).__name__}.") from error
            else:
                self._servers.answered(address)
                return answer
        raise DialogueUnavailable(f"Rasa could not be reached for {path}: {unreachable}.")

    async def _ask(self, address: str, path: str, body: dict[str, Any], limit: aiohttp.ClientTimeout) -> Any:
        async with self._session.post(
            f"{address}/webhooks/afterword/{path}", json=body, headers=self._headers, timeout=limit
        ) as response:
            if response.status >= 500 or response.status == 429:
                raise DialogueUnavailable(f"Rasa answered {response.status} to {path}.")
            if response.status != 200:
                raise DialogueRejected(f"Rasa refused {path} with {response.status}: {await _detail(response)}")
            return await response.json()


async def _detail(response: aiohttp.ClientResponse) -> str:
    """Why, in the server's words; they never repeat the customer's."""
    try:
        return str((await response.json(content_type=None))["detail"])
    except (ValueError, KeyError, TypeError):
        return response.reason or ""


def _turn(answer: Mapping[str, Any]) -> Turn:
    return Turn(
        utterances=tuple(Utterance(said["text"], said.get("name")) for said in answer["utterances"]),
        intent=_intent(answer.get("intent")),
        language=answer.get("language"),
    )


def _parsed(item: Mapping[str, Any]) -> Parsed:
    return Parsed(
        intent=_intent(item.get("intent")) or Intent("", 0.0),
        language=item.get("language"),
        dissatisfaction=item.get("dissatisfaction") or {},
        entities=tuple(item.get("entities") or ()),
    )


def _intent(value: Mapping[str, Any] | None) -> Intent | None:
    return Intent(value["name"], float(value["confidence"])) if value else None
