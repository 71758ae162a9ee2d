"""The chat widget when the world is in the way: reloads, no connection, a killed server, and two tabs."""

from __future__ import annotations

import itertools
import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.chromium import Visits
from tests.e2e.house import House, eventually
from tests.e2e.test_browser_widget import case_with, said, write

pytestmark = [pytest.mark.e2e, pytest.mark.browser]

_TABLES = itertools.count(1)


def open_chat(page: Page) -> Page:
    """Open the panel."""
    page.get_by_role("button", name=re.compile("Open chat")).click()
    return page


def complaint() -> str:
    """Words that nobody else writes, and that bring a person."""
    return f"my soup was cold and we waited an hour, table {next(_TABLES)} by the sea"


def whole(page: Page) -> list[str]:
    """Everything the panel shows, in order."""
    return page.locator("afterword-chat li .text").all_inner_texts()


def with_a_person(page: Page, house: House) -> str:
    """Complain, and wait until a case is open and the bot has said what happens now; the case."""
    words = complaint()
    write(page, words)
    case_id = case_with(house, words)
    expect(page.locator("afterword-chat li.bot").nth(1)).to_be_visible()
    return case_id


def reply(house: House, case_id: str, text: str) -> None:
    """Sam answers."""
    agent = {"agent": house.demo["desk"][0]["email"], "text": text}
    assert house.api("POST", f"/cases/{case_id}/replies", agent).status_code == 200


def settled(page: Page, last: str, *, within: float = 30.0) -> None:
    """Wait until the last words are there and nothing is on its way any more."""
    expect(page.locator("afterword-chat li .text").last).to_have_text(last, timeout=within * 1000)
    expect(page.locator("afterword-chat li.sending")).to_have_count(0)


def thread_of(house: House, case_id: str) -> list[str]:
    """What the house has kept of the conversation and said in it, in order."""
    whole_case = house.api("GET", f"/cases/{case_id}").json()
    return [m["text"] for m in whole_case["transcript"] if m["delivery"] not in ("withheld", "failed")]


def test_a_reload_in_the_middle_loses_and_repeats_nothing(visits: Visits, house: House) -> None:
    """The page goes away while an agent writes, and while our own words are on their way."""
    page = open_chat(visits.open("/demo"))
    case_id = with_a_person(page, house)
    write(page, "are you there?")
    page.reload()
    reply(house, case_id, "Sam here.")
    open_chat(page)
    settled(page, "Sam here.")
    before = whole(page)

    page.reload()
    open_chat(page)

    settled(page, "Sam here.")
    assert whole(page) == before == thread_of(house, case_id)


def test_what_both_sides_wrote_without_a_connection_is_there_when_it_is_back(visits: Visits, house: House) -> None:
    """Offline the agent writes once and the customer twice; then the connection is back."""
    page = open_chat(visits.open("/demo"))
    case_id = with_a_person(page, house)

    page.context.set_offline(True)
    expect(page.get_by_role("status").filter(has_text="No connection")).to_be_visible()
    reply(house, case_id, "Sam here.")
    write(page, "one, from the tunnel")
    write(page, "two, from the tunnel")
    expect(page.locator("afterword-chat li.sending")).to_have_count(2)
    assert "Sam here." not in whole(page)
    page.context.set_offline(False)

    settled(page, "two, from the tunnel")
    assert whole(page)[-3:] == ["Sam here.", "one, from the tunnel", "two, from the tunnel"]
    assert whole(page) == thread_of(house, case_id)


def test_words_written_without_a_connection_survive_the_page(visits: Visits, house: House) -> None:
    """The tab is closed in the tunnel, and opened again at home."""
    page = open_chat(visits.open("/demo"))
    case_id = with_a_person(page, house)
    page.context.set_offline(True)
    write(page, "typed in the tunnel")
    expect(page.locator("afterword-chat li.sending")).to_have_count(1)
    context = page.context
    page.close()

    context.set_offline(False)
    page = context.new_page()
    page.goto("/demo")
    open_chat(page)

    settled(page, "typed in the tunnel")
    assert whole(page) == thread_of(house, case_id)


def test_a_killed_server_costs_nobody_a_word(visits: Visits, house: House) -> None:
    """The edge is killed while the chat is open, and starts again on the same database."""
    page = open_chat(visits.open("/demo"))
    case_id = with_a_person(page, house)
    reply(house, case_id, "Sam here.")
    settled(page, "Sam here.")

    house.kill("bot edge")
    expect(page.get_by_role("status").filter(has_text="No connection")).to_be_visible()
    write(page, "hello? are you still there?")
    eventually(lambda: _answers(house), within=60)
    expect(page.locator("afterword-chat li.sending")).to_have_count(0, timeout=60_000)
    reply(house, case_id, "Always.")

    # What the killed worker had begun is another's after its lease of a minute, and words wait for those before them.
    settled(page, "Always.", within=90)
    assert whole(page)[-3:] == ["Sam here.", "hello? are you still there?", "Always."]
    assert whole(page) == thread_of(house, case_id)
    visits.complaints.clear()  # the browser says that the server was away


def _answers(house: House) -> bool:
    try:
        return house.api("GET", "/cases").status_code == 200
    except OSError:
        return False


def test_two_tabs_are_one_conversation(visits: Visits, house: House) -> None:
    """Both opened before anything was said: one conversation, the same words in the same order, none of them twice."""
    one = visits.open("/demo")
    other = one.context.new_page()
    other.goto("/demo")
    open_chat(one)
    case_id = with_a_person(one, house)
    open_chat(other)
    settled(other, whole(one)[-1])
    assert whole(other) == whole(one)

    one.bring_to_front()
    write(one, "from one tab")
    expect(other.locator("afterword-chat li .text").last).to_have_text("from one tab")
    other.bring_to_front()
    write(other, "from the other tab")
    reply(house, case_id, "Sam here.")

    for tab in (one, other):
        settled(tab, "Sam here.")
    assert whole(one) == whole(other) == thread_of(house, case_id)
    assert said(one, "customer")[-2:] == ["from one tab", "from the other tab"]


def test_news_read_in_one_tab_are_news_in_no_other(visits: Visits, house: House) -> None:
    """The badge of the closed panel goes when the message is read next door."""
    one = open_chat(visits.open("/demo"))
    case_id = with_a_person(one, house)
    one.keyboard.press("Escape")
    other = one.context.new_page()
    other.goto("/demo")
    reply(house, case_id, "Sam here.")
    news = re.compile(r"Open chat, \d new message")
    expect(one.get_by_role("button", name=news)).to_be_visible()
    expect(other.get_by_role("button", name=news)).to_be_visible()

    open_chat(other)

    expect(one.get_by_role("button", name="Open chat", exact=True)).to_be_visible()
