"""What an agent does with a case, through the forms of its page."""

from __future__ import annotations

import asyncio
import re
from datetime import datetime, timedelta
from decimal import Decimal

from bot.core.vocabulary import Author, CaseState, Medium, Step, StepState, Verdict
from bot.services.consent import withdraw
from bot.services.conversing import load_thread
from bot.services.desk import CaseDesk
from bot.services.entities import Case, CaseStep, Customer, Grant, Message, ServiceEvent, Task, TimelineEntry
from bot.services.ledger import silence_ledger
from tests.conftest import FakeChannel

from .conftest import Town

GATE = ("apologise", "act", "compassion", "compensate")


async def test_the_queue_shows_who_waits_and_why(town: Town) -> None:
    """Robin, at the Harbour, by when, in Robin's words."""
    case = await town.unhappy_case()
    sam = await town.signed_in()

    page = await sam.look("/desk")

    assert f'href="/desk/cases/{case}"' in page
    assert "Robin" in page
    assert "waited ages" in page
    async with town.shop.store(read_only=True) as tx:
        due = (await tx.get(Case, case)).first_response_due
    assert f'reply by <time datetime="{due.isoformat()}"' in page
    assert f">{due:%H:%M}</time>" in page, "on the site's clock, which is London's in winter"


async def test_the_views_of_the_queue_follow_the_case(town: Town) -> None:
    """Nobody's until it is claimed, then mine."""
    case = await town.unhappy_case()
    sam, mira = await town.signed_in(), await town.signed_in(town.mira)
    link = f'href="/desk/cases/{case}"'
    assert link in await sam.look("/desk?view=unassigned")
    assert link not in await sam.look("/desk?view=mine")

    await sam.send(f"/desk/cases/{case}/claim")

    assert link in await sam.look("/desk?view=mine")
    assert link not in await sam.look("/desk?view=unassigned")
    assert link not in await mira.look("/desk?view=mine")
    assert link in await mira.look("/desk")
    assert link not in await mira.look("/desk?view=closed")
    assert link not in await mira.look("/desk?site=elsewhere")


async def test_the_case_page_tells_the_whole_story(town: Town) -> None:
    """Evidence is marked in the customer's own words, reasons are in plain English, facts and times are there."""
    case = await town.unhappy_case()
    sam = await town.signed_in()

    page = await sam.look(f"/desk/cases/{case}")

    assert "Lovely, <mark>but</mark> <mark>I guess</mark> we <mark>waited ages</mark>" in page
    assert "edges: “I guess”" in page
    assert "window table" in page
    assert "€42.00" in page
    assert '<time datetime="2026-03-04T12:03:00+00:00"' in page


async def test_nothing_a_customer_writes_or_is_called_becomes_html(town: Town) -> None:
    """Names, messages and evidence are text."""
    attack = '<img src=x onerror=alert(1)> I guess <script>alert("x")</script>'
    case = await town.unhappy_case(attack, name="<b>Robin</b>")
    sam = await town.signed_in()

    for path in ("/desk", f"/desk/cases/{case}", "/desk/ledger"):
        page = await sam.look(path)
        assert "<img src=x" not in page
        assert "<script>alert" not in page
        assert "<b>Robin" not in page
    assert "&lt;b&gt;Robin&lt;/b&gt;" in page


async def test_a_reply_takes_the_case_and_reaches_the_customer_once(town: Town, sms: FakeChannel) -> None:
    """The same form sent twice, as by a double click, is one message."""
    case = await town.unhappy_case()
    sam = await town.signed_in()
    form = {"text": "Robin, Sam here.\r\nIs tomorrow good?", "after": "3"}

    answers = await asyncio.gather(*(sam.send(f"/desk/cases/{case}/replies", **form) for _ in range(2)))
    assert [answer.status for answer in answers] == [303, 303]
    await town.worker.drain()

    assert sms.texts.count("Robin, Sam here.\nIs tomorrow good?") == 1
    page = await sam.look(f"/desk/cases/{case}")
    assert "Your reply is on its way." in page
    assert "Your reply is on its way." not in await sam.look(f"/desk/cases/{case}"), "said once"


async def test_a_script_gets_the_page_again_without_a_detour(town: Town) -> None:
    """htmx takes what it needs from the answer itself."""
    case = await town.unhappy_case()
    sam = await town.signed_in()

    answer = await sam.send(f"/desk/cases/{case}/claim", headers={"HX-Request": "true"})

    assert answer.status == 200
    assert "The case is yours." in await answer.text()


async def test_a_form_without_our_token_does_nothing_and_loses_nothing(town: Town) -> None:
    """403, and the words stand in the form again with the right token."""
    case = await town.unhappy_case()
    sam = await town.signed_in()

    form = {"csrf": "guessed", "text": "Words that took ten minutes"}
    answer = await sam.browser.post(f"/desk/cases/{case}/replies", data=form, allow_redirects=False)

    assert answer.status == 403
    assert "Words that took ten minutes" in await answer.text()
    assert f'value="{await sam.csrf()}"' in await answer.text()
    assert (await sam.browser.post(f"/desk/cases/{case}/claim", data={})).status == 403
    assert (await sam.browser.post("/desk/logout", data={})).status == 403
    async with town.shop.store(read_only=True) as tx:
        assert (await tx.get(Case, case)).state is CaseState.OPEN
        assert await tx.all(Message, author=Author.AGENT) == []


async def test_who_comes_second_is_told_and_keeps_their_words(town: Town) -> None:
    """409 with who has the case; the reply that could not be sent is still on the page."""
    case = await town.unhappy_case()
    sam, mira = await town.signed_in(), await town.signed_in(town.mira)
    await sam.send(f"/desk/cases/{case}/claim")

    claim = await mira.send(f"/desk/cases/{case}/claim")
    reply = await mira.send(f"/desk/cases/{case}/replies", text="My careful words")

    assert (claim.status, reply.status) == (409, 409)
    assert "Sam has this case" in await claim.text()
    assert "My careful words" in await reply.text()


async def test_a_gesture_above_ones_authority_is_refused_and_recorded(town: Town) -> None:
    """422 beside the amount, which stays in the form; the timeline keeps the refusal."""
    case = await town.unhappy_case()
    sam = await town.signed_in()
    await sam.send(f"/desk/cases/{case}/claim")

    answer = await sam.send(f"/desk/cases/{case}/grants", kind="refund", amount="60,00", currency="EUR", note="taxi")

    page = await answer.text()
    assert answer.status == 422
    assert "more than you may grant" in page
    assert 'value="60,00"' in page
    assert 'value="taxi"' in page
    async with town.shop.store(read_only=True) as tx:
        assert await tx.all(Grant) == []
        assert await tx.one(TimelineEntry, case_id=case, what="grant refused") is not None


async def test_a_gesture_is_given_once_and_ticks_its_step(town: Town) -> None:
    """A decimal comma is an amount; the same form again gives nothing more."""
    case = await town.unhappy_case()
    sam = await town.signed_in()
    await sam.send(f"/desk/cases/{case}/claim")

    for _ in range(2):
        form = {"kind": "voucher", "amount": "12,5", "currency": "EUR", "note": "dessert", "given": "0"}
        assert (await sam.send(f"/desk/cases/{case}/grants", **form)).status == 303

    async with town.shop.store(read_only=True) as tx:
        assert [grant.value for grant in await tx.all(Grant)] == [Decimal("12.50")]
        step = await tx.one(CaseStep, case_id=case, step=Step.COMPENSATE)
        assert step is not None and step.state is StepState.DONE
    assert "€12.50" in await sam.look(f"/desk/cases/{case}")


async def test_an_amount_that_is_none_is_refused_beside_its_field(town: Town) -> None:
    """So are a kind and a step that do not exist."""
    case = await town.unhappy_case()
    sam = await town.signed_in()
    await sam.send(f"/desk/cases/{case}/claim")

    for form in ({"kind": "refund", "amount": "much"}, {"kind": "castle", "amount": "1"}):
        answer = await sam.send(f"/desk/cases/{case}/grants", currency="EUR", **form)
        assert answer.status == 422
    assert (await sam.send(f"/desk/cases/{case}/steps/dance", state="done")).status == 422
    assert (await sam.send(f"/desk/cases/{case}/steps/act", state="waived")).status == 422


async def test_five_steps_lead_to_a_resolved_case_and_a_follow_up(town: Town) -> None:
    """Resolving names what is open; with every step done or waived the assistant plans to ask whether it helped."""
    case = await town.unhappy_case()
    sam = await town.signed_in()
    await sam.send(f"/desk/cases/{case}/claim")

    early = await sam.send(f"/desk/cases/{case}/resolve", summary="Free lunch")
    assert early.status == 422
    assert "act, compassion, compensate" in await early.text()
    assert "Free lunch" in await early.text()

    for step in GATE:
        assert (await sam.send(f"/desk/cases/{case}/steps/{step}", state="done", note="")).status == 303
    waived = await sam.send(f"/desk/cases/{case}/steps/compensate", state="waived", note="Robin wanted none")
    assert waived.status == 303
    wordless = await sam.send(f"/desk/cases/{case}/resolve", summary=" ")
    assert wordless.status == 422
    assert (await sam.send(f"/desk/cases/{case}/resolve", summary="Called, and a table kept")).status == 303

    async with town.shop.store(read_only=True) as tx:
        assert (await tx.get(Case, case)).state is CaseState.RESOLVED
        assert "follow_up" in {task.kind for task in await tx.all(Task, state="todo")}
    assert "Called, and a table kept" in await sam.look(f"/desk/cases/{case}")


async def test_a_case_changes_hands_with_a_brief_and_goes_back_to_the_assistant(town: Town) -> None:
    """Transfer, hand back, resolve elsewhere, reopen: each through its form."""
    case = await town.unhappy_case()
    sam, mira = await town.signed_in(), await town.signed_in(town.mira)
    await sam.send(f"/desk/cases/{case}/claim")

    nobody = await sam.send(f"/desk/cases/{case}/transfer", to="nobody", brief="Robin waits")
    assert nobody.status == 422
    assert "Robin waits" in await nobody.text()
    assert (await sam.send(f"/desk/cases/{case}/transfer", to=town.mira.id, brief="")).status == 422
    assert (await sam.send(f"/desk/cases/{case}/transfer", to=town.mira.id, brief="Robin waits")).status == 303
    assert "Robin waits" in await mira.look(f"/desk/cases/{case}")

    assert (await sam.send(f"/desk/cases/{case}/handback")).status == 409
    assert (await mira.send(f"/desk/cases/{case}/handback")).status == 303
    assert "Take the conversation back" in await mira.look(f"/desk/cases/{case}")
    assert (await mira.send(f"/desk/cases/{case}/claim")).status == 303
    assert "Hand back to the assistant" in await mira.look(f"/desk/cases/{case}")
    desk = CaseDesk(town.shop)
    for step in GATE:
        await desk.step(case, town.mira.id, Step(step), StepState.DONE, "")
    await desk.resolve(case, town.mira.id, "All well")
    assert (await mira.send(f"/desk/cases/{case}/reopen", reason="")).status == 422
    assert (await mira.send(f"/desk/cases/{case}/reopen", reason="It broke again")).status == 303
    assert "It broke again" in await mira.look(f"/desk/cases/{case}")


async def test_someone_who_opted_out_cannot_be_written_to(town: Town) -> None:
    """The page says so, and an older page's form is refused."""
    case = await town.unhappy_case()
    sam = await town.signed_in()
    async with town.shop.store() as tx:
        thread = await load_thread(tx, (await tx.get(Case, case)).conversation_id)
        await withdraw(tx, thread, source="test", now=town.clock())
        await tx.commit()

    assert "opted out of messages" in await sam.look(f"/desk/cases/{case}")
    assert (await sam.send(f"/desk/cases/{case}/replies", text="hello")).status == 409


async def test_what_is_not_there_is_a_readable_404(town: Town) -> None:
    """For pages and for forms."""
    sam = await town.signed_in()

    for path in ("/desk/cases/nothing", "/desk/customers/nothing", "/desk/nothing"):
        assert "<h1" in await sam.look(path, status=404)
    assert (await sam.send("/desk/cases/nothing/claim")).status == 404
    assert (await sam.send("/desk/cases/nothing/transfer", to="x", brief="y")).status == 404
    assert (await sam.browser.get("/desk/cases/nothing/events")).status == 404


async def test_the_ledger_has_every_event_in_one_state(town: Town) -> None:
    """Counts add up, filters narrow the lines, and each line leads to its case and its customer."""
    case = await town.unhappy_case()
    sam = await town.signed_in()
    async with town.shop.store(read_only=True) as tx:
        customer = (await tx.get(Case, case)).customer_id
        verdict = (await tx.all(ServiceEvent))[0].verdict

    page = await sam.look("/desk/ledger")
    assert f'href="/desk/cases/{case}"' in page
    assert f'href="/desk/customers/{customer}"' in page
    assert f'href="/desk/cases/{case}"' in await sam.look(f"/desk/ledger?verdict={verdict}")
    assert f'href="/desk/cases/{case}"' not in await sam.look("/desk/ledger?verdict=satisfied")
    assert f'href="/desk/cases/{case}"' not in await sam.look("/desk/ledger?site=elsewhere")
    assert (await sam.browser.get("/desk/ledger?verdict=nonsense")).status == 200


async def test_the_customers_page_holds_their_history(town: Town) -> None:
    """Visits, words, cases and what they were given."""
    case = await town.unhappy_case()
    sam = await town.signed_in()
    await sam.send(f"/desk/cases/{case}/claim")
    await sam.send(f"/desk/cases/{case}/grants", kind="gift", amount="7", currency="EUR", note="")
    async with town.shop.store(read_only=True) as tx:
        customer = (await tx.get(Case, case)).customer_id

    page = await sam.look(f"/desk/customers/{customer}")

    for told in ("Robin", "Lunch", "we waited ages", "€7.00", f'href="/desk/cases/{case}"', "window table"):
        assert told in page


async def test_what_was_typed_into_a_form_that_is_gone_is_shown_to_copy(town: Town) -> None:
    """The case changed hands while a summary was being written."""
    case = await town.unhappy_case()
    sam = await town.signed_in()
    await sam.send(f"/desk/cases/{case}/claim")
    await CaseDesk(town.shop).transfer(case, town.sam.id, town.mira.id, "Robin waits")

    answer = await sam.send(f"/desk/cases/{case}/resolve", summary="A long account of what was done")

    assert answer.status == 409
    assert "A long account of what was done" in await answer.text()


async def test_a_promise_shows_what_became_of_it(town: Town) -> None:
    """Missed while nobody has answered in time, then kept late."""
    case = await town.unhappy_case()
    sam = await town.signed_in()
    assert ">missed<" not in await sam.look(f"/desk/cases/{case}")

    town.clock.forward(hours=3)
    assert ">missed<" in await sam.look(f"/desk/cases/{case}")
    await sam.send(f"/desk/cases/{case}/replies", text="Robin, Sam here.")
    assert ">kept late<" in await sam.look(f"/desk/cases/{case}")


async def test_the_ledger_is_read_page_by_page(town: Town) -> None:
    """Every event once, the latest first, and the counts stay whole."""
    async with town.shop.store() as tx:
        robin = Customer(name="Robin", created_at=town.clock())
        tx.add(robin)
        await tx.flush()
        for number in range(60):
            tx.add(quiet_lunch(number, robin.id, town.clock() - timedelta(minutes=number // 2)))
        await tx.commit()

    seen: list[str] = []
    after: str | None = None
    while after is not None or not seen:
        async with town.shop.store(read_only=True) as tx:
            page = await silence_ledger(tx, verdict=Verdict.SILENT_OK, limit=25, cursor=after)
        assert (page.total, page.counts[Verdict.SILENT_OK], page.counts[Verdict.MASKED]) == (60, 60, 0)
        seen += [line["finished_at"] + line["external_id"] for line in page.lines]
        after = page.next
    assert len(set(seen)) == 60
    assert [moment[:16] for moment in seen] == sorted((moment[:16] for moment in seen), reverse=True)


def quiet_lunch(number: int, customer: str, finished_at: datetime) -> ServiceEvent:
    """A lunch of which nobody said anything."""
    return ServiceEvent(
        external_id=f"quiet-{number}",
        fingerprint="",
        kind="restaurant_visit",
        site_id="harbour",
        service="lunch",
        finished_at=finished_at,
        customer_id=customer,
        medium=Medium.SMS,
        verdict=Verdict.SILENT_OK,
        created_at=finished_at,
    )


async def test_the_case_page_shows_what_the_customer_named(town: Town) -> None:
    """Order, amount and how long, in one form for all languages, each beside the customer's own words."""
    case = await town.unhappy_case("Order 4471 took forty minutes and cost 35 euros")
    sam = await town.signed_in()

    page = await sam.look(f"/desk/cases/{case}")

    for name, value, words in (("Order", "4471", "Order 4471"), ("How long", "40 min", "forty minutes")):
        assert f"<dt>{name}</dt><dd>{value} " in page
        assert re.search(rf"“<bdi[^>]*>{words}</bdi>”", page)
    assert "<dt>Amount</dt><dd>35 EUR " in page
