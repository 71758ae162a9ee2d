"""A real Chromium, for the tests and for the pictures."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.e2e.house import ROOT, House

AXE = ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
_RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")
# Milliseconds that nothing should need; a busy machine may.
_PATIENCE = 30_000
# The answer of a refused login or a missing page: the browser mentions every status from 400 on.
_EXPECTED = "Failed to load resource"


def found() -> str | None:
    """Where Chromium is on this machine, if it is."""
    named = (shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"))
    return next((path for path in (*named, "/usr/bin/chromium") if path and Path(path).exists()), None)


@contextmanager
def chromium(path: str) -> Iterator[Browser]:
    """A browser without a window, gone afterwards."""
    expect.set_options(timeout=_PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(_ARGUMENTS))
        yield browser
        browser.close()


@dataclass
class Visits:
    """Opens pages of one house, each in a profile of its own, and hears what they complain about."""

    browser: Browser
    house: House
    complaints: list[str] = field(default_factory=list)
    _contexts: list[BrowserContext] = field(default_factory=list)

    def open(self, path: str, *, width: int = 1280, height: int = 900, **profile: Any) -> Page:
        """One page. `profile` is whatever Playwright's `new_context` takes: `color_scheme`, `locale`, …"""
        profile = {"locale": "en-GB", "reduced_motion": "reduce", **profile}
        context = self.browser.new_context(
            base_url=self.house.base_url, viewport={"width": width, "height": height}, **profile
        )
        context.set_default_timeout(_PATIENCE)
        self._contexts.append(context)
        page = context.new_page()
        page.on("console", lambda said: self._hear(said.type, said.text))
        page.on("pageerror", lambda error: self._hear("error", str(error)))
        page.goto(path)
        return page

    def desk(self, path: str = "/desk", *, who: int = 0, **profile: Any) -> Page:
        """A page of the desk, signed in as one of the demo's agents."""
        page = self.open("/desk/login", **profile)
        login(page, self.house, who=who)
        if path != "/desk":
            page.goto(path)
        return page

    def close(self) -> None:
        """Close every page."""
        for context in self._contexts:
            context.close()

    def _hear(self, kind: str, text: str) -> None:
        if kind == "error" and not text.startswith(_EXPECTED):
            self.complaints.append(text)


def login(page: Page, house: House, *, who: int = 0) -> None:
    """Fill the login form in as one of the demo's agents and send it."""
    account = house.demo["desk"][who]
    page.get_by_label("Email").fill(account["email"])
    page.get_by_label("Password").fill(account["password"])
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/desk")


def barriers(page: Page) -> list[str]:
    """What axe-core finds against WCAG 2.2 AA: one line for each element."""
    page.evaluate(AXE.read_text(encoding="utf-8") + "; undefined")
    options = json.dumps({"runOnly": {"type": "tag", "values": _RULES}, "resultTypes": ["violations"]})
    results: dict[str, Any] = page.evaluate(f"axe.run(document, {options})")
    return [
        f"{violation['id']}: {node['target']} {node['failureSummary'].splitlines()[-1].strip()}"
        for violation in results["violations"]
        for node in violation["nodes"]
    ]


def overflow(page: Page) -> int:
    """By how many pixels the page is wider than the window."""
    wide: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return wide
