"""Agents' corrections are kept, and enough of them change the detector at that site."""

from __future__ import annotations

import math
from random import Random

import pytest

from bot.core.assessment import Reading
from bot.core.errors import Refused
from bot.core.vocabulary import Medium, Verdict
from bot.services.agents import add_agent
from bot.services.conversing import conversation_at
from bot.services.entities import AssessmentRecord, VerdictLabel
from bot.services.inbound import Received, receive_sms
from bot.services.learning import calibration_for, label_verdict, recalibrate
from bot.services.recovery import Recovery
from bot.services.workshop import Workshop
from tests.services.house import House


async def an_assessment(house: House, number: int, p: float) -> AssessmentRecord:
    """A reply that the detector gave probability `p`."""
    message = await receive_sms(house.shop, f"+4420794601{number:02d}", Received(f"reply {number}"))
    await Recovery(house.shop).assess_reply(message.conversation_id, message.id, Reading(message.text, p=p))
    async with house.shop.store(read_only=True) as tx:
        record = await tx.one(AssessmentRecord, message_id=message.id)
    assert record is not None
    return record


async def test_the_last_word_of_an_agent_counts(house: House) -> None:
    """One label for one assessment, with who said it."""
    sam = await add_agent(house.shop, email="sam@example.com", name="Sam", password="long enough")
    record = await an_assessment(house, 1, 0.7)

    await label_verdict(house.shop, record.id, sam.id, unhappy=True)
    await label_verdict(house.shop, record.id, sam.id, unhappy=False)

    async with house.shop.store(read_only=True) as tx:
        (label,) = await tx.all(VerdictLabel)
    assert (label.unhappy, label.by, label.uncalibrated) == (False, "Sam", record.uncalibrated)


async def test_enough_corrections_move_the_detector_there_and_say_so(house: House) -> None:
    """A town that grumbles kindly: what was 40 % is less now, and the assessment says why."""
    dice = Random(1)
    said = [dice.gauss(-0.5, 2.5) for _ in range(300)]
    meant = [dice.random() < 1 / (1 + math.exp(1.5 - x)) for x in said]
    await labelled(house.shop, [(1 / (1 + math.exp(-x)), unhappy) for x, unhappy in zip(said, meant, strict=True)])

    (everywhere,) = await recalibrate(house.shop)
    record = await an_assessment(house, 2, 0.4)

    assert everywhere.refit is not None
    assert everywhere.refit.kept
    assert everywhere.refit.after.log_loss < everywhere.refit.before.log_loss
    assert record.probability < 0.4
    assert "site_learnt" in {signal["name"] for signal in record.signals}
    assert record.uncalibrated == pytest.approx(0.4)


async def test_too_few_corrections_change_nothing(house: House) -> None:
    """And the report says how many there were."""
    await labelled(house.shop, [(0.9, False)] * 10)

    (few,) = await recalibrate(house.shop)

    assert (few.labels, few.refit) == (10, None)
    async with house.shop.store(read_only=True) as tx:
        assert (await calibration_for(tx, "en", "harbour")).slope == 1


async def test_a_silence_cannot_be_corrected(house: House) -> None:
    """There are no words to learn from."""
    sam = await add_agent(house.shop, email="sam@example.com", name="Sam", password="long enough")
    record = await an_assessment(house, 3, 0.4)
    async with house.shop.store() as tx:
        (await tx.get(AssessmentRecord, record.id)).message_id = None
        await tx.commit()

    with pytest.raises(Refused, match="answer in words"):
        await label_verdict(house.shop, record.id, sam.id, unhappy=True)


async def labelled(shop: Workshop, labels: list[tuple[float, bool]]) -> None:
    """Labels of these uncalibrated probabilities, in English, at no site in particular."""
    async with shop.store() as tx:
        conversation = await conversation_at(tx, Medium.SMS, "+442079460999", shop.clock())
        for number, (p, unhappy) in enumerate(labels):
            record = AssessmentRecord(
                id=f"a-{number}",
                conversation_id=conversation.id,
                service_event_id=None,
                message_id=None,
                verdict=Verdict.LUKEWARM,
                probability=p,
                threshold=0.5,
                at=shop.clock(),
            )
            tx.add(record)
            await tx.flush()
            tx.add(
                VerdictLabel(
                    id=f"l-{number:04d}",
                    assessment_id=record.id,
                    site_id=None,
                    language="en",
                    uncalibrated=p,
                    unhappy=unhappy,
                    by="Sam",
                    at=shop.clock(),
                )
            )
        await tx.commit()
