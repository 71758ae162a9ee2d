"""Everything about one person can be handed to them and erased, and nobody else's is touched."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Text, cast, select

from bot.core.errors import Conflict, NotFound, Refused
from bot.core.vocabulary import CheckInState, Medium, Verdict
from bot.services import webchat
from bot.services.entities import (
    AssessmentRecord,
    AuditEntry,
    CheckIn,
    ContactPoint,
    Customer,
    KeptAnswer,
    Message,
    Seal,
    ServiceEvent,
    Task,
)
from bot.services.inbound import Received, receive_sms, receive_webchat
from bot.services.learning import label_verdict
from bot.services.ledger import silence_ledger
from bot.services.people import erase, find_customer, held_about
from bot.store import people, tables
from bot.store.unit_of_work import SqlStore
from bot.work.loop import HANDLERS
from tests.conftest import NOON
from tests.services.house import PHONE, House, lunch, robin

OTHER = "+447700900002"


async def customer(house: House, written: str = "c-1") -> Customer:
    """Robin, or who is meant."""
    async with house.shop.store(read_only=True) as tx:
        return await find_customer(tx, written)


async def everything(house: House) -> str:
    """Every value of every column of every table, as text."""
    assert isinstance(house.shop.store, SqlStore)
    async with house.shop.store.engine.connect() as connection:
        rows = [
            row
            for table in tables.metadata.sorted_tables
            for row in await connection.execute(select(*[cast(column, Text) for column in table.columns]))
        ]
    return "\n".join(str(value) for row in rows for value in row)


async def erases(house: House, written: str = "c-1") -> None:
    """Erase them, as the command does when Rasa has forgotten their conversations."""
    found = await customer(house, written)
    async with house.shop.store(read_only=True) as tx:
        _, conversations = await held_about(tx, found)
    await erase(house.shop.store, found.id, conversations=conversations, by="operator", now=house.clock())


async def a_whole_story(house: House) -> list[str]:
    """Robin over SMS and on the web, with a case, a gesture, a label and a kept answer; words to look for."""
    sam = await house.hires()
    event = await house.serve(
        facts={"wait_minutes": 55, "staff": ["Zaphod"]}, customer=robin(preferences=("xylophone",))
    )
    case = await house.complains()
    await house.resolves(case, sam, "quincunx on the house")
    visit = await webchat.open_session(house.shop, customer="c-1")
    await receive_webchat(house.shop, visit.conversation_id, Received("flibbertigibbet", client_id="w1"))
    await house.worker.drain()
    [assessment] = await house.all(AssessmentRecord, service_event_id=event.id)
    await label_verdict(house.shop, assessment.id, sam.id, unhappy=True)
    async with house.shop.store() as tx:
        body = json.dumps({"id": case.id, "words": "an hour for a soup"})
        tx.add(KeptAnswer(id="k1", fingerprint="f", status=200, body=body, at=NOON))
        await tx.commit()
    words = [
        PHONE,
        PHONE.removeprefix("+"),
        "c-1",
        "Robin",
        "Zaphod",
        "xylophone",
        "quincunx",
        "flibbertigibbet",
        "soup",
    ]
    return [*words, event.id, case.id, visit.conversation_id, event.customer_id, assessment.id]


async def test_what_is_held_about_a_person_can_be_handed_to_them(house: House) -> None:
    """All of it, as JSON, with times that carry their offset; no hash of a token."""
    await a_whole_story(house)
    async with house.shop.store(read_only=True) as tx:
        held, conversations = await held_about(tx, await find_customer(tx, "c-1"))

    written = json.dumps(held)
    for words in (PHONE, "an hour for a soup", "xylophone", "Zaphod", "flibbertigibbet", "quincunx", "+00:00"):
        assert words in written
    assert {"consents", "check_ins", "messages", "assessments", "verdict_labels", "cases", "promises"} <= set(held)
    assert any(decision["rules"] for decision in held["decisions"])
    assert len(conversations) == 2
    assert "token_hash" not in written
    assert [message["position"] for message in held["messages"]] == sorted(m["position"] for m in held["messages"])


async def test_erasure_leaves_no_word_no_number_and_no_identifier(house: House) -> None:
    """In no column of no table; and whatever belongs to somebody else is as it was."""
    await receive_sms(house.shop, OTHER, Received("keep this", provider_id="SM-other"))
    await house.worker.drain()
    words = await a_whole_story(house)
    before = await everything(house)
    for word in words:
        assert word in before

    await erases(house)

    after = await everything(house)
    assert [word for word in words if word in after] == []
    assert "keep this" in after
    assert OTHER in after
    assert [m.text for m in await house.all(Message, direction="in")] == ["keep this"]


async def test_what_was_counted_stays_counted(house: House) -> None:
    """The ledger's numbers are nobody's, and do not change because somebody is forgotten."""
    await house.serve()
    await house.writes("lovely")
    await erases(house)
    await house.serve("order-2")
    await house.writes("lovely again")
    await erases(house)

    async with house.shop.store(read_only=True) as tx:
        here = await silence_ledger(tx, site_id="harbour")
        anywhere = await silence_ledger(tx)
    assert here.counts[Verdict.SATISFIED] == anywhere.counts[Verdict.SATISFIED] == 2
    assert here.lines == []


async def test_that_an_agent_acted_stays_on_record_but_not_for_whom(house: House) -> None:
    """The audit keeps who did what and when, and that somebody was erased."""
    await a_whole_story(house)
    await erases(house)

    audit = await house.all(AuditEntry, order_by="id")
    assert {"claimed", "resolved", "erased"} <= {entry.action for entry in audit}
    acted = [entry for entry in audit if entry.action == "resolved"]
    assert [(entry.who, entry.subject, entry.detail) for entry in acted] == [("sam@example.com", "erased", {})]


async def test_an_opt_out_survives_erasure_until_the_customer_takes_it_back(house: House) -> None:
    """Imported anew the number is still not written to; START restores it, and that survives too."""
    await house.serve()
    await house.writes("STOP")
    await erases(house)
    asked = list(house.sms.texts)

    await house.serve("order-2")
    assert house.sms.texts == asked
    again = await house.one(ServiceEvent)
    assert (await house.one(CheckIn)).state is CheckInState.SKIPPED
    assert again.verdict is Verdict.OPTED_OUT

    await house.writes("START")
    await house.serve("order-3")
    assert len(house.sms.texts) == len(asked) + 2
    await erases(house)
    assert {seal.opted_out_at for seal in await house.all(Seal)} == {None}


async def test_a_message_from_an_erased_phone_begins_a_fresh_customer(house: House) -> None:
    """Without a name and without a past."""
    before = await house.serve()
    await erases(house)

    await house.writes("hello?")

    stranger = await house.one(Customer)
    assert (stranger.name, stranger.external_id) == ("", None)
    assert stranger.id != before.customer_id
    assert [m.text for m in await house.all(Message, direction="in")] == ["hello?"]


async def test_somebody_who_opted_out_and_was_erased_may_write_and_is_not_answered(house: House) -> None:
    """As before the erasure."""
    await house.writes("STOP")
    async with house.shop.store(read_only=True) as tx:
        stranger = await find_customer(tx, "", [PHONE])
    await erases(house, stranger.id)
    said = list(house.sms.texts)

    await house.writes("what was that?")

    assert house.sms.texts == said
    assert (await house.one(ContactPoint)).opted_out_at is not None


async def test_a_turn_under_way_brings_nothing_back(house: House) -> None:
    """The bot is looking for words while the customer is erased: they lead nowhere, and so does the task."""
    await house.serve()

    async def erase_meanwhile(*_: Any) -> None:
        await erases(house)

    house.dialogue.during_turn = erase_meanwhile
    await house.writes("zugzwang")

    assert await house.all(Message) == []
    assert await house.all(Task) == []
    assert "zugzwang" not in await everything(house)


async def test_erasing_while_the_customer_writes_and_workers_work_leaves_nothing_half(house: House) -> None:
    """Whatever order the database gives them: what comes before is gone, what comes after is a fresh customer's."""
    await house.serve()
    customer_id = (await customer(house)).id

    async def write(number: int) -> None:
        for _ in range(5):
            try:
                await receive_sms(house.shop, PHONE, Received(f"gallimaufry {number}", provider_id=f"SM-{number}"))
                return
            except Conflict:
                continue
        raise AssertionError("a message was not kept")

    async with asyncio.TaskGroup() as group:
        for number in range(12):
            group.create_task(write(number))
            group.create_task(house.worker.drain())
            if number == 6:
                group.create_task(erases(house))
    await house.worker.drain()

    kept = await everything(house)
    assert customer_id not in kept
    conversations = {message.conversation_id for message in await house.all(Message)}
    assert len(conversations) <= 1
    assert await house.all(Task, state="todo", kind="handle_message") == []


async def test_a_conversation_rasa_has_not_forgotten_stops_the_erasure(house: House) -> None:
    """It began after the list was made: nothing is erased, so that it can be asked for again."""
    await house.serve()
    found = await customer(house)

    with pytest.raises(Conflict, match="erase again"):
        await erase(house.shop.store, found.id, conversations=frozenset(), by="operator", now=NOON)

    assert (await customer(house)).name == "Robin"


async def test_an_erased_customer_is_said_to_be_erased(house: House) -> None:
    """Whoever asks again hears when, and not who."""
    await house.serve()
    await erases(house)

    async with house.shop.store(read_only=True) as tx:
        for written, phones in (("c-1", []), ("?", [PHONE])):
            with pytest.raises(NotFound, match=f"erased on {NOON:%Y-%m-%d}"):
                await find_customer(tx, written, phones)
        with pytest.raises(NotFound, match="nobody here"):
            await find_customer(tx, "c-2", [OTHER])


async def test_who_could_be_several_people_is_refused(house: House) -> None:
    """One's phone, the other's number in the till."""
    await house.serve()
    await house.serve("order-2", customer=robin(external_id=PHONE, phone=OTHER))

    async with house.shop.store(read_only=True) as tx:
        with pytest.raises(Refused, match="several"):
            await find_customer(tx, PHONE, [PHONE])


async def test_without_a_key_nobody_is_erased(house: House) -> None:
    """Their opt-out would be lost with them; the setting is named."""
    await house.serve()
    assert isinstance(house.shop.store, SqlStore)
    keyless = SqlStore(house.shop.store.engine)

    async with keyless() as tx:
        with pytest.raises(Refused, match="AFTERWORD_SUPPRESSION_KEY"):
            await tx.seals.keep(Medium.SMS.value, PHONE, erased_at=NOON + timedelta())


async def test_marks_of_another_key_are_noticed_and_can_be_let_go(house: House) -> None:
    """They recognise nobody."""
    async with house.shop.store() as tx:
        tx.add(Seal(mark="0" * 64, key_id="another", opted_out_at=NOON))
        await tx.seals.keep("sms", PHONE, opted_out_at=NOON)
        await tx.flush()
        assert await tx.seals.foreign() == 1
        assert await tx.seals.drop_foreign() == 1
        await tx.commit()
    assert len(await house.all(Seal)) == 1


def test_every_table_is_somebodys_or_nobodys() -> None:
    """A new table must have a foreign key towards its customer, or be named where those without one are."""
    known = {*people.OF_PEOPLE, *people.LOOSE, *people.OF_NOBODY}
    assert {table.name for table in tables.metadata.sorted_tables} == {table.name for table in known}
    assert not people.LOOSE & people.OF_NOBODY


async def test_every_kind_of_task_is_found_by_what_it_is_about(house: House) -> None:
    """Whatever a task of a person names, it goes with them, also when it was put aside."""
    event = await house.serve()
    case = await house.complains()
    [check_in] = await house.all(CheckIn, service_event_id=event.id)
    [message, *_] = await house.all(Message)
    about = {"message_id": message.id, "check_in_id": check_in.id, "case_id": case.id}
    async with house.shop.store() as tx:
        for name, value in about.items():
            for payload in ({name: value}, {"kind": "x", "payload": {name: value}}):
                tx.add(Task(kind="x", payload=payload, due_at=NOON + timedelta(days=9), created_at=NOON))
        tx.add(Task(kind="x", payload={"message_id": "another's"}, due_at=NOON, created_at=NOON))
        await tx.commit()

    await erases(house)

    assert [task.payload for task in await house.all(Task)] == [{"message_id": "another's"}]
    assert set(HANDLERS) >= {"handle_message", "send_message", "send_check_in"}
    assert lunch().customer.phone == PHONE
