"""What an agent may give away alone, and the gesture a defined failure earns by itself (P16, P21)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from bot.core.errors import BeyondAuthority, Refused
from bot.core.vocabulary import Role

DEFAULT_LIMITS = {Role.AGENT: Decimal("50"), Role.SUPERVISOR: Decimal("250"), Role.ADMIN: Decimal("1000")}
"""How much one agent may grant on one case, in the site's currency."""


@dataclass(frozen=True, slots=True)
class Money:
    """An amount with its ISO 4217 currency."""

    value: Decimal
    currency: str

    @classmethod
    def of(cls, value: str, currency: str) -> Money:
        """Parse an amount such as "42.00". Raises Refused unless it is a positive number with at most two decimals."""
        try:
            amount = Decimal(value)
        except InvalidOperation as error:
            raise Refused(f"{value!r} is not an amount; write it like 42.00", field="amount.value") from error
        exponent = amount.as_tuple().exponent
        if not amount.is_finite() or amount <= 0 or not isinstance(exponent, int) or exponent < -2:
            raise Refused(f"{value!r} is not a positive amount with at most two decimals", field="amount.value")
        if len(currency) != 3 or not currency.isalpha():
            raise Refused(f"{currency!r} is not a currency; write it like EUR", field="amount.currency")
        return cls(amount, currency.upper())


def check_grant(amount: Money, *, already: Decimal, role: Role, currency: str) -> None:
    """Raises BeyondAuthority when `amount` on top of `already` exceeds what `role` may grant on one case."""
    if amount.currency != currency:
        raise Refused(f"this site pays in {currency}, not {amount.currency}", field="amount.currency")
    limit = DEFAULT_LIMITS[role]
    if already + amount.value > limit:
        left = max(Decimal(0), limit - already)
        raise BeyondAuthority(
            f"{amount.value:.2f} {currency} is more than you may grant on this case "
            f"({left:.2f} {currency} left of {limit:.2f}); ask a supervisor to grant it",
            field="amount",
        )
