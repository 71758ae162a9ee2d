"""Towns to test in."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestServer, unused_port

from bot.channels.simulator import LOOKALIKE, create_lookalike, create_simulator
from tests.channels.town import ACCOUNT, NUMBER, TOKEN, Open, Town, note_taking_edge


@pytest.fixture
async def open_town(tmp_path: Path) -> AsyncIterator[Open]:
    """Opens towns; the same `book` gives the same memory."""
    async with AsyncExitStack() as stack:

        async def open_one(book: str = "book.sqlite3", fragment: str = "", **options: Any) -> Town:
            port = unused_port()
            url = f"http://127.0.0.1:{port}"
            session = await stack.enter_async_context(aiohttp.ClientSession())
            twilio = create_lookalike(
                tmp_path / book,
                ACCOUNT,
                TOKEN,
                NUMBER,
                f"{url}/webhooks/twilio/sms{fragment}",
                f"{url}/webhooks/twilio/status",
                session,
                **({"pace": 0.001, "retry_pause": 0.001} | options),
            )
            town = Town(url, session, twilio[LOOKALIKE])
            app = note_taking_edge(town)
            app.add_subapp("/simulator", create_simulator(twilio))
            await stack.enter_async_context(TestServer(app, port=port))
            return town

        yield open_one


@pytest.fixture
async def town(open_town: Open) -> Town:
    """A town on a good day."""
    return await open_town()
