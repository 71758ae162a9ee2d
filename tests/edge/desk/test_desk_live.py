"""Open pages of the desk hear of what happens, while it happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import ClientResponse

from bot.services.agents import sign_out
from bot.services.desk import CaseDesk

from .conftest import Town, Visitor


async def next_event(stream: ClientResponse) -> str:
    """The data of the next event."""
    lines: list[str] = []
    async with asyncio.timeout(10):
        while True:
            line = (await stream.content.readline()).decode()
            assert line, "the stream has ended"
            if line.startswith("data: "):
                lines.append(line[6:])
            elif line == "\n" and lines:
                return "".join(lines)


@asynccontextmanager
async def listening(visitor: Visitor, path: str) -> AsyncIterator[ClientResponse]:
    """An open stream, which begins with what the page shows now."""
    async with visitor.browser.get(path) as stream:
        assert (stream.status, stream.content_type) == (200, "text/event-stream")
        await next_event(stream)
        yield stream


async def test_a_reply_appears_on_the_open_case_page(town: Town) -> None:
    """The part of the page that shows the case is sent again, ready to be morphed in."""
    case = await town.unhappy_case()
    mira = await town.signed_in(town.mira)

    async with listening(mira, f"/desk/cases/{case}/events") as stream:
        await CaseDesk(town.shop).reply(case, town.sam.id, "Robin, Sam here.")
        fragment = await next_event(stream)
        while "Robin, Sam here." not in fragment:
            fragment = await next_event(stream)

    assert fragment.lstrip().startswith('<div id="case"')
    assert "Sam has this case" in fragment


async def test_a_new_case_appears_in_the_open_queue(town: Town) -> None:
    """Without a reload, in the view that is open."""
    sam = await town.signed_in()

    async with listening(sam, "/desk/events?view=unassigned") as stream:
        case = await town.unhappy_case()
        fragment = await next_event(stream)
        while f"/desk/cases/{case}" not in fragment:
            fragment = await next_event(stream)

    assert 'id="queue"' in fragment
    assert "Robin" in fragment


async def test_a_stream_ends_with_its_session(town: Town) -> None:
    """What is signed out hears nothing more."""
    case = await town.unhappy_case()
    sam = await town.signed_in()
    token = next(cookie.value for cookie in sam.browser.session.cookie_jar if cookie.key == "afterword_desk")

    async with listening(sam, f"/desk/cases/{case}/events") as stream:
        await sign_out(town.shop, token)
        await CaseDesk(town.shop).reply(case, town.mira.id, "Mira here.")
        async with asyncio.timeout(10):
            rest = await stream.content.read()

    assert b"Mira here." not in rest
