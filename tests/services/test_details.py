"""What the customer said about amounts, order numbers and times stays with the case."""

from __future__ import annotations

from dataclasses import replace

from bot.core.vocabulary import CaseState, Role
from bot.services import resources
from bot.services.entities import Case, Json
from tests.services.house import UNHAPPY, House


async def details(house: House, case: Case) -> list[tuple[str, str, str]]:
    """Kind, value and words of every detail in the snapshot of a case."""
    async with house.shop.store(read_only=True) as tx:
        found: list[Json] = (await resources.case_snapshot(tx, case.id, house.clock.now))["details"]
    return [(detail["kind"], detail["value"], detail["words"]) for detail in found]


async def test_details_are_kept_with_their_words_before_and_after_a_person_took_over(house: House) -> None:
    """Each once, in the order they were named, from the answer and from what follows it."""
    await house.serve()
    house.reading = UNHAPPY
    await house.writes("order 4471 was cold and we waited forty minutes")
    case = await house.case()

    await house.writes("I paid 35 € for order 4471")

    assert await details(house, case) == [
        ("order_number", "4471", "order 4471"),
        ("duration", "40 min", "forty minutes"),
        ("amount", "35 EUR", "35 €"),
    ]


async def test_our_own_words_are_no_details(house: House) -> None:
    """An offer of ours is not something the customer named."""
    await house.serve()
    case = await house.complains()
    sam = await house.hires(role=Role.SUPERVISOR)
    await house.desk.claim(case.id, sam.id)

    await house.desk.reply(case.id, sam.id, "I have sent 20 € for order 9999.")

    assert await details(house, case) == [("duration", "1 h", "an hour")]


async def test_a_case_does_not_inherit_what_the_one_before_was_about(house: House) -> None:
    """What was said before an earlier case closed stays with that case."""
    await house.serve()
    house.reading = UNHAPPY
    await house.writes("order 4471 never came")
    first = await house.case()
    house.clock.forward(minutes=5)
    async with house.shop.store() as tx:
        closed = await tx.get(Case, first.id)
        closed.state, closed.closed_at = CaseState.CLOSED, house.clock.now
        thread = await tx.get(type(await house.conversation()), closed.conversation_id)
        thread.owner, thread.case_id = type(thread.owner).BOT, None
        await tx.commit()

    house.clock.forward(minutes=5)
    house.reading = replace(UNHAPPY, failure="availability")
    await house.writes("and now order 5520 is late")
    second = await house.case()

    assert second.id != first.id
    assert await details(house, second) == [("order_number", "5520", "order 5520")]
