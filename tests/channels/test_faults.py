"""The look-alike on a bad day: each way to go wrong, through the real client and the real signed webhooks."""

import asyncio

import pytest

from bot.channels.simulator import Fault, Faults, Strike, Weather
from bot.core.errors import ChannelError
from tests.channels.town import PHONE, Town, outbound

OTHER = "+15005550009"


async def test_fault_30003_reports_undelivered(town: Town) -> None:
    """Taken, then undelivered with its code; the phone never shows it."""
    await town.break_with("30003")

    await town.channel().send(outbound())

    assert await town.phone() == []
    assert [(status.status, status.error_code) for status in town.statuses] == [
        ("sent", None),
        ("undelivered", "30003"),
    ]


async def test_fault_late_status(town: Town) -> None:
    """ "sent" arrives after "delivered"; the book does not go back either."""
    await town.break_with("late_status")

    await town.channel().send(outbound())

    assert [item["status"] for item in await town.phone()] == ["delivered"]
    assert [status.status for status in town.statuses] == ["delivered", "sent"]


async def test_fault_duplicate_inbound(town: Town) -> None:
    """The same message twice, as one and the same."""
    await town.break_with("duplicate")

    written = await town.write("only once")

    assert [message.provider_id for message in town.inbound] == [written["sid"]] * 2
    assert len(await town.phone()) == 1


async def test_fault_duplicate_outbound(town: Town) -> None:
    """Every status of one message twice; the message itself once."""
    await town.break_with("duplicate")

    await town.channel().send(outbound())

    assert len(await town.phone()) == 1
    assert [status.status for status in town.statuses] == ["sent", "sent", "delivered", "delivered"]


async def test_faults_are_used_up(town: Town) -> None:
    """After as many times as asked for, everything works again."""
    await town.break_with("429", times=2)

    for _ in range(2):
        with pytest.raises(ChannelError):
            await town.channel().send(outbound())
    await town.channel().send(outbound("third time"))

    assert [item["body"] for item in await town.phone()] == ["third time"]


def test_faults_to_come_can_be_counted_and_cleared() -> None:
    """What is due is told, and can be taken back."""
    faults = Faults()

    faults.add("500", 2)
    faults.add("duplicate")

    assert faults.due() == {"500": 2, "duplicate": 1}
    faults.clear()
    assert (faults.due(), faults.on_request(PHONE), faults.on_inbound(PHONE)) == ({}, None, None)


async def refusal(town: Town, **what: str) -> ChannelError:
    """The error that a send ends in."""
    with pytest.raises(ChannelError) as caught:
        await town.channel(timeout=0.3).send(outbound(**what))
    return caught.value


async def statuses(town: Town) -> list[tuple[str, str | None]]:
    """What was reported, in order, once everything has been."""
    await town.lookalike.settle()
    return [(status.status, status.error_code) for status in town.statuses]


async def test_fault_500_after_takes_the_message(town: Town) -> None:
    """The answer is the same as that of a 500 that took nothing: only the callback or the list tells."""
    await town.break_with("500_after")

    error = await refusal(town)

    assert (error.ambiguous, error.permanent) == (True, False)
    assert [item["body"] for item in await town.phone()] == ["How was everything?"]


async def test_fault_500_takes_nothing(town: Town) -> None:
    """And nothing arrives later."""
    await town.break_with("500")

    error = await refusal(town)

    assert error.ambiguous
    assert await town.phone() == []


async def test_fault_21610_only_in_the_callback(town: Town) -> None:
    """Accepted like any other; that the number is on the list comes with the status."""
    await town.break_with("21610_later")

    accepted = await town.channel().send(outbound())

    assert accepted.status == "queued"
    assert await statuses(town) == [("failed", "21610")]
    assert await town.phone() == []


@pytest.mark.parametrize(("code", "permanent"), [(21211, True), (30034, True), (63038, False), (20003, True)])
async def test_fault_refused_with_any_code(town: Town, code: int, permanent: bool) -> None:
    """At once, with the HTTP status Twilio uses for it."""
    await town.break_with("refused", code=code)

    error = await refusal(town)

    assert (error.code, error.permanent, error.ambiguous) == (str(code), permanent, False)


async def test_fault_undelivered_with_any_code(town: Town) -> None:
    """Taken, then undelivered for that reason; the list says so too."""
    await town.break_with("undelivered", code=30007)

    await town.channel().send(outbound())

    assert await statuses(town) == [("sent", None), ("undelivered", "30007")]


@pytest.mark.parametrize(("mode", "ambiguous"), [("429", False), ("503", True)])
async def test_a_busy_server_names_the_time_to_wait(town: Town, mode: str, ambiguous: bool) -> None:
    """In the words it was given."""
    await town.break_with(mode, retry_after="17")

    error = await refusal(town)

    assert (error.retry_after, error.ambiguous) == (17.0, ambiguous)


async def test_fault_early_status_is_faster_than_the_answer(town: Town) -> None:
    """When the request is answered, everything has been reported already."""
    await town.break_with("early_status")

    await town.channel().send(outbound())

    assert [status.status for status in town.statuses] == ["sent", "delivered"]


async def test_fault_slow_status_comes_when_everything_is_over(town: Town) -> None:
    """The phone has the message; its statuses come after those of the next one."""
    await town.break_with("slow_status")

    await town.channel().send(outbound(message_id="slow"))
    await town.channel().send(outbound(message_id="quick"))
    await town.lookalike.settle()

    assert [status.message_id for status in town.statuses][:2] == ["quick", "quick"]
    assert sorted(status.status for status in town.statuses if status.message_id == "slow") == ["delivered", "sent"]


async def test_fault_lost_status_never_comes(town: Town) -> None:
    """Only the list knows."""
    await town.break_with("lost_status")

    await town.channel().send(outbound())

    assert await statuses(town) == []
    assert len(await town.phone()) == 1


async def test_a_fault_for_one_phone_spares_the_others(town: Town) -> None:
    """It waits until that phone is written to."""
    await town.break_with("500", phone=PHONE)

    await town.channel().send(outbound("spared", to=OTHER))
    error = await refusal(town)

    assert error.ambiguous
    assert [item["body"] for item in await town.phone(OTHER)] == ["spared"]


async def test_faults_can_be_looked_at_and_ended(town: Town) -> None:
    """GET tells what is due and what struck; DELETE ends it all."""
    await town.break_with("500", times=3)
    await refusal(town)

    async with town.session.get(f"{town.url}/simulator/faults") as answer:
        before = await answer.json()
    async with town.session.delete(f"{town.url}/simulator/faults") as answer:
        after = await answer.json()

    assert before == {"due": {"500": 2}, "by_chance": None, "struck": {"500": 1}}
    assert after == {"due": {}, "by_chance": None, "struck": {"500": 1}}
    await town.channel().send(outbound())


def a_day(seed: int, phones: list[str]) -> dict[str, list[str]]:
    """What goes wrong with fifty messages to each phone, in whatever order they are sent."""
    faults = Faults()
    faults.weather = Weather(0.2, seed)
    found: dict[str, list[str]] = {phone: [] for phone in phones}
    for phone in phones * 50:
        strike = faults.on_request(phone)
        found[phone].append(strike.fault if strike else "")
    return found


def test_chance_is_the_same_with_the_same_seed_in_any_order() -> None:
    """Another seed is another day; another order of the phones is the same day."""
    assert a_day(7, [PHONE, OTHER]) == a_day(7, [OTHER, PHONE])
    assert a_day(7, [PHONE, OTHER]) != a_day(8, [PHONE, OTHER])
    struck = [fault for faults in a_day(7, [PHONE, OTHER]).values() for fault in faults if fault]
    assert 8 <= len(struck) <= 35
    assert set(struck) <= {Fault.TIMEOUT, Fault.SERVER_ERROR, Fault.SERVER_ERROR_AFTER, Fault.TOO_MANY_REQUESTS}


async def test_a_bad_day_by_chance(town: Town) -> None:
    """A hundred messages among faults of every kind: what failed in the open and what arrived add up, once each."""
    async with town.session.post(f"{town.url}/simulator/faults", json={"rate": 0.3, "seed": 7}) as answer:
        assert answer.status == 201
        assert (await answer.json())["by_chance"]["rate"] == 0.3
    channel = town.channel(timeout=0.2)

    async def send(n: int) -> str:
        try:
            await channel.send(outbound(f"number {n}", message_id=f"m-{n}", to=f"+1500555{n:04}"))
        except ChannelError as error:
            return "ambiguous" if error.ambiguous else "refused"
        return "taken"

    outcomes = await asyncio.gather(*(send(n) for n in range(100)))
    await town.lookalike.settle()
    async with town.session.get(f"{town.url}/simulator/sent") as answer:
        taken = [item["body"] for item in (await answer.json())["items"]]

    assert len(taken) == len(set(taken))
    assert {f"number {n}" for n, outcome in enumerate(outcomes) if outcome == "taken"} <= set(taken)
    assert not {f"number {n}" for n, outcome in enumerate(outcomes) if outcome == "refused"} & set(taken)
    assert {"taken", "refused", "ambiguous"} == set(outcomes)
    assert len(set(town.lookalike.faults.struck())) >= 5


def test_a_fault_that_does_not_exist_is_refused() -> None:
    """In the code as at the endpoint."""
    with pytest.raises(ValueError, match="earthquake"):
        Faults().add("earthquake")
    assert Strike(Fault.UNREACHABLE).code == 30003
