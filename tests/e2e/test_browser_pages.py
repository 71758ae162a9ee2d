"""Every page in a real browser: WCAG 2.2 AA, light and dark, down to 320 pixels, under our own strict policy."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.business import LATE, ask, finished
from tests.e2e.chromium import AXE, Visits, barriers, overflow
from tests.e2e.house import House, eventually

pytestmark = [pytest.mark.e2e, pytest.mark.browser]

HOSTILE = "<script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\"> the soup was cold"
PERSIAN = "غذا سرد بود و خیلی منتظر ماندیم"
FORMS = [(1280, "light"), (1280, "dark"), (320, "light"), (320, "dark")]


@pytest.fixture(autouse=True)
def _with_axe() -> None:
    if not AXE.exists():
        pytest.skip("axe-core is not installed (`make web`)")


@pytest.fixture
def case(house: House, phone: str) -> str:
    """A case whose customer writes what a page must never take for its own."""
    event = ask(house, finished(phone, facts=LATE))
    eventually(lambda: house.received(phone))
    house.text(phone, HOSTILE)
    case_id: str = eventually(lambda: house.api("GET", f"/service-events/{event['id']}").json()["case_id"])
    return case_id


def check(page: Page, name: str) -> list[str]:
    """What is wrong with this page as it stands."""
    wide = overflow(page)
    return [f"{name}: {found}" for found in (*barriers(page), *([f"{wide} px too wide"] if wide > 0 else ()))]


@pytest.mark.parametrize(("width", "scheme"), FORMS, ids=[f"{width}-{scheme}" for width, scheme in FORMS])
def test_no_page_shuts_anybody_out(visits: Visits, width: int, scheme: str, case: str) -> None:
    """Every page and every panel that opens in it, to axe-core's WCAG 2.2 AA rules and without a sideways scroll."""
    page = visits.open("/", width=width, color_scheme=scheme)
    wrong = check(page, "start")
    for path in ("/docs", "/nowhere", "/desk/login"):
        page.goto(path)
        wrong += check(page, path)

    page.goto("/simulator")
    expect(page.get_by_role("log")).to_be_visible()
    page.get_by_role("button", name="Finish the service").click()
    expect(page.get_by_text(re.compile("Check-in|Nobody is asked"))).to_be_visible()
    page.get_by_text("Make Twilio misbehave").click()
    wrong += check(page, "simulator")

    page.goto("/demo")
    wrong += check(page, "demo")
    page.get_by_role("button", name="Open chat").click()
    page.get_by_label("Write a message").fill("hello")
    page.keyboard.press("Enter")
    expect(page.locator("afterword-chat li.bot").first).to_be_visible()
    wrong += check(page, "widget")

    desk = visits.desk(width=width, color_scheme=scheme)
    wrong += check(desk, "queue")
    desk.locator("#line[data-line=up]").wait_for(state="attached")
    desk.keyboard.press("?")
    expect(desk.get_by_role("dialog")).to_be_visible()
    wrong += check(desk, "keys")
    for path in ("/desk?view=closed", "/desk/ledger", f"/desk/cases/{case}"):
        desk.goto(path)
        wrong += check(desk, path)
    desk.get_by_text("Everything they said and we did").click()
    wrong += check(desk, "customer")
    assert wrong == []


def test_a_claimed_case_with_everything_unfolded(visits: Visits, case: str) -> None:
    """The forms, a refusal beside its field, and the folds."""
    desk = visits.desk(f"/desk/cases/{case}", width=320)
    desk.get_by_role("button", name="Claim this case").click()
    expect(desk.get_by_text("The case is yours.", exact=True)).to_be_visible()
    desk.locator("#grant > summary").click()
    desk.get_by_label(re.compile("^Amount")).fill("9999")
    desk.get_by_role("button", name="Grant", exact=True).click()
    expect(desk.locator("#amount-problem")).to_be_visible()
    desk.evaluate("for (const fold of document.querySelectorAll('details')) fold.open = true")

    assert check(desk, "case") == []


def test_what_a_customer_writes_is_text_wherever_it_is_shown(visits: Visits, house: House, case: str) -> None:
    """In the thread, the queue, the ledger, the history, the phone and the chat."""
    desk = visits.desk(f"/desk/cases/{case}")
    expect(desk.get_by_role("log")).to_contain_text(HOSTILE)
    desk.get_by_text("Everything they said and we did").click()
    expect(desk.get_by_text(HOSTILE)).to_be_visible()
    for path in ("/desk", "/desk/ledger"):
        desk.goto(path)
        expect(desk.locator(".queue-row").first).to_be_visible()
        expect(desk).not_to_have_title("taken")

    phone = visits.open("/simulator")
    phone.get_by_label("Write as someone unknown").fill("+447700902999")
    phone.get_by_role("button", name="Take this phone").click()
    phone.get_by_label("Write as Someone unknown", exact=True).fill(HOSTILE)
    phone.keyboard.press("Enter")
    expect(phone.get_by_role("log").get_by_text(HOSTILE)).to_be_visible()

    chat = visits.open("/demo")
    chat.get_by_role("button", name="Open chat").click()
    chat.get_by_label("Write a message").fill(HOSTILE)
    chat.keyboard.press("Enter")
    expect(chat.get_by_role("log").get_by_text(HOSTILE)).to_be_visible()
    for page in (desk, phone, chat):
        expect(page).not_to_have_title("taken")
        assert page.locator("img[src=x]").count() == 0


def test_persian_reads_from_right_to_left(visits: Visits, house: House) -> None:
    """On the phone, in the chat and on the desk, in whatever language the page around it is."""
    phone = visits.open("/simulator")
    phone.get_by_role("button", name=re.compile("^نوید")).click()
    phone.get_by_label("Write as نوید").fill(PERSIAN)
    phone.keyboard.press("Enter")
    bubble = phone.get_by_role("log").get_by_text(PERSIAN)
    expect(bubble).to_be_visible()
    assert bubble.evaluate("node => getComputedStyle(node).direction") == "rtl"
    assert phone.locator(".screen").get_attribute("dir") == "rtl"

    chat = visits.open("/demo?customer=c-4")
    launcher = chat.get_by_role("button", name="باز کردن گفتگو")
    launcher.click()
    panel = chat.get_by_role("dialog")
    assert panel.evaluate("node => getComputedStyle(node).direction") == "rtl"
    box, window = panel.bounding_box(), chat.viewport_size
    assert box is not None
    assert window is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= window["width"]
    chat.get_by_label("پیامی بنویسید").fill(PERSIAN)
    chat.keyboard.press("Enter")
    expect(chat.get_by_role("log").get_by_text(PERSIAN)).to_be_visible()
    assert [*barriers(phone), *barriers(chat)] == []
