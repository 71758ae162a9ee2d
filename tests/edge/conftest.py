"""The edge on a real socket over a fresh store, with the doors its callers use."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer
from twilio.request_validator import RequestValidator

from bot.channels.twilio.inbound import parse_inbound, parse_status
from bot.channels.twilio.signature import verify
from bot.core.vocabulary import Role
from bot.edge.app import create_app
from bot.edge.twilio_port import TwilioPort
from bot.services.agents import add_agent, add_api_key
from bot.services.entities import Agent
from bot.services.workshop import Workshop
from bot.settings import Settings

PUBLIC = "https://afterword.example"
TWILIO_TOKEN = "twilio-token-of-the-tests"
IDENTITY_SECRET = "identity-secret-of-the-tests-0123456789"

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True, ids=[""])
"""For tests whose outcome does not hang on the kind of database; the others run on both."""

Json = dict[str, Any]


@pytest.fixture
def settings() -> Settings:
    """A development edge that the internet knows under another address."""
    return Settings(
        public_url=PUBLIC,
        twilio_auth_token=TWILIO_TOKEN,
        identity_secret=IDENTITY_SECRET,
        web_origins=("https://harbour.example",),
        worker=False,
    )


@pytest.fixture
def twilio() -> TwilioPort:
    """The real adapter."""
    return TwilioPort(partial(verify, auth_token=TWILIO_TOKEN), parse_inbound, parse_status)


@pytest.fixture
def app(shop: Workshop, settings: Settings, twilio: TwilioPort) -> web.Application:
    """The whole edge."""
    return create_app(shop, settings, twilio=twilio)


@dataclass
class Edge:
    """The edge as its callers meet it."""

    client: TestClient[web.Request, web.Application]
    headers: Json = field(default_factory=dict)

    def with_key(self, key: str) -> Edge:
        """The same edge for somebody with a key or a token."""
        return Edge(self.client, {**self.headers, "Authorization": f"Bearer {key}"})

    async def get(self, path: str, status: int = 200, **options: Any) -> Any:
        """GET; the body of the answer, which must have this status."""
        return await self.call("GET", path, status, **options)

    async def post(self, path: str, body: Any = None, status: int = 200, **options: Any) -> Any:
        """POST a JSON body; the body of the answer, which must have this status."""
        return await self.call("POST", path, status, json=body, **options)

    async def call(self, method: str, path: str, status: int, **options: Any) -> Any:
        """One request; the body of the answer, as JSON where it is."""
        options["headers"] = {**self.headers, **options.get("headers", {})}
        async with self.client.request(method, path, **options) as response:
            body = await response.text()
            assert response.status == status, f"{response.status}: {body}"
            return await response.json(content_type=None) if "json" in response.content_type else body

    async def open(self, path: str, **headers: str) -> ClientResponse:
        """GET a stream or a page; the answer itself."""
        return await self.client.get(path, headers={**self.headers, **headers})

    async def twilio(self, path: str, form: Mapping[str, str], status: int = 200, *, token: str = TWILIO_TOKEN) -> str:
        """Call a webhook as Twilio does, signed with its token."""
        signature = RequestValidator(token).compute_signature(PUBLIC + path, dict(form))
        async with self.client.post(path, data=dict(form), headers={"X-Twilio-Signature": signature}) as response:
            text = await response.text()
            assert response.status == status, text
            return text


@pytest.fixture
async def edge(app: web.Application) -> AsyncIterator[Edge]:
    """The edge, listening."""
    async with TestClient(TestServer(app)) as client:
        yield Edge(client)


@pytest.fixture
async def api(edge: Edge, shop: Workshop) -> Edge:
    """The edge for a program with an ordinary key."""
    return edge.with_key(await add_api_key(shop, "tests", "api"))


@pytest.fixture
async def desk_api(edge: Edge, shop: Workshop) -> Edge:
    """The edge for a program that may act for agents."""
    return edge.with_key(await add_api_key(shop, "tests of the desk", "desk"))


@pytest.fixture
async def sam(shop: Workshop) -> Agent:
    """An agent."""
    return await add_agent(shop, email="sam@example.org", name="Sam", password="long enough to keep")


@pytest.fixture
async def kim(shop: Workshop) -> Agent:
    """A supervisor."""
    return await add_agent(
        shop, email="kim@example.org", name="Kim", password="long enough to keep", role=Role.SUPERVISOR
    )
