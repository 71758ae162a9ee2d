"""The stranger's journey: what somebody who has just started Afterword does with it, in a real browser."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.chromium import Visits, login
from tests.e2e.house import House

pytestmark = [pytest.mark.e2e, pytest.mark.browser]


def bubble(page: Page, words: str | re.Pattern[str]) -> None:
    """Wait until the thread on this page shows these words."""
    expect(page.get_by_role("log").get_by_text(words).last).to_be_visible()


def tick(desk: Page, step: str, note: str) -> None:
    """Tick one of the five steps off."""
    item = desk.locator(".steps > li").filter(has_text=step)
    item.get_by_text("Tick off").click()
    item.get_by_label("Note").fill(note)
    item.get_by_role("button", name="Done").click()
    expect(item).to_have_class(re.compile("done"))


def test_from_the_start_page_to_a_closed_case(visits: Visits, house: House) -> None:
    """A late lunch, a polite shrug, an apology, a person with the whole story, a gesture, and the question after it."""
    phone = visits.open("/")
    phone.get_by_role("link", name="Try it on a phone").click()
    phone.get_by_role("button", name=re.compile("^Dana")).click()
    phone.get_by_role("radio", name="55 minutes late").check()
    phone.get_by_role("button", name="Finish the service").click()
    bubble(phone, re.compile("Harbour Kitchen.*STOP"))

    phone.get_by_label("Write as Dana").fill("it was fine I guess, bit of a wait though")
    phone.keyboard.press("Enter")
    bubble(phone, re.compile("sorry", re.IGNORECASE))
    bubble(phone, re.compile("Sam|Maya|first on the list"))

    desk = visits.open("/desk")
    expect(desk).to_have_url(re.compile("/desk/login"))
    login(desk, house)
    desk.get_by_role("link", name="Dana").click()
    expect(desk.locator("mark").filter(has_text="I guess")).to_be_visible()
    expect(desk.locator("mark").filter(has_text="bit of a wait")).to_be_visible()
    expect(desk.get_by_text("A long wait")).to_be_visible()

    desk.get_by_role("button", name="Claim this case").click()
    expect(desk.get_by_text("The case is yours.", exact=True)).to_be_visible()
    desk.get_by_label("Reply").fill("Dana, this is Sam. Lunch is on us, and the next table is yours at once.")
    desk.get_by_role("button", name="Send").click()
    bubble(desk, re.compile("this is Sam"))
    expect(desk.get_by_label("Reply")).to_have_value("")
    bubble(phone, re.compile("this is Sam"))

    desk.locator("#grant > summary").click()
    desk.get_by_label("What", exact=True).select_option("Voucher")
    desk.get_by_label(re.compile("^Amount")).fill("20")
    desk.get_by_role("button", name="Grant", exact=True).click()
    expect(desk.get_by_text("The gesture is granted.")).to_be_visible()
    tick(desk, "Act at once", "table kept free")
    tick(desk, "Show compassion", "their lunch break")

    desk.locator("#resolve > summary").click()
    desk.get_by_label("What was done, in a sentence").fill("lunch is on us")
    desk.get_by_role("button", name="Resolve").click()
    expect(desk.get_by_text("Resolved. The assistant will ask whether it helped.")).to_be_visible()

    bubble(phone, re.compile(r"Sam tells me .*\?"))
    phone.get_by_label("Write as Dana").fill("yes, all good now, thanks")
    phone.get_by_role("button", name="Send", exact=True).click()
    expect(desk.locator(".case-head")).to_contain_text("Closed")
    bubble(desk, "yes, all good now, thanks")
