"""A turn that outlives whoever waited for it changes nothing: neither the case, nor the verdict, nor the consent."""

from __future__ import annotations

from typing import Any

import pytest

from bot.core.errors import Conflict
from bot.core.vocabulary import CaseState, HandoffReason
from bot.services.conversing import handling_key
from bot.services.entities import Case, ContactPoint, Task
from tests.services.house import CONTENT, UNHAPPY, House


async def test_an_answered_message_is_not_assessed_handed_over_or_obeyed_any_more(house: House) -> None:
    """Its turn hung at one server while the worker had it answered elsewhere."""
    await house.serve()
    house.dialogue.during_turn = None
    message = await house.writes("lovely")
    ids = (message.conversation_id, message.id)

    late: list[Any] = [
        lambda: house.recovery.assess_reply(*ids, UNHAPPY),
        lambda: house.recovery.hand_off(*ids, HandoffReason.DISSATISFIED),
        lambda: house.recovery.opt_out(*ids),
        lambda: house.recovery.wrong_person(*ids),
    ]
    for act in late:
        with pytest.raises(Conflict, match="answered already"):
            await act()

    assert await house.cases() == []
    point = await house.one(ContactPoint)
    assert (point.opted_out_at, point.invalid_since) == (None, None)


async def test_a_no_that_comes_late_does_not_reopen_what_was_resolved_meanwhile(house: House) -> None:
    """The customer said no, the case was reopened and made good again; then the hung turn goes on."""
    agent = await house.hires()
    await house.serve()
    await house.resolves(await house.complains(), agent)
    house.dialogue.during_turn = None
    message = await house.arrives("no, still wrong")
    house.dialogue.during_turn = None
    await house.recovery.follow_up_answered(message.conversation_id, message.id, False)
    await house.worker.drain()
    assert (await house.case()).state is CaseState.REOPENED
    await house.resolves(await house.case(), agent)

    with pytest.raises(Conflict, match="answered already"):
        await house.recovery.follow_up_answered(message.conversation_id, message.id, False)

    assert (await house.case()).state is CaseState.RESOLVED


async def test_the_same_no_twice_at_once_is_one_no(house: House) -> None:
    """A turn that is tried again while its first try still runs hears the same outcome."""
    agent = await house.hires()
    await house.serve()
    await house.resolves(await house.complains(), agent)
    message = await house.arrives("no, still wrong")

    outcomes = [await house.recovery.follow_up_answered(message.conversation_id, message.id, False) for _ in range(2)]

    assert [recorded.outcome for recorded in outcomes] == ["reopened", "reopened"]
    assert (await house.timeline(await house.one(Case))).count("reopened") == 1


async def test_a_turn_that_is_still_waited_for_may_do_everything(house: House) -> None:
    """While the message is being handled, or waits to be tried again."""
    await house.serve()
    message = await house.arrives("lovely")
    assert (await house.one(Task, key=handling_key(message.id))).state == "todo"

    assessed = await house.recovery.assess_reply(message.conversation_id, message.id, CONTENT)

    assert assessed.verdict.value == "satisfied"
