"""After a restoration what people asked of us still holds, and nobody is written to twice."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from bot.core.errors import ChannelError, NotFound, Refused, Unusable
from bot.core.vocabulary import CaseState, CheckInState, Owner, Verdict
from bot.launch.backing_up import back_up
from bot.launch.person import erase_person, export_person, what_would_go
from bot.launch.restoring import Restored, archives_of, marks_file, restore
from bot.services import restored, webchat
from bot.services.catching_up import keep_catching_up
from bot.services.entities import (
    Case,
    CheckIn,
    ContactPoint,
    Conversation,
    Customer,
    Decision,
    Message,
    Seal,
    ServiceEvent,
)
from bot.services.inbound import Received, receive_sms, receive_webchat
from bot.services.ports import Listed, SentMessage
from bot.store.archive import rows_in
from bot.work.loop import HANDLERS
from tests.conftest import NOON
from tests.launch.conftest import Builder, Home
from tests.services.house import PHONE, robin

OTHER = "+447700900002"


async def backed_up(home: Home, name: str = "backup.zip") -> Path:
    """A backup of it as it is now."""
    file = home.settings.data_dir / "backups" / name
    await back_up(home.settings, file, with_secrets=False, now=home.house.clock())
    return file


async def restored_from(home: Home, file: Path, **changed: object) -> Restored:
    """Its databases are what they were."""
    home.house.later(minutes=10)
    return await restore(home.settings, file, over_all=True, now=home.house.clock(), **changed)  # type: ignore[arg-type]


def taken(home: Home, text: str, *, provider_id: str = "SMprovider") -> None:
    """The provider says that it took this text since."""
    home.house.sms.lists = [SentMessage(provider_id, PHONE, text, "delivered", None, home.house.clock())]


async def test_a_question_that_was_asked_after_the_backup_is_not_asked_again(home: Home) -> None:
    """The provider has taken something for that number since, so the check-in counts as asked."""
    await home.house.serve("later", finished_at=NOON + timedelta(minutes=5))
    file = await backed_up(home)
    home.house.later(minutes=5)
    await home.house.worker.drain()
    assert len(home.house.sms.texts) == 1
    taken(home, home.house.sms.texts[0])

    assert (await restored_from(home, file)).doubtful == 1
    await home.house.worker.drain()

    assert len(home.house.sms.texts) == 1
    check_in = await home.house.one(CheckIn)
    assert check_in.state is CheckInState.SKIPPED
    assert (await home.house.all(Decision, order_by="id"))[-1].rules[0]["rule"] == "restore"
    assert (await home.house.one(ServiceEvent)).verdict is Verdict.UNREACHABLE


async def test_a_question_that_was_never_asked_is_asked(home: Home) -> None:
    """The provider has taken nothing for that number; while it cannot be asked, nothing leaves."""
    await home.house.serve("later", finished_at=NOON + timedelta(minutes=5))
    await restored_from(home, await backed_up(home))
    asks = home.house.sms.reconcile
    home.house.sms.reconcile = _cannot_be_asked  # type: ignore[method-assign]
    await home.house.worker.drain()
    assert home.house.sms.texts == []

    home.house.sms.reconcile = asks  # type: ignore[method-assign]
    home.house.later(minutes=5)
    await home.house.worker.drain()

    assert home.house.sms.texts == ["How was everything?"]
    assert (await home.house.one(CheckIn)).state is CheckInState.SENT


async def _cannot_be_asked(*_: object) -> list[SentMessage]:
    raise ChannelError("no answer")


async def test_what_is_due_later_stays_planned(home: Home) -> None:
    """Nobody can have asked it yet."""
    await home.house.serve("later", finished_at=NOON + timedelta(hours=2))
    assert (await restored_from(home, await backed_up(home))).doubtful == 0
    taken(home, "something else")

    home.house.later(hours=2)
    await home.house.worker.drain()

    assert home.house.sms.texts == ["How was everything?"]


@pytest.mark.parametrize("left", [True, False])
async def test_a_text_in_the_outbox_leaves_once(home: Home, left: bool) -> None:
    """Listed by the provider it is taken over, else it is sent when the provider is sure to list all it has."""
    home.house.sms.fails_with = [ChannelError("busy", retry_after=60)]
    await home.house.serve()
    file = await backed_up(home)
    home.house.later(minutes=2)
    await home.house.worker.drain()
    assert len(home.house.sms.texts) == 1
    if left:
        taken(home, home.house.sms.texts[0])
    else:
        home.house.sms.sent.clear()

    await restored_from(home, file)
    for _ in range(8):
        home.house.later(seconds=30)
        await home.house.worker.drain()

    assert len(home.house.sms.texts) == 1
    message = await home.house.one(Message)
    assert message.provider_id == ("SMprovider" if left else f"SM{message.id}")


async def test_a_reply_that_was_answered_after_the_backup_goes_to_a_person(home: Home) -> None:
    """The bot says nothing a second time, and the customer's words lie on the desk."""
    await home.house.serve()
    await home.house.arrives("it was all right")
    file = await backed_up(home)
    await home.house.worker.drain()
    said = list(home.house.sms.texts)
    taken(home, said[-1])

    await restored_from(home, file)
    await home.house.worker.drain()

    assert home.house.sms.texts == said
    assert (await home.house.one(Conversation)).owner is Owner.AGENT
    assert (await home.house.one(Case)).state is CaseState.OPEN


async def test_what_customers_wrote_since_comes_from_the_providers_list(home: Home) -> None:
    """What was answered lies on the desk, a STOP counts, and what nobody answered is answered."""
    await home.house.serve()
    file = await backed_up(home)
    taken(home, "an answer from before the loss")
    home.house.sms.missed = [
        listed("SM-1", PHONE, "it was all right"),
        listed("SM-2", PHONE, "STOP"),
    ]

    await restored_from(home, file)
    await home.house.worker.drain()

    assert [message.text for message in await home.house.all(Message, direction="in", order_by="position")] == [
        "it was all right",
        "STOP",
    ]
    assert home.house.sms.texts == ["How was everything?"]
    assert (await home.house.one(Case)).state is CaseState.OPEN
    assert (await home.house.one(ContactPoint)).opted_out_at is not None


async def test_the_providers_list_does_not_bring_erased_words_back(home: Home) -> None:
    """It still has what the customer wrote; what they write after their erasure is new."""
    await home.house.writes("before", provider_id="SM-1")
    home.house.later(seconds=30)
    await erase_person(home.settings, PHONE, now=home.house.clock())
    old, new = home.house.clock() - timedelta(seconds=30), home.house.clock() + timedelta(seconds=1)
    home.house.sms.missed = [listed("SM-1", PHONE, "before", at=old), listed("SM-2", PHONE, "after", at=new)]
    home.house.later(seconds=30)

    await keep_catching_up(home.house.shop)
    await home.house.worker.drain()

    assert [message.text for message in await home.house.all(Message, direction="in")] == ["after"]


def listed(provider_id: str, address: str, text: str, at: datetime | None = None) -> Listed:
    """One text on the provider's list."""
    return Listed(provider_id, inbound=True, address=address, text=text, status="received", created_at=at)


async def test_a_follow_up_that_was_asked_after_the_backup_comes_back_to_the_desk(home: Home) -> None:
    """Whether the customer has answered nobody here knows."""
    sam = await home.house.hires()
    await home.house.serve()
    case = await home.house.complains()
    await home.house.resolves(case, sam)
    file = await backed_up(home)
    home.house.later(hours=24)
    await home.house.worker.drain()
    said = list(home.house.sms.texts)
    taken(home, said[-1])

    await restored_from(home, file)
    await home.house.worker.drain()

    assert home.house.sms.texts == said
    assert (await home.house.one(Case)).state is CaseState.REOPENED
    assert "left to a person" in await home.house.timeline(case)


async def test_whoever_opted_out_since_stays_opted_out(home: Home, builder: Builder) -> None:
    """Known to the database that is replaced, as somebody of the archive or as somebody it never knew."""
    await home.house.serve()
    file = await backed_up(home)
    await home.house.writes("STOP")
    await receive_sms(home.house.shop, OTHER, Received("STOP", provider_id="SM-other"))
    await home.house.worker.drain()
    said = len(home.house.sms.texts)

    assert (await restored_from(home, file)).suppressed_again == 1
    assert (await home.house.one(ContactPoint)).opted_out_at is not None
    await home.house.serve("order-2")
    await home.house.serve("order-3", customer=robin(external_id="c-2", phone=OTHER))

    assert len(home.house.sms.texts) == said


async def test_an_older_archive_does_not_bring_erased_people_back(home: Home, builder: Builder) -> None:
    """Neither over the database that knows of it, nor elsewhere with the file of marks; their opt-out stays."""
    await home.house.serve()
    await home.house.writes("STOP")
    conversation = await home.house.conversation()
    await home.remembers(conversation.id, "flibbertigibbet")
    file = await backed_up(home)
    untouched = home.settings.data_dir / "kept elsewhere.zip"
    untouched.write_bytes(file.read_bytes())
    home.house.later(minutes=1)
    await erase_person(home.settings, PHONE, now=home.house.clock())
    elsewhere = await builder.at(await builder.settings("sqlite"))

    assert (await restored_from(home, untouched)).erased_again == 1
    there = await restore(
        elsewhere.settings,
        untouched,
        over_all=False,
        marks=[marks_file(home.settings)],
        now=home.house.clock(),
    )

    assert there.erased_again == 1
    for place in (home, elsewhere):
        assert await place.house.all(Customer) == []
        assert await place.remembered(conversation.id) == []
        said = len(home.house.sms.texts)
        await place.house.serve("order-2")
        assert len(home.house.sms.texts) == said


async def test_a_customer_who_came_back_after_their_erasure_is_restored(home: Home) -> None:
    """Only what is older than the erasure is erased again."""
    await home.house.serve()
    await erase_person(home.settings, PHONE, now=home.house.clock())
    home.house.later(minutes=1)
    await home.house.serve("order-2")
    file = await backed_up(home)

    assert (await restored_from(home, file)).erased_again == 0
    assert (await home.house.one(Customer)).name == "Robin"


async def test_erasing_reaches_the_archives_that_were_made_here(home: Home) -> None:
    """They are written anew without that person, and everybody else is still in them."""
    await home.house.serve()
    await receive_sms(home.house.shop, OTHER, Received("keep this", provider_id="SM-other"))
    await home.house.worker.drain()
    conversation = (await home.house.all(CheckIn))[0].conversation_id
    await home.remembers(conversation, "flibbertigibbet")
    file, elsewhere = await backed_up(home), home.settings.data_dir / "mine.zip"
    await back_up(home.settings, elsewhere, with_secrets=True, now=home.house.clock())
    assert await archives_of(home.settings) == [file, elsewhere]
    listed = await what_would_go(home.settings, PHONE)
    assert set(listed.archives) == {file, elsewhere}
    assert listed.rows["rasa_events"] == 1
    home.house.later(minutes=1)

    erasure = await erase_person(home.settings, PHONE, now=home.house.clock())

    assert erasure.archives == {file: 1, elsewhere: 1}
    assert erasure.problems == []
    for archive in (file, elsewhere):
        assert [row["text"] for row in rows_in(archive, "store/messages.jsonl") if row["direction"] == "in"] == [
            "keep this"
        ]
        assert [row["address"] for row in rows_in(archive, "store/contact_points.jsonl")] == [OTHER]
        assert all(row["type_name"] == "erased" for row in rows_in(archive, "rasa/rasa_events.jsonl"))
    assert (await restored_from(home, elsewhere)).erased_again == 0


async def test_an_archive_that_cannot_be_written_anew_is_named(home: Home) -> None:
    """The person is erased all the same, and the operator knows what is left to do."""
    await home.house.serve()
    file = await backed_up(home)
    file.write_text("not an archive any more")
    home.house.later(minutes=1)

    erasure = await erase_person(home.settings, PHONE, now=home.house.clock())

    assert await home.house.all(Customer) == []
    assert len(erasure.problems) == 1
    assert str(file) in erasure.problems[0]


@pytest.mark.parametrize("written", ["07700 900001", "+44 (0)7700 900 001", "tel:+447700900001", "c-1", PHONE])
async def test_a_person_is_found_as_people_write(home: Home, written: str) -> None:
    """A number without its country is one of the sites' country."""
    await home.house.serve()

    assert (await export_person(home.settings, written, now=NOON))["customer"]["external_id"] == "c-1"


async def test_an_export_has_what_rasa_remembers(home: Home) -> None:
    """With dates people can read."""
    await home.house.serve()
    await home.remembers((await home.house.conversation()).id, "flibbertigibbet")

    exported = await export_person(home.settings, "c-1", now=NOON)

    assert exported["exported_at"] == "2026-03-04T12:00:00+00:00"
    [event] = exported["tracker_events"]
    assert (event["text"], event["at"]) == ("flibbertigibbet", "2023-11-14T22:13:20.500000+00:00")


async def test_an_erasure_that_was_cut_off_can_be_done_again(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rasa had forgotten already when the power went; nothing of it comes back, and the rest is found."""
    await home.house.serve()
    conversation = await home.house.conversation()
    await home.remembers(conversation.id, "flibbertigibbet")

    async def power_cut(*_: object, **__: object) -> None:
        raise OSError("no power")

    with monkeypatch.context() as cut, pytest.raises(OSError, match="no power"):
        cut.setattr("bot.launch.person.erase", power_cut)
        await erase_person(home.settings, PHONE, now=NOON)
    await erase_person(home.settings, PHONE, now=NOON)

    assert await home.house.all(Customer) == []
    assert await home.remembered(conversation.id) == []
    with pytest.raises(NotFound, match="erased on"):
        await erase_person(home.settings, PHONE, now=NOON)


async def test_the_key_of_the_marks_must_come_along(home: Home) -> None:
    """With another one erased people who opted out would be written to."""
    await home.house.serve()
    await erase_person(home.settings, PHONE, now=NOON)
    file = await backed_up(home)
    for key in ("another key", ""):
        settings = home.settings.model_copy(update={"suppression_key": SecretStr(key)})
        with pytest.raises(Unusable, match="AFTERWORD_SUPPRESSION_KEY"):
            await restore(settings, file, over_all=True, now=NOON)
    assert len(await home.house.all(Seal)) == 3


async def test_the_database_to_replace_must_be_readable_for_its_opt_outs(home: Home) -> None:
    """One with marks of nobody's key, or an older schema, is not silently thrown away."""
    await home.house.writes("STOP")
    file = await backed_up(home)
    keyless = home.settings.model_copy(update={"suppression_key": SecretStr("")})

    with pytest.raises(Refused, match="AFTERWORD_SUPPRESSION_KEY"):
        await restore(keyless, file, over_all=True, now=NOON)

    assert (await home.house.one(ContactPoint)).opted_out_at is not None


def test_every_kind_of_task_either_writes_to_customers_or_does_not() -> None:
    """A new kind must say which, or a restored store might send it twice."""
    assert set(HANDLERS) == restored.WRITES | restored.HARMLESS
    assert not restored.WRITES & restored.HARMLESS


async def test_a_web_chat_is_answered_as_if_nothing_had_been(home: Home) -> None:
    """A visitor sees what is in the store: an answer that was lost with it is given again, and stands there once."""
    visit = await webchat.open_session(home.house.shop)
    await receive_webchat(home.house.shop, visit.conversation_id, Received("hello", client_id="w1"))
    file = await backed_up(home)
    await home.house.worker.drain()

    assert (await restored_from(home, file)).doubtful == 0
    await home.house.worker.drain()

    thread = await home.house.all(Message, order_by="position")
    assert [(message.text, message.direction.value) for message in thread] == [
        ("hello", "in"),
        ("How was everything?", "out"),
    ]


async def test_nothing_is_restored_while_afterword_runs(home: Home) -> None:
    """Its processes would go on with what they have read."""
    app = web.Application()
    app.router.add_get("/livez", _alive)
    async with TestServer(app) as edge:
        file = await backed_up(home)
        running = home.settings.model_copy(update={"port": edge.port})

        with pytest.raises(Refused, match="stop every process"):
            await restore(running, file, over_all=True, now=NOON)


async def _alive(_: web.Request) -> web.Response:
    return web.Response(text="ok")
