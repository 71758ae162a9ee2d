"""The desk in a real browser, while customers and colleagues go on around it in other processes."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.e2e.business import LATE, ask, finished
from tests.e2e.chromium import Visits
from tests.e2e.house import House, eventually

pytestmark = [pytest.mark.e2e, pytest.mark.browser]


def unhappy(house: House, phone: str, name: str) -> str:
    """The case of somebody with that name who waited too long and did not quite say so."""
    event = finished(phone, facts=LATE)
    event["customer"]["name"] = name
    asked = ask(house, event)
    eventually(lambda: house.received(phone))
    house.text(phone, "it was fine I guess, bit of a wait though")
    return str(eventually(lambda: house.api("GET", f"/service-events/{asked['id']}").json()["case_id"]))


def test_a_new_case_appears_by_itself_and_is_announced(visits: Visits, house: House, phone: str) -> None:
    """No reload: the row comes in, the count goes up, a screen reader is told the name."""
    desk = visits.desk()
    expect(desk.locator("#line")).to_have_text("Live")

    unhappy(house, phone, "Noor Appears")

    expect(desk.get_by_role("link", name="Noor Appears")).to_be_visible()
    expect(desk.locator("#announcer")).to_have_text("New case: Noor Appears")


def test_a_half_written_reply_and_its_cursor_survive_what_the_customer_writes(
    visits: Visits, house: House, phone: str
) -> None:
    """The thread grows under the agent's hands; the draft, the focus and the cursor stay."""
    case_id = unhappy(house, phone, "Ada Draft")
    desk = visits.desk(f"/desk/cases/{case_id}")
    expect(desk.locator("#line")).to_have_text("Live")
    reply = desk.get_by_label("Reply")
    reply.fill("Ada, we are so sorry")
    reply.evaluate("box => box.setSelectionRange(5, 5)")

    house.text(phone, "and the toilets were dirty, honestly")

    expect(desk.get_by_role("log").get_by_text("and the toilets were dirty, honestly")).to_be_visible()
    expect(reply).to_be_focused()
    expect(reply).to_have_value("Ada, we are so sorry")
    assert reply.evaluate("box => box.selectionStart") == 5


def test_a_colleagues_claim_shows_at_once(visits: Visits, house: House, phone: str) -> None:
    """Two agents look at one case; one takes it; the other sees whose it is and is offered no second claim."""
    case_id = unhappy(house, phone, "Bo Claimed")
    sam = visits.desk(f"/desk/cases/{case_id}")
    maya = visits.desk(f"/desk/cases/{case_id}", who=2)
    expect(maya.locator("#line")).to_have_text("Live")

    sam.get_by_role("button", name="Claim this case").click()

    expect(maya.get_by_text("Sam has this case.")).to_be_visible()
    expect(maya.get_by_role("button", name="Claim this case")).to_have_count(0)


def test_the_keyboard_is_enough(visits: Visits, house: House, phone: str) -> None:
    """j and k through the list, Enter to open, r to write, u to go back, ? for help."""
    unhappy(house, phone, "Kim Keys")
    desk = visits.desk()
    expect(desk.locator("#line")).to_have_text("Live")
    rows = desk.locator(".queue-row a.open")
    assert rows.count() > 1

    desk.keyboard.press("j")
    expect(rows.nth(0)).to_be_focused()
    desk.keyboard.press("j")
    expect(rows.nth(1)).to_be_focused()
    desk.keyboard.press("k")
    expect(rows.nth(0)).to_be_focused()
    desk.keyboard.press("Shift+?")
    expect(desk.get_by_role("dialog", name="Keys")).to_be_visible()
    desk.keyboard.press("Escape")
    expect(desk.get_by_role("dialog", name="Keys")).to_be_hidden()
    expect(rows.nth(0)).to_be_focused()
    desk.keyboard.press("Enter")
    desk.wait_for_url("**/desk/cases/*")

    desk.goto("/desk")
    desk.get_by_role("link", name="Kim Keys").press("Enter")
    expect(desk.locator("#line")).to_have_text("Live")
    desk.keyboard.press("r")
    expect(desk.get_by_label("Reply")).to_be_focused()
    desk.keyboard.type("just ? a j")
    expect(desk.get_by_label("Reply")).to_have_value("just ? a j")
    desk.get_by_role("link", name="All cases").focus()
    desk.keyboard.press("u")
    desk.wait_for_url("**/desk")


def test_a_wrong_password_is_refused_and_the_email_kept(visits: Visits, house: House) -> None:
    """Said beside the form, without telling which of the two was wrong."""
    page = visits.open("/desk/ledger")
    expect(page).to_have_url(re.compile("/desk/login"))
    page.get_by_label("Email").fill(house.demo["desk"][2]["email"])
    page.get_by_label("Password").fill("not the password")

    page.get_by_role("button", name="Sign in").click()

    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_label("Email")).to_have_value(house.demo["desk"][2]["email"])
    page.get_by_label("Password").fill(house.demo["desk"][2]["password"])
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Silence ledger")).to_be_visible()


def test_the_desk_works_without_script(visits: Visits, house: House, phone: str) -> None:
    """Plain pages and forms: claim, reply, and the confirmation."""
    case_id = unhappy(house, phone, "Pat Plain")
    desk = visits.desk(f"/desk/cases/{case_id}", java_script_enabled=False)

    desk.get_by_role("button", name="Claim this case").click()
    expect(desk.get_by_text("The case is yours.", exact=True)).to_be_visible()
    desk.get_by_label("Reply").fill("Pat, this is Sam.")
    desk.get_by_role("button", name="Send").click()

    expect(desk.get_by_text("Your reply is on its way.")).to_be_visible()
    eventually(lambda: "Pat, this is Sam." in house.received(phone))
