"""The page that says why: reached from the case and the customer, and plain about what it cannot find."""

from __future__ import annotations

import re

import pytest

from .conftest import PHONE, Town


async def test_the_page_is_reached_from_the_case_and_from_the_customer(town: Town) -> None:
    """With the number filled in; it tells what went and when, on the customer's clock."""
    case = await town.unhappy_case()
    sam = await town.signed_in()
    page = await sam.look(f"/desk/cases/{case}")
    [link] = set(re.findall(r'href="(/desk/why\?phone=[^"]+)"', page))
    [customer] = set(re.findall(r'href="(/desk/customers/[^"]+)"', page))

    assert link in await sam.look(customer)
    told = await sam.look(link)
    assert f'value="{PHONE}"' in told
    assert "Sent the question how lunch was by SMS" in told
    assert "Sent the word that a person takes over by SMS" in told
    assert "unless somebody has answered" in told
    assert "Times are on their clock, Europe/London." in told


async def test_without_a_number_the_page_asks_for_one(town: Town) -> None:
    """And says nothing else."""
    page = await (await town.signed_in()).look("/desk/why")

    assert 'id="phone"' in page
    assert "What happened" not in page


@pytest.mark.parametrize(
    ("asked", "status", "said"),
    [
        ("phone=banana", 422, "Not a phone number; write it with its country, like +905321234567."),
        ("phone=%2B447700900999", 404, "Nothing is known of this number"),
        ("phone=%2B447700900001&since=soon", 422, "Not a day; write it like 2026-03-01."),
    ],
)
async def test_what_cannot_be_told_is_said_beside_its_field(town: Town, asked: str, status: int, said: str) -> None:
    """With what was typed still in it."""
    await town.unhappy_case()

    page = await (await town.signed_in()).look(f"/desk/why?{asked}", status)

    assert said in page
    assert 'aria-invalid="true"' in page


async def test_a_plus_that_an_address_line_turned_into_a_space_is_forgiven(town: Town) -> None:
    """Somebody typed the address by hand."""
    await town.unhappy_case()

    assert "Times are on their clock" in await (await town.signed_in()).look(f"/desk/why?phone={PHONE}")


async def test_what_customers_wrote_is_shown_as_words(town: Town) -> None:
    """Never as anything a browser would run."""
    await town.unhappy_case("<script>alert(1)</script> we waited")
    page = await (await town.signed_in()).look("/desk/why?phone=%2B447700900001")

    assert "<script>alert(1)" not in page
