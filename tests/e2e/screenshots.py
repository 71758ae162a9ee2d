"""`python -m tests.e2e.screenshots`: lives a story in a house of its own and takes docs/screenshots/ anew."""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.e2e.chromium import Visits, chromium, found
from tests.e2e.house import ROOT, House, eventually, living

PICTURES = ROOT / "docs" / "screenshots"
LARGEST = 300_000  # bytes
_ROBIN = "+442079460101"
_REPLY = "Robin, this is Sam. Lunch is on us, and the next table is yours at once."
_CHAT_REPLY = "Robin, Sam here. I am booking you a seat on the next one."


def main() -> int:
    """Take every picture; 1 when there is no browser."""
    path = found()
    if path is None:
        print("No Chromium on this machine (Debian: apt install chromium).", file=sys.stderr)  # noqa: T201
        return 1
    PICTURES.mkdir(parents=True, exist_ok=True)
    print("Starting a house of its own …")  # noqa: T201
    with tempfile.TemporaryDirectory() as folder, living(Path(folder)) as house, chromium(path) as browser:
        visits = Visits(browser, house)
        for take in (start, phone, desk, on_the_go, website, documentation):
            take(visits)
        visits.close()
    assert visits.complaints == [], visits.complaints
    return 0


def picture(page: Page, name: str) -> None:
    """Keep what the window shows."""
    page.evaluate("document.fonts.ready")
    path = PICTURES / f"{name}.png"
    size = len(page.screenshot(path=path, animations="disabled"))
    print(f"{path.relative_to(ROOT)}  {size // 1000} kB")  # noqa: T201
    assert size < LARGEST, f"{name} is too large to keep"


def start(visits: Visits) -> None:
    """The start page."""
    picture(visits.open("/", height=870), "start")


def phone(visits: Visits) -> None:
    """The simulator: a late lunch, a polite shrug, what is answered to it."""
    page = visits.open("/simulator", width=1360, height=820)
    page.get_by_role("button", name=re.compile("^Robin")).click()
    page.get_by_role("radio", name="55 minutes late").check()
    page.get_by_role("button", name="Finish the service").click()
    expect(page.get_by_role("log").locator(".bubble")).to_have_count(1)
    page.get_by_label("Write as Robin").fill("it was fine I guess, bit of a wait though")
    page.keyboard.press("Enter")
    expect(page.get_by_role("log").locator("li:not(.mine) .bubble")).to_have_count(3)
    page.get_by_label("Write as Robin").blur()
    picture(page, "simulator")


def desk(visits: Visits) -> None:
    """The queue, a case with its story, the ledger; one case in Persian."""
    queue = _live(visits.desk(height=620))
    picture(queue, "desk-queue")
    queue.get_by_role("link", name="Robin").click()
    page = _live(queue)
    page.get_by_role("button", name="Claim this case").click()
    page.get_by_label("Reply", exact=True).fill(_REPLY)
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("log")).to_contain_text("this is Sam")
    expect(page.get_by_label("Reply", exact=True)).to_have_value("")
    _answered(visits.house)
    expect(page.get_by_role("log")).to_contain_text("Thank you Sam")
    page.set_viewport_size({"width": 1440, "height": 960})
    page.reload()
    picture(_live(page), "desk-case")
    page.goto("/desk/ledger")
    picture(page, "desk-ledger")

    persian = visits.desk("/desk?view=resolved", width=1280, height=820, color_scheme="dark")
    persian.get_by_role("link", name="شیرین").click()
    picture(_live(persian), "desk-case-persian-dark")


def on_the_go(visits: Visits) -> None:
    """The desk on a phone, in the dark."""
    picture(_live(visits.desk(width=390, height=844, color_scheme="dark")), "desk-queue-small-dark")


def website(visits: Visits) -> None:
    """The demo site with the chat open: somebody the site knows, and somebody who reads from right to left."""
    page = visits.open("/demo?customer=c-1", height=800)
    page.get_by_role("button", name="Open chat").click()
    page.get_by_label("Write a message").fill("The soup was cold and we waited an hour. I missed my ferry.")
    page.keyboard.press("Enter")
    expect(page.locator("afterword-chat li.bot .text").nth(1)).to_be_visible()
    case_id = eventually(lambda: _case_over_chat(visits.house))
    agent = {"agent": visits.house.demo["desk"][0]["email"], "text": _CHAT_REPLY}
    assert visits.house.api("POST", f"/cases/{case_id}/replies", agent).status_code == 200
    expect(page.locator("afterword-chat li.agent")).to_be_visible()
    page.get_by_label("Write a message").blur()
    picture(page, "demo-chat")

    persian = visits.open("/demo?customer=c-4", width=390, height=844)
    persian.get_by_role("button", name="باز کردن گفتگو").click()
    persian.get_by_label("پیامی بنویسید").fill("غذا خوب بود ولی نزدیک یک ساعت منتظر ماندیم")
    picture(persian, "demo-chat-persian-small")


def documentation(visits: Visits) -> None:
    """The API's own page."""
    picture(visits.open("/docs", height=800), "api")


def _live(page: Page) -> Page:
    expect(page.locator("#line")).to_have_text("Live")
    return page


def _answered(house: House) -> None:
    eventually(lambda: any("this is Sam" in text for text in house.received(_ROBIN)))
    house.text(_ROBIN, "Thank you Sam, that is kind.")


def _case_over_chat(house: House) -> str | None:
    cases = house.api("GET", "/cases?state=open").json()["items"]
    mine = (case["id"] for case in cases if (case["channel"], case["customer_name"]) == ("webchat", "Robin"))
    return next(mine, None)


if __name__ == "__main__":
    sys.exit(main())
