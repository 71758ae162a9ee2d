"""An agent sees in plain words what became of a text, and that texts are held back."""

from __future__ import annotations

from html import unescape

import pytest

from bot.core.delivery import problem
from bot.core.pace import Pace
from bot.core.vocabulary import Medium
from bot.edge.desk.labels import explained
from bot.services.delivering import record_status
from bot.services.entities import Message
from bot.services.inbound import Received, receive_sms
from bot.services.senders import declare, pause
from tests.edge.desk.conftest import PHONE, Town

CASES = "/desk/cases/"


async def an_undelivered_reply(town: Town, code: str) -> str:
    """The case page after a reply of Sam's came back with this error."""
    case_id = await town.unhappy_case()
    sam = await town.signed_in()
    await sam.send(f"{CASES}{case_id}/replies", text="Robin, Sam here.")
    await town.worker.drain()
    async with town.shop.store(read_only=True) as tx:
        reply = await tx.one(Message, author="agent")
    assert reply is not None
    await record_status(
        town.shop, message_id=reply.id, provider_id=str(reply.provider_id), status="undelivered", error_code=code
    )
    return unescape(await sam.look(CASES + case_id))


@pytest.mark.parametrize(
    ("code", "state", "words"),
    [
        ("30006", "not delivered", "it is a landline, or its carrier takes no texts (30006). Ask for another number"),
        ("30003", "waiting to leave", "the phone is off or out of reach (30003). We send it once more half an hour"),
        ("30007", "not delivered", "the carrier filters our texts (30007). It will not be sent again: call"),
        ("99999", "not delivered", "the provider gave a reason unknown to us (99999). It will not be sent again"),
    ],
)
async def test_what_became_of_a_reply_and_what_to_do(town: Town, code: str, state: str, words: str) -> None:
    """No agent has to know a provider's numbers."""
    page = await an_undelivered_reply(town, code)

    assert f"{state}: {words}" in page


def test_what_is_held_back_or_in_doubt_is_explained() -> None:
    """In our own words where there is no code, without a promise that is over, and never as a bare timeout."""
    assert explained("the customer opted out", "withheld") == "the customer opted out"
    assert "tried again in vain" in explained("30003", "undelivered")
    assert "never send twice" in explained("Twilio did not answer clearly: TimeoutError", "unconfirmed")


async def test_a_sender_that_is_held_back_stands_above_the_cases(town: Town) -> None:
    """On the queue and on the case, on the agent's clock, until it is over."""
    case_id = await town.unhappy_case()
    await declare(town.shop.store, Medium.SMS, "+15005550006", Pace(1), now=town.clock.now)
    sam = await town.signed_in()
    assert "held back until" not in await sam.look("/desk")
    async with town.shop.store() as tx:
        await pause(tx, Medium.SMS, problem("30007"), now=town.clock.now)
        await tx.commit()

    queue, case = unescape(await sam.look("/desk")), unescape(await sam.look(CASES + case_id))

    for page in (queue, case):
        assert "Texts are held back until" in page
        assert "13:03" in page
        assert "The carrier filters our texts (30007): questions and follow-ups wait, answers leave." in page
    town.clock.forward(hours=1, seconds=1)
    assert "held back until" not in await sam.look("/desk")


async def test_what_came_along_with_a_message_is_listed(town: Town) -> None:
    """By kind; a picture is kept at the provider and never fetched into the page."""
    case_id = await town.unhappy_case()
    files = [{"url": f"https://api.example/m/{n}", "content_type": kind} for n, kind in enumerate(("image/jpeg",) * 2)]
    files.append({"url": "https://api.example/m/3", "content_type": ""})
    await receive_sms(town.shop, PHONE, Received("", provider_id="MM1", media=files))

    page = unescape(await (await town.signed_in()).look(CASES + case_id))

    assert "Attached: 2 × image/jpeg, 1 × a file. Kept at the provider; not shown here." in page
    assert "api.example" not in page
