"""The customers who are asked, and the agent who helps them. They behave the same whatever is being killed."""

from __future__ import annotations

import asyncio
import contextlib
import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from bot.channels.simulator.lookalike import Lookalike
from tests.e2e.business import LATE, finished

_PATIENCE = 600.0
_LOOK_EVERY = 0.25


class Api:
    """The JSON API over a connection that may break at any moment: asked again until it answers, never twice obeyed."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str, key: str) -> None:
        self._session = session
        self._base_url = base_url
        self._headers = {"Authorization": f"Bearer {key}"}

    async def get(self, path: str) -> Any:
        """What is there; None when there is nothing."""
        return (await self._ask("GET", path, None, {}))[1]

    async def post(self, path: str, body: Any) -> tuple[int, Any]:
        """Done once, however often it has to be asked; the status and the answer."""
        return await self._ask("POST", path, body, {"Idempotency-Key": uuid.uuid4().hex})

    async def _ask(self, method: str, path: str, body: Any, headers: dict[str, str]) -> tuple[int, Any]:
        deadline = asyncio.get_running_loop().time() + _PATIENCE
        while True:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
                async with self._session.request(
                    method,
                    f"{self._base_url}/api/v1{path}",
                    json=body,
                    headers={**self._headers, **headers},
                    timeout=aiohttp.ClientTimeout(total=20),
                ) as response:
                    answer = await response.json()
                    still_answering = response.status == 409 and "still being answered" in str(answer.get("detail"))
                    if response.status < 500 and not still_answering:
                        return response.status, answer
            assert asyncio.get_running_loop().time() < deadline, f"{method} {path} was never answered"
            await asyncio.sleep(0.3)


@dataclass(slots=True)
class Story:
    """What one kind of customer writes, each text after an answer to the one before, and how it ends."""

    name: str
    texts: Sequence[str | tuple[str, ...]]
    facts: dict[str, Any] = field(default_factory=dict)
    case: bool = False
    opted_out: bool = False


CONTENT = Story("content", ["All good, thanks!"])
MASKED = Story("masked", ["it was fine I guess, bit of a wait though"], facts=LATE, case=True)
COMPLAINS = Story("complains", ["The soup was cold and nobody cared, I want to speak to someone."], case=True)
HURRIED = Story("hurried", [("The soup was cold.", "And we waited an hour. I want to speak to a person.")], case=True)
STOPS = Story("stops", ["STOP"], opted_out=True)
STORIES = (CONTENT, MASKED, COMPLAINS, HURRIED, STOPS, MASKED, COMPLAINS)
THANKS, FIXED, SETTLED = "thank you", "yes, all good now, thanks", "All settled"


@dataclass(slots=True)
class Customer:
    """One person with a phone. `written` is every text they sent, as the look-alike numbered it, in order."""

    phone: str
    story: Story
    written: list[str] = field(default_factory=list)
    lost_patience: str = ""

    async def live(self, api: Api, twilio: Lookalike) -> None:
        """Be served, be asked, answer, and where there is a case, see it to its end."""
        try:
            status, told = await api.post("/service-events", finished(self.phone, facts=self.story.facts))
            assert status in (200, 201), told
            await self._heard(twilio, 1)
            for texts in self.story.texts:
                before = len(await self._received(twilio))
                for text in (texts,) if isinstance(texts, str) else texts:
                    self.written.append(await twilio.receive(self.phone, text))
                await self._heard(twilio, before + 1)
            if self.story.case:
                await self._be_helped(twilio)
        except TimeoutError as error:
            self.lost_patience = str(error)

    async def _be_helped(self, twilio: Lookalike) -> None:
        await self._until(twilio, "Sam", lambda received: any("this is Sam" in text for text in received))
        self.written.append(await twilio.receive(self.phone, THANKS))
        await self._until(twilio, "the question whether it helped", _asked_whether_it_helped)
        self.written.append(await twilio.receive(self.phone, FIXED))

    async def _heard(self, twilio: Lookalike, count: int) -> None:
        await self._until(twilio, f"message {count}", lambda received: len(received) >= count)

    async def _until(self, twilio: Lookalike, what: str, seen: Any) -> None:
        deadline = asyncio.get_running_loop().time() + _PATIENCE
        while not seen(received := await self._received(twilio)):
            if asyncio.get_running_loop().time() > deadline:
                raise TimeoutError(f"{self.phone} ({self.story.name}) waited for {what} and has {received}")
            await asyncio.sleep(_LOOK_EVERY)

    async def _received(self, twilio: Lookalike) -> list[str]:
        return [entry.body for entry in await twilio.book.thread(self.phone) if entry.direction != "inbound"]


def _asked_whether_it_helped(received: Sequence[str]) -> bool:
    settled = next((n for n, text in enumerate(received) if SETTLED in text), len(received))
    return any("Is it right now?" in text for text in received[settled:])


class Sam:
    """The agent: takes every case, answers, sees to every step, and settles it."""

    def __init__(self, api: Api, email: str) -> None:
        self._api = api
        self._agent = {"agent": email}
        self._seen: set[str] = set()

    async def work(self, until: asyncio.Event) -> None:
        """Help everybody there is until told to go home; then what is begun is finished."""
        async with asyncio.TaskGroup() as helping:
            while not until.is_set():
                for case in (await self._api.get("/cases?state=open&limit=200"))["items"]:
                    if case["id"] not in self._seen:
                        self._seen.add(case["id"])
                        helping.create_task(self._help(case["id"]))
                await asyncio.sleep(_LOOK_EVERY)

    async def _help(self, case_id: str) -> None:
        await self._do(case_id, "claim")
        await self._do(case_id, "replies", text="Robin, this is Sam. I am so sorry; what would put it right?")
        await asyncio.sleep(random.Random(case_id).uniform(0.5, 2))
        for step in ("apologise", "act", "compassion", "compensate"):
            await self._do(case_id, f"steps/{step}", state="done", note="seen to")
        await self._do(case_id, "replies", text=f"{SETTLED}: lunch is on us, and a table is yours on Friday.")
        await self._do(case_id, "resolve", summary="lunch refunded")

    async def _do(self, case_id: str, act: str, **body: str) -> None:
        status, answer = await self._api.post(f"/cases/{case_id}/{act}", {**self._agent, **body})
        if status == 409 and act == "resolve":
            # Obeyed already: the edge died between doing it and keeping its answer under the request's key.
            case = await self._api.get(f"/cases/{case_id}")
            assert case["state"] in ("resolved", "closed"), f"{act}: {answer}"
            return
        assert status == 200, f"{act}: {answer}"
