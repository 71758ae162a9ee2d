"""What the business of the end-to-end tests reports: a lunch at the harbour."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from tests.e2e.house import House

LATE = {"wait_minutes": 55, "promised_wait_minutes": 20, "items": ["soup"]}


def finished(phone: str, language: str = "en", **changes: Any) -> dict[str, Any]:
    """A lunch at the harbour, finished just now."""
    return {
        "external_id": f"order-{phone}",
        "kind": "restaurant_visit",
        "site": "harbour",
        "service": "lunch",
        "finished_at": datetime.now(UTC).isoformat(),
        "customer": {
            "external_id": f"c-{phone}",
            "name": "Robin",
            "phone": phone,
            "language": language,
            "time_zone": "Europe/London",
            "consent": {"sms": True},
        },
        "channel": "sms",
        "facts": {},
        "check_in": {"delay_minutes": 0},
        **changes,
    }


def ask(house: House, event: dict[str, Any]) -> dict[str, Any]:
    """Report a finished service."""
    answer = house.api("POST", "/service-events", event)
    assert answer.status_code == 201, answer.text
    created: dict[str, Any] = answer.json()
    return created
