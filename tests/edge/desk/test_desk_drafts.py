"""What helps while a reply is written: hints about the words, and what the playbook proposes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from bot.core.playbook import Gesture, Playbook, Playbooks
from bot.core.vocabulary import Failure, GrantKind, Severity
from bot.services import apology
from bot.services.entities import Message
from tests.conftest import FakeChannel

from .conftest import Town

ROOT = Path(__file__).resolve().parents[3]
WORDS = "An hour is far too long, and I am sorry."
WAIT = Playbook(
    Failure.WAIT,
    Severity.MEDIUM,
    3,
    words={"en": WORDS},
    gesture=Gesture(GrantKind.VOUCHER, Decimal(20)),
    first_response=timedelta(minutes=20),
    hints=("Say how long it was.",),
)
SPOILT = "I'm sorry, but our system was down."


@pytest.fixture(autouse=True)
def prepared(town: Town) -> None:
    """The desk reads drafts, and has a playbook for long waits."""
    rules = apology.load(ROOT / "data/apology")
    town.shop = replace(town.shop, apology=rules, playbooks=Playbooks([WAIT]))


async def test_a_draft_is_read_while_it_is_written(town: Town) -> None:
    """A script gets the hints alone: what reads how, and what to say instead. Nothing is sent or stored."""
    case = await town.unhappy_case()
    sam = await town.signed_in()

    answer = await sam.send(f"/desk/cases/{case}/lint", headers={"HX-Request": "true"}, text=SPOILT)

    hints = await answer.text()
    assert answer.status == 200
    assert "<html" not in hints
    assert 'Reads as an excuse:</span> “<bdi lang="en">our system</bdi>”. Say what happens next instead.' in hints
    assert "Takes the apology back" in hints
    async with town.shop.store(read_only=True) as tx:
        assert not await tx.all(Message, text=SPOILT)


async def test_a_good_draft_is_left_alone(town: Town) -> None:
    """While it is written nothing is said at all; whoever asks is answered."""
    case = await town.unhappy_case()
    sam = await town.signed_in()
    as_script = {"HX-Request": "true"}

    typed = await sam.send(f"/desk/cases/{case}/lint", headers=as_script, text=WORDS)
    asked = await sam.send(f"/desk/cases/{case}/lint", headers=as_script, text=WORDS, asked="yes")

    assert "<p" not in await typed.text()
    assert "Nothing to mention." in await asked.text()


async def test_without_script_a_button_checks_and_the_draft_stays(town: Town) -> None:
    """The same page, with the words still in the form and the hints under them."""
    case = await town.unhappy_case()
    sam = await town.signed_in()

    answer = await sam.send(f"/desk/cases/{case}/lint", text=SPOILT, asked="yes")

    page = await answer.text()
    assert f'formaction="/desk/cases/{case}/lint"' in page
    assert "I&#39;m sorry, but our system was down.</textarea>" in page
    assert "Reads as an excuse" in page


async def test_hints_are_no_wall(town: Town, sms: FakeChannel) -> None:
    """Whoever writes knows the customer."""
    case = await town.unhappy_case()
    sam = await town.signed_in()

    answer = await sam.send(f"/desk/cases/{case}/replies", text=SPOILT)
    await town.worker.drain()

    assert answer.status == 303
    assert SPOILT in sms.texts


async def test_a_draft_never_becomes_html(town: Town) -> None:
    """Evidence is text."""
    case = await town.unhappy_case()
    sam = await town.signed_in()

    text = "Unfortunately <script>alert(1)</script>, due to <b>us</b>"
    answer = await sam.send(f"/desk/cases/{case}/lint", text=text, headers={"HX-Request": "true"})

    assert "<script>alert" not in await answer.text()


async def test_checking_asks_for_our_own_token_and_keeps_the_draft_without_it(town: Town) -> None:
    """403, and the words stand in the form again."""
    case = await town.unhappy_case()
    sam = await town.signed_in()

    form = {"csrf": "guessed", "text": "Words that took ten minutes"}
    answer = await sam.browser.post(f"/desk/cases/{case}/lint", data=form, allow_redirects=False)

    assert answer.status == 403
    assert "Words that took ten minutes</textarea>" in await answer.text()


async def test_the_case_shows_what_its_playbook_proposes(town: Town) -> None:
    """Words to begin with, hints, and the gesture filled in for whoever holds the case."""
    case = await town.unhappy_case()
    sam = await town.signed_in()
    await sam.send(f"/desk/cases/{case}/claim")

    page = await sam.look(f"/desk/cases/{case}")

    assert 'title="Playbook wait/medium@3">Waiting, medium</span>' in page
    assert "Say how long it was." in page
    assert f">{WORDS}</p>" in page
    assert 'value="20.00"' in page
    assert '<option value="voucher" selected>' in page
    assert f"{WORDS}</textarea>" not in page


async def test_the_proposed_words_begin_a_reply(town: Town) -> None:
    """By a plain link, where there is no script."""
    case = await town.unhappy_case()
    sam = await town.signed_in()

    page = await sam.look(f"/desk/cases/{case}?words=playbook")

    assert f"{WORDS}</textarea>" in page


async def test_a_granted_gesture_is_not_proposed_again(town: Town) -> None:
    """The next one is judgement."""
    case = await town.unhappy_case()
    sam = await town.signed_in()
    await sam.send(f"/desk/cases/{case}/claim")

    await sam.send(f"/desk/cases/{case}/grants", kind="voucher", amount="20.00", currency="EUR", given="0")

    page = await sam.look(f"/desk/cases/{case}")
    assert "€20.00" in page
    assert 'value="20.00"' not in page
    assert "The playbook suggests voucher" not in page
