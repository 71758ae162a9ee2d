"""The demo business: complete, believable at any hour, loaded once, and quiet."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import phonenumbers
import pytest

from bot.core.cases import GATE
from bot.core.check_in import Outcome
from bot.core.errors import Unusable
from bot.core.vocabulary import (
    Author,
    CaseState,
    CheckInState,
    Direction,
    Medium,
    Owner,
    Role,
    Severity,
    Verdict,
)
from bot.services import resources
from bot.services.agents import sign_in
from bot.services.demo import DemoLoaded, load_demo
from bot.services.demo_story import read_business
from bot.services.entities import (
    Agent,
    AssessmentRecord,
    AuditEntry,
    Case,
    CaseStep,
    CheckIn,
    Consent,
    ContactPoint,
    Conversation,
    Customer,
    Decision,
    Grant,
    Message,
    Promise,
    ServiceEvent,
    Site,
    Task,
    TimelineEntry,
)
from bot.services.workshop import Workshop
from bot.work.loop import Worker
from tests.conftest import Clock, FakeChannel, FakeDialogue

FOLDER = Path(__file__).parents[2] / "data" / "demo"
EVERYTHING = (
    *(Agent, AssessmentRecord, AuditEntry, Case, CaseStep, CheckIn, Consent, ContactPoint, Conversation, Customer),
    *(Grant, Message, Promise, ServiceEvent, Site, Task, TimelineEntry),
)


@pytest.fixture
async def loaded(shop: Workshop) -> DemoLoaded:
    """The demo business, just loaded."""
    return await load_demo(shop, FOLDER)


async def counts(shop: Workshop) -> dict[str, int]:
    """How many of each thing the store holds."""
    async with shop.store(read_only=True) as tx:
        return {kind.__name__: len(await tx.all(kind)) for kind in EVERYTHING}


async def test_a_second_load_changes_nothing_and_gives_no_passwords(shop: Workshop, loaded: DemoLoaded) -> None:
    """Passwords are shown once; the business stays as it was."""
    before = await counts(shop)

    again = await load_demo(shop, FOLDER)

    assert again == DemoLoaded(loaded.customers)
    assert await counts(shop) == before


async def test_everybody_at_the_desk_can_sign_in(shop: Workshop, loaded: DemoLoaded) -> None:
    """One agent runs each of two sites; there are a supervisor and an admin."""
    assert [who["role"] for who in loaded.desk] == ["agent", "agent", "supervisor", "admin"]
    assert len({who["password"] for who in loaded.desk}) == 4
    for who in loaded.desk:
        assert await sign_in(shop, who["email"], who["password"])
    async with shop.store(read_only=True) as tx:
        at_sites = [agent.site_id for agent in await tx.all(Agent, role=Role.AGENT, order_by="name")]
    assert at_sites == ["old-town", "harbour"]


async def test_a_password_may_be_given(shop: Workshop) -> None:
    """For those who want to know it beforehand."""
    loaded = await load_demo(shop, FOLDER, {"sam@harbour-kitchen.example": "known beforehand"})

    assert loaded.desk[0]["password"] == "known beforehand"
    assert await sign_in(shop, "sam@harbour-kitchen.example", "known beforehand")


async def test_every_customer_can_be_real(shop: Workshop, loaded: DemoLoaded) -> None:
    """Valid numbers, all seven languages, several clocks, a consent for each."""
    async with shop.store(read_only=True) as tx:
        customers, consents = await tx.all(Customer), await tx.all(Consent, granted=True)
        points = await tx.all(ContactPoint, medium=Medium.SMS)

    assert len(loaded.customers) == len(customers) >= 12
    assert all(phonenumbers.is_valid_number(phonenumbers.parse(point.address)) for point in points)
    languages = {customer.language for customer in customers}
    assert languages == {"en", "tr", "el", "fa", "sr-Latn", "sr-Cyrl", "es", "de"}
    assert len({customer.time_zone for customer in customers}) >= 6
    assert {consent.customer_id for consent in consents} == {customer.id for customer in customers}
    assert sum(point.opted_out_at is not None for point in points) == 1
    assert sum(point.invalid_since is not None for point in points) == 1


async def test_the_silence_ledger_shows_every_state(shop: Workshop, loaded: DemoLoaded) -> None:
    """Whoever opens the demo sees each verdict, and each way a check-in can go."""
    async with shop.store(read_only=True) as tx:
        events, check_ins = await tx.all(ServiceEvent), await tx.all(CheckIn)
        records = {record.id: record for record in await tx.all(AssessmentRecord)}

    assert {event.verdict for event in events} == set(Verdict)
    assert {check_in.state for check_in in check_ins} == set(CheckInState) - {CheckInState.FAILED}
    for event in events:
        if event.assessment_id:
            assert records[event.assessment_id].verdict is event.verdict
    assert all(event.finished_at >= shop.clock() - timedelta(days=67) for event in events)


async def test_every_case_carries_its_whole_story(shop: Workshop, loaded: DemoLoaded) -> None:
    """Two closed, one resolved, one claimed, two waiting: each with everything the next reader needs."""
    async with shop.store(read_only=True) as tx:
        cases = await tx.all(Case)
        snapshots = [await resources.case_snapshot(tx, case.id, shop.clock()) for case in cases]

    states = sorted(snapshot["state"] for snapshot in snapshots)
    assert states == ["claimed", "closed", "closed", "open", "open", "resolved"]
    for snapshot in snapshots:
        assert snapshot["transcript"]
        assert snapshot["assessment"]["signals"]
        assert snapshot["failure"]["words"]
        assert snapshot["promises"]
        assert snapshot["service_event"]["case_id"] == snapshot["id"]
        assert len(snapshot["steps"]) == 5
        assert snapshot["timeline"][0]["what"] == "opened"
        assert "{" not in "".join(message["text"] for message in snapshot["transcript"])
        if snapshot["state"] in ("resolved", "closed"):
            assert all(snapshot["steps"][step]["state"] == "done" for step in GATE)
            assert snapshot["grants"]
            assert snapshot["summary"]
            assert all(promise["kept_at"] for promise in snapshot["promises"])
            assert not snapshot["sla"]["breached"]


async def test_what_waits_is_an_agents_and_differs_in_urgency(shop: Workshop, loaded: DemoLoaded) -> None:
    """The bot is silent there, nobody has answered yet, and there is still time to."""
    async with shop.store(read_only=True) as tx:
        waiting = await tx.all(Case, state=CaseState.OPEN)
        threads = [await tx.get(Conversation, case.conversation_id) for case in waiting]
        claimed = (await tx.all(Case, state=CaseState.CLAIMED))[0]
        deniz = await tx.get(Agent, claimed.agent_id or "")

    assert {case.severity for case in waiting} == {Severity.HIGH, Severity.MEDIUM}
    assert all(case.first_response_due > shop.clock() for case in waiting)
    assert [(thread.owner, thread.case_id) for thread in threads] == [(Owner.AGENT, case.id) for case in waiting]
    assert deniz.name == "Deniz"


@pytest.mark.parametrize(
    ("day", "hour"),
    [(2, 3), (2, 15), (7, 23), (29, 6)],
    ids=["monday-night", "monday", "saturday-late", "spring-ahead"],
)
async def test_at_any_hour_the_past_is_past_and_nothing_is_due(
    shop: Workshop, clock: Clock, sms: FakeChannel, day: int, hour: int
) -> None:
    """Threads run in order and in waking hours, and loading the demo sends nothing."""
    clock.now = datetime(2026, 3, day, hour, 7, tzinfo=UTC)
    await load_demo(shop, FOLDER)

    async with shop.store(read_only=True) as tx:
        tasks, messages = await tx.all(Task), await tx.all(Message, order_by="position")
        traces = [rule for decision in await tx.all(Decision) for rule in decision.rules]
        assert {event.verdict for event in await tx.all(ServiceEvent)} == set(Verdict)
    assert {task.kind for task in tasks} == {"send_check_in", "judge_silence", "follow_up"}
    assert all(task.due_at > clock.now for task in tasks)
    assert await Worker(shop).drain() == 0
    assert sms.sent == []
    assert Outcome.POSTPONE not in {entry["outcome"] for entry in traces}
    by_thread: dict[str, list[datetime]] = {}
    for message in messages:
        by_thread.setdefault(message.conversation_id, []).append(message.at)
    assert all(times == sorted(times) and times[-1] <= clock.now for times in by_thread.values())
    assert {m.delivery for m in messages if m.direction is Direction.OUT} == {"delivered", "undelivered"}


async def test_the_customers_go_on_living(
    shop: Workshop, clock: Clock, dialogue: FakeDialogue, sms: FakeChannel, loaded: DemoLoaded
) -> None:
    """What was left open in the story is taken up by the worker when its time comes."""
    worker = Worker(shop)
    clock.forward(hours=26)
    await worker.drain()

    async with shop.store(read_only=True) as tx:
        verdicts = {event.external_id: event.verdict for event in await tx.all(ServiceEvent)}
        asked_by = {message.author for message in await tx.all(Message, delivery="queued")}
    assert verdicts["hk-2026"] is Verdict.SILENT_OK
    assert {entry.get("trigger") for entry in dialogue.asked} == {"EXTERNAL_check_in"}
    assert asked_by <= {Author.BOT}


async def test_a_mistake_in_the_file_is_named(tmp_path: Path) -> None:
    """The file, the key and what is wrong with it."""
    written = (FOLDER / "business.yml").read_text(encoding="utf-8")
    file = tmp_path / "business.yml"

    for right, wrong, said in (
        ("+442079460101", "+4412", r"business\.yml: customers\.0\.phone: .*valid phone number"),
        ("zone: Europe/London", "zone: Europe/Londres", r"business\.yml: sites\.0\.zone: .*Londres"),
        ("customer: c-1\n", "customer: c-99\n", r"business\.yml: .*hk-2001: customer: 'c-99'"),
        ("hand_off: dissatisfied", "hand_over: dissatisfied", r"business\.yml: visits\.\d+\.story\.1\.hand_over"),
        ("openings:", "openings: [", r"business\.yml: "),
    ):
        file.write_text(written.replace(right, wrong, 1), encoding="utf-8")
        with pytest.raises(Unusable, match=said):
            read_business(file)


async def test_a_database_that_knows_these_people_is_left_alone(shop: Workshop, tmp_path: Path) -> None:
    """All or nothing: a business's own data is never mixed with the demo's."""
    async with shop.store() as tx:
        tx.add(Customer(name="Somebody", external_id="c-1", created_at=shop.clock()))
        await tx.commit()
    before = await counts(shop)

    with pytest.raises(Unusable, match="empty database"):
        await load_demo(shop, Path(shutil.copytree(FOLDER, tmp_path / "demo")))

    assert await counts(shop) == before
