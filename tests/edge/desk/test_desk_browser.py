"""The desk in a real browser: what is being typed survives what happens around it, and everybody can use it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.async_api import Browser as Chromium
from playwright.async_api import Page, async_playwright, expect

from bot.core.playbook import Playbook, Playbooks
from bot.core.vocabulary import Failure, Severity
from bot.edge.pages import STATIC
from bot.services.apology import load
from bot.services.entities import Agent
from tests.e2e.chromium import found

from .conftest import PASSWORD, Town

ROOT = Path(__file__).parents[3]
AXE = ROOT / "web/node_modules/axe-core/axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]

pytestmark = [pytest.mark.browser, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]


@pytest.fixture
async def chromium() -> AsyncIterator[Chromium]:
    """A browser, where the machine has one and the desk's script is built."""
    path = found()
    if path is None or not (STATIC / "dist" / "desk.js").exists():
        pytest.skip("needs Chromium and the built scripts: see `make setup`")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=OPTIONS)
        yield browser
        await browser.close()


class Visits:
    """Agents at the same desk, each in a window of their own."""

    def __init__(self, chromium: Chromium, address: str) -> None:
        self.chromium, self._address = chromium, address.rstrip("/")

    async def sign_in(self, agent: Agent, path: str, **look: object) -> Page:
        """A window on `path`, live."""
        context = await self.chromium.new_context(bypass_csp=True, **look)  # type: ignore[arg-type]
        page = await context.new_page()
        await page.goto(f"{self._address}{path}")
        await page.fill("#email", agent.email)
        await page.fill("#password", PASSWORD)
        await page.click("text=Sign in >> nth=-1")
        if "ledger" not in path:
            await expect(page.locator("#line")).to_have_text("Live")
        return page


@pytest.fixture
async def visits(town: Town, chromium: Chromium) -> Visits:
    """The desk, open to browsers."""
    return Visits(chromium, str((await town.stranger()).make_url("/")))


async def test_half_written_words_survive_that_a_colleague_takes_the_case(town: Town, visits: Visits) -> None:
    """The reply can no longer be sent, but it is still there to copy."""
    case = await town.unhappy_case()
    sam = await visits.sign_in(town.sam, f"/desk/cases/{case}")
    mira = await visits.sign_in(town.mira, f"/desk/cases/{case}")
    await mira.locator("#reply").press_sequentially("Dear Robin, half wri")

    await sam.click("text=Claim this case")

    await expect(mira.locator(".talk")).to_contain_text("Sam has this case")
    await expect(mira.locator("#reply")).to_have_value("Dear Robin, half wri")
    await expect(mira.locator("#reply")).to_be_visible()
    await expect(mira.locator(".composer button")).to_have_count(0)


async def test_a_refusal_stays_beside_its_field_through_live_updates(town: Town, visits: Visits) -> None:
    """Until the form is sent again; a reply begun elsewhere on the page is not touched by either."""
    case = await town.unhappy_case()
    sam = await visits.sign_in(town.sam, f"/desk/cases/{case}")
    await sam.click("text=Claim this case")
    await expect(sam.locator("#flash")).to_contain_text("yours")
    await sam.fill("#reply", "Dear Robin")

    await sam.click("#grant summary")
    await sam.fill("#amount", "75")
    await sam.fill("#grant-note", "taxi")
    await sam.click("#grant button")
    # The refusal is in the timeline too, which arrives by the live line.
    await expect(sam.locator("#case")).to_contain_text("grant refused")
    await expect(sam.locator("#grant .problem")).to_contain_text("more than you may grant")
    await expect(sam.locator("#amount")).to_have_attribute("aria-invalid", "true")
    await expect(sam.locator("#grant-note")).to_have_value("taxi")

    await sam.fill("#amount", "12,50")
    await sam.click("#grant button")
    await expect(sam.locator("#grant")).to_contain_text("€12.50")
    await expect(sam.locator("#grant .problem")).to_have_count(0)
    await expect(sam.locator("#amount")).to_have_value("")
    await expect(sam.locator("#reply")).to_have_value("Dear Robin")


async def test_a_session_that_ended_elsewhere_loses_no_words(town: Town, visits: Visits) -> None:
    """Sending says what to do, and the page stays."""
    case = await town.unhappy_case()
    sam = await visits.sign_in(town.sam, f"/desk/cases/{case}")
    await sam.fill("#reply", "Dear Robin")
    other = await sam.context.new_page()
    await other.goto(sam.url)
    await other.click("text=Sign out")

    await sam.click("text=Send")

    await expect(sam.locator("#flash")).to_contain_text("You are signed out")
    await expect(sam.locator("#reply")).to_have_value("Dear Robin")


async def test_the_keyboard_is_enough(town: Town, visits: Visits) -> None:
    """Next case, open, reply, back."""
    case = await town.unhappy_case()
    sam = await visits.sign_in(town.sam, "/desk")

    await sam.keyboard.press("j")
    await sam.keyboard.press("Enter")
    await expect(sam).to_have_url(re.compile(f"/desk/cases/{case}$"))
    await sam.keyboard.press("r")
    await expect(sam.locator("#reply")).to_be_focused()
    await sam.keyboard.press("Tab")
    await sam.keyboard.press("u")
    await expect(sam).to_have_url(re.compile("/desk$"))


@pytest.mark.parametrize(("scheme", "width"), [("light", 1300), ("dark", 320)])
async def test_every_page_is_usable_by_everybody(town: Town, visits: Visits, scheme: str, width: int) -> None:
    """No violation of WCAG 2.2 AA that a machine can find, and nothing to scroll sideways."""
    if not AXE.exists():
        pytest.skip("needs axe-core: see `make setup`")
    case = await town.unhappy_case("Lovely, but I guess we waited ages for " + "x" * 80, name="Robin " + "y" * 60)
    look = {"color_scheme": scheme, "viewport": {"width": width, "height": 900}}
    sam = await visits.sign_in(town.sam, f"/desk/cases/{case}", **look)
    await sam.click("text=Claim this case")
    await expect(sam.locator("#flash")).to_contain_text("yours")
    customer = await sam.get_attribute("a[href^='/desk/customers/']", "href")

    why = await sam.get_attribute("a[href^='/desk/why?phone=']", "href")

    for path in (sam.url, "/desk", "/desk/ledger", customer, why, "/desk/why?phone=banana"):
        await sam.goto(str(sam.url if path == sam.url else re.sub(r"(https?://[^/]+).*", rf"\1{path}", sam.url)))
        await sam.evaluate("document.querySelectorAll('details').forEach((fold) => { fold.open = true; })")
        await sam.evaluate(AXE.read_text(encoding="utf-8"))
        found = await sam.evaluate("(rules) => axe.run({runOnly: rules})", RULES)
        assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found["violations"]] == [], path
        assert await sam.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), path


async def test_words_are_read_while_they_are_written_and_forgotten_when_sent(town: Town, visits: Visits) -> None:
    """The playbook's words at a click, a hint when they are spoilt, and none left over once they are sent."""
    wait = Playbook(Failure.WAIT, Severity.MEDIUM, 1, words={"en": "I am sorry. I keep a table for you."})
    town.shop = replace(town.shop, apology=load(ROOT / "data/apology"), playbooks=Playbooks([wait]))
    case = await town.unhappy_case()
    visits = Visits(visits.chromium, str((await town.stranger()).make_url("/")))
    sam = await visits.sign_in(town.sam, f"/desk/cases/{case}")

    await sam.click("text=The playbook suggests")
    await sam.click("text=Begin with these words")
    await expect(sam.locator("#reply")).to_have_value("I am sorry. I keep a table for you.")
    await sam.locator("#reply").press_sequentially(" Unfortunately so.")
    await expect(sam.locator("#hints")).to_contain_text("Could be said to anybody: “Unfortunately”")
    await sam.click("text=Check the words")
    await expect(sam.locator("#hints")).to_contain_text("Name their own case")
    await sam.click("text=Send")

    await expect(sam.locator(".thread")).to_contain_text("Unfortunately so.")
    await expect(sam.locator("#reply")).to_have_value("")
    await expect(sam.locator("#hints")).not_to_contain_text("Unfortunately")
