"""What an agent may give away alone, to the cent."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.authority import DEFAULT_LIMITS, Money, check_grant
from bot.core.errors import BeyondAuthority, Refused
from bot.core.vocabulary import Role

cents = st.integers(1, 200_000).map(lambda number: Decimal(number) / 100)


@pytest.mark.parametrize(("written", "value"), [("42.00", "42.00"), ("42", "42"), ("0.01", "0.01"), ("1e2", "100")])
def test_an_amount_is_read_exactly(written: str, value: str) -> None:
    """Decimal from the first digit to the last, with the currency in capitals."""
    assert Money.of(written, "eur") == Money(Decimal(value), "EUR")


@pytest.mark.parametrize("written", ["", "ten", "0", "-1", "1.005", "NaN", "Infinity", "1,50"])
def test_what_is_not_a_positive_amount_is_refused_by_name(written: str) -> None:
    """The field that stands in the way is named."""
    with pytest.raises(Refused) as refusal:
        Money.of(written, "EUR")

    assert refusal.value.field == "amount.value"


@pytest.mark.parametrize("currency", ["", "EURO", "E1", "€"])
def test_what_is_not_a_currency_is_refused_by_name(currency: str) -> None:
    """Three letters, ISO 4217."""
    with pytest.raises(Refused) as refusal:
        Money.of("1", currency)

    assert refusal.value.field == "amount.currency"


@given(cents, st.integers(0, 200_000).map(lambda number: Decimal(number) / 100), st.sampled_from(Role))
def test_the_sum_on_one_case_never_exceeds_the_limit(amount: Decimal, already: Decimal, role: Role) -> None:
    """Granted exactly when everything together stays within what the role may give."""
    fits = already + amount <= DEFAULT_LIMITS[role]

    if fits:
        check_grant(Money(amount, "EUR"), already=already, role=role, currency="EUR")
    else:
        with pytest.raises(BeyondAuthority, match="ask a supervisor"):
            check_grant(Money(amount, "EUR"), already=already, role=role, currency="EUR")


def test_a_refusal_says_how_much_is_left() -> None:
    """So that the agent can offer that much, or ask."""
    with pytest.raises(BeyondAuthority, match=r"8\.00 EUR left of 50"):
        check_grant(Money(Decimal("10"), "EUR"), already=Decimal("42.00"), role=Role.AGENT, currency="EUR")


def test_a_site_pays_in_its_own_currency() -> None:
    """Fifty yen are not fifty euros."""
    with pytest.raises(Refused, match="pays in EUR, not JPY") as refusal:
        check_grant(Money(Decimal("10"), "JPY"), already=Decimal(0), role=Role.ADMIN, currency="EUR")

    assert refusal.value.field == "amount.currency"
