"""Rasa over HTTP, through the channel of `bot.rasa_compat.channel`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp

from bot.core.dialogue import DialogueRejected, DialogueUnavailable, Intent, Parsed, Turn, Utterance

BATCH = 200
READY_TIMEOUT = 2.0


class RasaDialogue:
    """The dialogue behind `base_url`, for example `http://127.0.0.1:5005`.

    Every method but `ready` raises DialogueUnavailable when Rasa cannot be reached, takes longer than `timeout` seconds
    or reports a failure (the same call may be made again), and DialogueRejected when it refuses the call for good.
    """

    def __init__(self, session: aiohttp.ClientSession, base_url: str, token: str, timeout: float = 15.0) -> None:
        self._session = session
        self._base_url = base_url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"}
        self._timeout = aiohttp.ClientTimeout(total=timeout)

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
        """Whether a model is loaded and our secret is the right one."""
        try:
            await self._post(
                "parse",
                {"items": []},
                aiohttp.ClientTimeout(total=min(READY_TIMEOUT, self._timeout.total or READY_TIMEOUT)),
            )
        except (DialogueUnavailable, DialogueRejected):
            return False
        return True

    async def _post(self, path: str, body: dict[str, Any], limit: aiohttp.ClientTimeout | None = None) -> Any:
        url = f"{self._base_url}/webhooks/afterword/{path}"
        try:
            async with self._session.post(
                url, json=body, headers=self._headers, timeout=limit or self._timeout
            ) as response:
                if response.status >= 500 or response.status == 429:
                    raise DialogueUnavailable(f"Rasa answered {response.status} to {path}.")
                if response.status != 200:
                    raise DialogueRejected(f"Rasa refused {path} with {response.status}: {await _detail(response)}")
                return await response.json()
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise DialogueUnavailable(f"Rasa did not answer {path}: {type(error).__name__}.") from error


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
