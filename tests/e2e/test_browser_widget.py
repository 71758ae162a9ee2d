"""The chat widget on a business's own page, in a real browser."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.chromium import Visits
from tests.e2e.house import House, eventually

pytestmark = [pytest.mark.e2e, pytest.mark.browser]

COMPLAINT = "my soup was cold and we waited an hour"


def write(page: Page, text: str) -> None:
    """Write one message with the keyboard, as the panel opens with the cursor where one writes."""
    expect(page.get_by_label("Write a message")).to_be_focused()
    page.keyboard.type(text)
    page.keyboard.press("Enter")


def said(page: Page, author: str) -> list[str]:
    """What the panel shows of one author."""
    return page.locator(f"afterword-chat li.{author} .text").all_inner_texts()


def case_with(house: House, words: str) -> str:
    """The case in whose conversation these words were said."""

    def look() -> str | None:
        for case in house.api("GET", "/cases?state=open").json()["items"]:
            whole = house.api("GET", f"/cases/{case['id']}").json()
            if any(message["text"] == words for message in whole["transcript"]):
                return str(case["id"])
        return None

    return str(eventually(look))


def test_a_complaint_is_answered_live_by_a_person_and_still_there_after_a_reload(visits: Visits, house: House) -> None:
    """The apology at once, then the agent under their own name; a reload loses and repeats nothing."""
    page = visits.open("/demo")
    page.get_by_role("button", name="Open chat").click()
    complaint = f"{COMPLAINT}, table by the door"
    write(page, complaint)
    panel = page.get_by_role("dialog")
    expect(panel.locator("li.bot .text").filter(has_text=re.compile("sorry", re.IGNORECASE))).to_be_visible()

    case_id = case_with(house, complaint)
    agent = {"agent": house.demo["desk"][0]["email"], "text": "This is Sam. A new soup is on its way."}
    assert house.api("POST", f"/cases/{case_id}/replies", agent).status_code == 200

    expect(panel.locator("li.agent .text")).to_have_text("This is Sam. A new soup is on its way.")
    expect(panel.locator("li.agent .name")).to_have_text("Sam")
    expect(panel.locator("header")).to_contain_text("Sam is with you")
    before = {author: said(page, author) for author in ("customer", "bot", "agent")}

    page.reload()
    page.get_by_role("button", name="Open chat").click()

    expect(panel.locator("li.agent .text")).to_be_visible()
    assert {author: said(page, author) for author in ("customer", "bot", "agent")} == before
    expect(panel.locator("header")).to_contain_text("Sam is with you")


def test_the_keyboard_is_enough_and_is_never_trapped(visits: Visits) -> None:
    """Tab to it, Enter to open, write, Escape to close; the focus is where it was, and Tab goes on."""
    page = visits.open("/demo")
    launcher = page.get_by_role("button", name="Open chat")
    for _ in range(20):
        page.keyboard.press("Tab")
        if launcher.evaluate("node => node.getRootNode().activeElement === node"):
            break
    expect(launcher).to_be_focused()

    page.keyboard.press("Enter")
    write(page, "hello")
    expect(page.get_by_role("log")).to_contain_text("hello")
    page.keyboard.press("Escape")

    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(launcher).to_be_focused()
    page.keyboard.press("Tab")
    expect(launcher).not_to_be_focused()


def test_an_answer_to_a_closed_panel_is_counted(visits: Visits, house: House) -> None:
    """Who has closed the chat sees that there is news, and hears it from a screen reader."""
    page = visits.open("/demo")
    page.get_by_role("button", name="Open chat").click()
    complaint = f"{COMPLAINT}, table by the window"
    write(page, complaint)
    expect(page.locator("afterword-chat li.bot").last).to_be_visible()
    case_id = case_with(house, complaint)
    page.keyboard.press("Escape")

    agent = {"agent": house.demo["desk"][0]["email"], "text": "Sam here."}
    assert house.api("POST", f"/cases/{case_id}/replies", agent).status_code == 200

    page.get_by_role("button", name=re.compile("Open chat, .* new message")).click()
    expect(page.get_by_role("log")).to_contain_text("Sam here.")
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Open chat", exact=True)).to_be_visible()


def test_a_message_written_without_a_connection_is_sent_when_it_is_back(visits: Visits) -> None:
    """Once, and in its place."""
    page = visits.open("/demo")
    page.get_by_role("button", name="Open chat").click()
    write(page, "hello")
    expect(page.locator("afterword-chat li.bot").first).to_be_visible()

    page.context.set_offline(True)
    write(page, "are you there?")
    expect(page.locator("afterword-chat li.sending")).to_be_visible()
    page.context.set_offline(False)

    expect(page.locator("afterword-chat li.sending")).to_have_count(0)
    page.reload()
    page.get_by_role("button", name="Open chat").click()
    expect(page.get_by_role("log")).to_contain_text("are you there?")
    assert said(page, "customer") == ["hello", "are you there?"]


def test_a_visitor_who_never_opens_the_chat_is_reported_to_nobody(visits: Visits) -> None:
    """Not one request leaves for the chat before somebody asks for it."""
    page = visits.open("/")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    page.goto("/demo")

    expect(page.get_by_role("button", name="Open chat")).to_be_visible()
    assert [url for url in asked if "/webchat/" in url] == []
