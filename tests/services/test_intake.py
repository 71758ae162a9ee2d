"""A service event arrives: the customer is recognised, the check-in planned, and nothing is counted twice."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from bot.core.errors import Conflict, Refused
from bot.core.vocabulary import CheckInState, Medium
from bot.services.entities import CheckIn, Consent, ContactPoint, Conversation, Customer, ServiceEvent, Task
from bot.services.intake import receive_service_event
from tests.services.house import PHONE, House, lunch, robin

OTHER_PHONE = "+447700900002"


async def test_an_unknown_site_is_refused_with_the_ones_there_are(house: House) -> None:
    """And nothing is left behind."""
    with pytest.raises(Refused, match="there is no site 'habour'; the sites are: harbour") as refusal:
        await receive_service_event(house.shop, lunch(site_id="habour"))

    assert refusal.value.field == "site"
    assert await house.all(Customer) == []


async def test_the_phone_of_another_customer_is_refused(house: House) -> None:
    """Two numbers in the business's system, one phone: somebody has to correct one, and nobody is asked meanwhile."""
    await receive_service_event(house.shop, lunch())

    with pytest.raises(Refused, match="belongs to another customer") as refusal:
        await receive_service_event(house.shop, lunch("order-2", customer=robin(external_id="c-2")))

    assert refusal.value.field == "customer.phone"
    assert len(await house.all(Customer)) == 1


async def test_a_text_check_in_needs_a_phone(house: House) -> None:
    """One that was reported now or before."""
    nameless = lunch(customer=robin(phone=None))
    with pytest.raises(Refused, match="needs the customer's phone") as refusal:
        await receive_service_event(house.shop, nameless)
    assert refusal.value.field == "customer.phone"

    await receive_service_event(house.shop, lunch())
    await receive_service_event(house.shop, lunch("order-2", customer=robin(phone=None)))

    assert len(await house.all(Conversation)) == 1


async def test_a_customer_is_known_by_number_or_by_phone_and_kept_up_to_date(house: House) -> None:
    """What is reported now replaces what was known; what is not reported stays."""
    await receive_service_event(house.shop, lunch())
    again = robin(external_id=None, name="Robin B.", language=None, preferences=("window table",))
    await receive_service_event(house.shop, lunch("order-2", customer=again))

    customer = await house.one(Customer)
    assert (customer.external_id, customer.name, customer.language) == ("c-1", "Robin B.", "en")
    assert customer.preferences == ["window table"]


async def test_a_stranger_who_wrote_first_becomes_the_customer_they_are(house: House) -> None:
    """The thread they began is the one the check-in is asked in."""
    await house.writes("are you open today?")
    stranger = await house.conversation()

    await receive_service_event(house.shop, lunch())

    customer = await house.one(Customer)
    assert (customer.id, customer.name) == (stranger.customer_id, "Robin")
    assert (await house.one(CheckIn)).conversation_id == stranger.id


async def test_a_known_customer_who_wrote_from_a_new_phone_is_recognised_when_it_is_reported(house: House) -> None:
    """Nobody knew whose number it was; now the business says so, and the thread and its case become theirs."""
    await receive_service_event(house.shop, lunch(medium=Medium.WEBCHAT, customer=robin(phone=None)))
    case = await house.complains()
    stranger = (await house.all(Conversation, medium=Medium.SMS))[0]

    await receive_service_event(house.shop, lunch("order-2"))

    customer = await house.one(Customer, external_id="c-1")
    assert (await house.one(Conversation, id=stranger.id)).customer_id == customer.id
    assert (await house.one(ContactPoint, address=PHONE)).customer_id == customer.id
    assert (await house.one(type(case))).customer_id == customer.id


async def test_a_second_phone_is_a_second_thread_of_the_same_customer(house: House) -> None:
    """The check-in goes where the report says."""
    await receive_service_event(house.shop, lunch())
    await receive_service_event(house.shop, lunch("order-2", customer=robin(phone=OTHER_PHONE)))

    assert len(await house.all(Customer)) == 1
    assert {point.address for point in await house.all(ContactPoint)} == {PHONE, OTHER_PHONE}


async def test_every_stated_consent_is_recorded_and_the_latest_counts(house: House) -> None:
    """A no after a yes is a no."""
    await house.serve()
    house.later(minutes=1)
    await house.serve("order-2", customer=robin(consent={Medium.SMS: False}))

    assert [c.granted for c in await house.all(Consent, order_by="at")] == [True, False]
    second = await house.one(ServiceEvent, external_id="order-2")
    assert (await house.one(CheckIn, service_event_id=second.id)).state is CheckInState.SKIPPED


async def test_the_question_is_planned_after_the_delay_and_never_in_the_past(house: House) -> None:
    """The report's own delay goes before the rule's; a late report is asked about now."""
    now = house.clock.now
    for number, (ago, delay) in enumerate([(0, 45), (20, 45), (90, 45), (0, None)]):
        report = lunch(
            f"order-{number}",
            finished_at=now - timedelta(minutes=ago),
            delay=None if delay is None else timedelta(minutes=delay),
        )
        await receive_service_event(house.shop, report)

    events = {event.id: event.external_id for event in await house.all(ServiceEvent)}
    due = {events[check_in.service_event_id]: check_in.due_at - now for check_in in await house.all(CheckIn)}
    assert due == {
        "order-0": timedelta(minutes=45),
        "order-1": timedelta(minutes=25),
        "order-2": timedelta(0),
        "order-3": timedelta(0),
    }


async def test_the_same_report_many_times_at_once_is_one_event(house: House) -> None:
    """A business's system may be impatient: one event, one check-in, one answer for all."""
    answers = await asyncio.gather(*(receive_service_event(house.shop, lunch()) for _ in range(6)))

    assert len({event.id for event, _ in answers}) == 1
    assert sum(created for _, created in answers) == 1
    for kind in (ServiceEvent, CheckIn, Customer, ContactPoint, Conversation):
        assert len(await house.all(kind)) == 1
    assert len(await house.all(Task, kind="send_check_in")) == 1


async def test_two_services_of_a_new_customer_at_once_are_both_kept(house: House) -> None:
    """Neither report is lost to the race for the customer."""
    answers = await asyncio.gather(*(receive_service_event(house.shop, lunch(f"order-{n}")) for n in range(2)))

    assert all(created for _, created in answers)
    assert len(await house.all(Customer)) == 1
    assert len(await house.all(CheckIn)) == 2


async def test_a_contradiction_stays_one_even_at_once(house: House) -> None:
    """One of two different reports under one number stands."""
    reports = [lunch(), lunch(facts={"remade": True})]
    answers = await asyncio.gather(*(receive_service_event(house.shop, r) for r in reports), return_exceptions=True)

    assert sum(isinstance(answer, Conflict) for answer in answers) == 1
    assert len(await house.all(ServiceEvent)) == 1
