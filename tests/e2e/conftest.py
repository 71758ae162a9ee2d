"""One house for all end-to-end tests; each test uses customers of its own. One browser a file."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.e2e.chromium import Visits, chromium, found
from tests.e2e.house import House, living

_NUMBERS = itertools.count(100)


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Real processes at the demo's pace, only quicker."""
    settings = {"AFTERWORD_FOLLOW_UP_DELAY_MINUTES": "0.02", "AFTERWORD_BOT_MAY_FAIL_SECONDS": "3"}
    with living(Path(tmp_path_factory.mktemp("house")), settings) as running:
        yield running


@pytest.fixture
def phone() -> str:
    """A phone number nobody has used yet (of the range kept for drama)."""
    return f"+447700901{next(_NUMBERS)}"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium; without one the tests that need it say so and are skipped."""
    path = found()
    if path is None:
        pytest.skip("no Chromium on this machine (Debian: apt install chromium)")
    with chromium(path) as running:
        yield running


@pytest.fixture
def visits(browser: Browser, house: House) -> Iterator[Visits]:
    """Pages to open; no page may complain in the browser's console, about our Content Security Policy least of all."""
    opened = Visits(browser, house)
    yield opened
    opened.close()
    assert opened.complaints == []
