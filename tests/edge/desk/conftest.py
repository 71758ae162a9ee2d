"""A desk on a real server: one site, two agents, and Robin, whose lunch went wrong."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient
from argon2 import PasswordHasher

from bot.core.assessment import Reading, Signal
from bot.core.vocabulary import HandoffReason, Medium, Role
from bot.edge.desk import add_desk
from bot.edge.keys import LIVE, SETTINGS, SHOP, TEMPLATES
from bot.edge.live import Live
from bot.edge.pages import STATIC, error_page, page_globals, templates
from bot.edge.problems import problems
from bot.services import agents
from bot.services.agents import add_agent
from bot.services.entities import Agent, Case
from bot.services.inbound import Received, receive_sms
from bot.services.intake import FinishedService, ServedCustomer, receive_service_event
from bot.services.recovery import Recovery
from bot.services.workshop import Workshop
from bot.settings import Settings
from bot.work.loop import Worker
from tests.conftest import Clock, FakeDialogue

PASSWORD = "correct horse"
PHONE = "+447700900001"
Browser = TestClient[web.Request, web.Application]


@dataclass
class Town:
    """The workshop, the people at its desk, and a door to it."""

    shop: Workshop
    clock: Clock
    worker: Worker
    dialogue: FakeDialogue
    sam: Agent
    mira: Agent
    open_browser: Callable[..., Awaitable[Browser]]

    def app(self, **settings: Any) -> web.Application:
        """An application with nothing but the desk."""
        app = web.Application(middlewares=[problems(error_page)])
        # A folder of its own: what `make run` left in the real one must not show up on the login page here.
        app[SHOP], app[SETTINGS] = self.shop, Settings(**{"data_dir": Path("no-such-folder"), **settings})
        app[TEMPLATES] = templates(page_globals(simulator=True, production=False))
        app[LIVE] = live = Live(self.shop.store, poll=0.02)

        async def watch(_: web.Application) -> AsyncIterator[None]:
            live.start()
            yield
            await live.close()

        app.cleanup_ctx.append(watch)

        async def hang_up(_: web.Application) -> None:
            live.hang_up()

        app.on_shutdown.append(hang_up)
        app.router.add_static("/static/", STATIC)
        add_desk(app)
        return app

    async def stranger(self, **settings: Any) -> Browser:
        """A browser that nobody signed in."""
        return await self.open_browser(self.app(**settings))

    async def signed_in(self, agent: Agent | None = None) -> Visitor:
        """A browser in which an agent, Sam unless said otherwise, has signed in."""
        browser = await self.stranger()
        form = {"email": (agent or self.sam).email, "password": PASSWORD}
        answer = await browser.post("/desk/login", data=form, allow_redirects=False)
        assert answer.status == 303
        return Visitor(browser)

    async def unhappy_case(self, text: str = "Lovely, but I guess we waited ages", name: str = "Robin") -> str:
        """A lunch, a check-in, an unhappy answer: the id of the case it became."""
        await receive_service_event(self.shop, lunch(name))
        await self.worker.drain()
        recovery = Recovery(self.shop)

        async def turn(conversation_id: str, message_id: str) -> None:
            signals = (Signal("hedge", 0.6, "I guess"), Signal("contrast", 0.4, "but"))
            reading = Reading(text, 0.9, signals, "complaint", 0.9, failure="wait", failure_words="waited ages")
            await recovery.assess_reply(conversation_id, message_id, reading)
            await recovery.hand_off(conversation_id, message_id, HandoffReason.DISSATISFIED)

        self.clock.forward(minutes=3)
        self.dialogue.during_turn, self.dialogue.says = turn, ["I am sorry. A person answers by 12:35."]
        await receive_sms(self.shop, PHONE, Received(text, provider_id=f"SM-{text[:20]}"))
        await self.worker.drain()
        self.dialogue.during_turn = None
        async with self.shop.store(read_only=True) as tx:
            return (await tx.all(Case))[0].id


@dataclass
class Visitor:
    """A signed-in browser. Forms carry the token of the page they were on."""

    browser: Browser

    async def csrf(self) -> str:
        """The token the pages carry."""
        page = await (await self.browser.get("/desk")).text()
        found = re.search(r'name="csrf" value="([^"]+)"', page)
        assert found is not None
        return unescape(found[1])

    async def look(self, path: str, status: int = 200) -> str:
        """A page, as text."""
        answer = await self.browser.get(path, headers={"Accept": "text/html"})
        assert answer.status == status, await answer.text()
        return await answer.text()

    async def send(self, path: str, *, headers: dict[str, str] | None = None, **form: str) -> ClientResponse:
        """Send a form and stay at its answer."""
        data = {"csrf": await self.csrf(), **form}
        return await self.browser.post(path, data=data, headers=headers, allow_redirects=False)


def lunch(name: str = "Robin", external_id: str = "order-1") -> FinishedService:
    """An hour's wait at the Harbour, just over."""
    return FinishedService(
        external_id=external_id,
        kind="restaurant_visit",
        site_id="harbour",
        service="lunch",
        finished_at=Clock().now,
        customer=ServedCustomer("c-1", name, PHONE, "en", "Europe/London", {Medium.SMS: True}, ("window table",)),
        medium=Medium.SMS,
        facts={
            "wait_minutes": 55,
            "promised_wait_minutes": 20,
            "staff": ["Deniz"],
            "amount": {"value": "42.00", "currency": "EUR"},
        },
    )


@pytest.fixture
async def town(shop: Workshop, clock: Clock, dialogue: FakeDialogue, aiohttp_client: Any) -> Town:
    """Sam and Mira at the Harbour's desk."""
    sam = await add_agent(shop, email="sam@example.com", name="Sam", password=PASSWORD, site_id="harbour")
    mira = await add_agent(
        shop, email="mira@example.com", name="Mira", password=PASSWORD, site_id="harbour", role=Role.SUPERVISOR
    )
    return Town(shop, clock, Worker(shop), dialogue, sam, mira, aiohttp_client)


@pytest.fixture(autouse=True)
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Real argon2, at a price fit for tests."""
    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(agents, "_HASHER", hasher)
    monkeypatch.setattr(agents, "_NOBODY", hasher.hash("nobody"))
