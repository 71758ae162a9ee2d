"""What the business's own systems send."""

from __future__ import annotations

import copy
from typing import Any

LUNCH: dict[str, Any] = {
    "external_id": "order-1001",
    "kind": "restaurant_visit",
    "site": "harbour",
    "service": "lunch",
    "finished_at": "2026-03-04T13:05:00+02:00",
    "customer": {
        "external_id": "c-77",
        "name": "Ayşe",
        "phone": "+905321234567",
        "language": "tr",
        "time_zone": "Europe/Istanbul",
        "consent": {"sms": True},
        "preferences": ["window table"],
    },
    "channel": "sms",
    "facts": {
        "wait_minutes": 55,
        "promised_wait_minutes": 20,
        "late_minutes": 0,
        "remade": False,
        "rescheduled": 0,
        "refunded": False,
        "items": ["soup"],
        "staff": ["Deniz"],
        "staff_tenure_days": 12,
        "new_service": False,
        "amount": {"value": "42.00", "currency": "EUR"},
    },
    "check_in": {"delay_minutes": 0},
}


def lunch(**changes: Any) -> dict[str, Any]:
    """A finished lunch; `customer__phone="…"` changes a field within, `…=GONE` leaves one out."""
    body = copy.deepcopy(LUNCH)
    for path, value in changes.items():
        *outer, last = path.split("__")
        place = body
        for name in outer:
            place = place[name]
        if value is GONE:
            del place[last]
        else:
            place[last] = value
    return body


GONE = object()
