"""Plain English for what the code calls by short names: why we think somebody is unhappy, what became of a text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# `{}` stands for the evidence. Signals not listed here are shown under their own name, so that none is ever hidden.
_SIGNALS = {
    "hedge": "hedges: “{}”",
    "minimiser": "plays it down: “{}”",
    "contrast": "praise with a turn in it: “{}”",
    "faint_praise": "faint praise: “{}”",
    "polite_request": "says politely how it should have been: “{}”",
    "negation": "says what was missing: “{}”",
    "strong_words": "strong words: “{}”",
    "positive_words": "kind words: “{}”",
    "giving_up": "has given up on us: “{}”",
    "named_failure": "names what went wrong: “{}”",
    "meaning": "the meaning of the whole: “{}”",
    "too_little": "too little to go by: “{}”",
    "unknown_language": "in a language we have not learnt, so we do not decide",
    "brevity": "answers in very few words",
    "low_rating": "a low rating: {}",
    "high_rating": "a high rating: {}",
    "rating_against_text": "kind figure, unkind words: {}",
    "says_so": "reads as a complaint",
    "says_well": "reads as content",
    "threat_or_safety": "speaks of harm or of consequences",
    "shorter_than_usual": "shorter than they usually write: {}",
    "slow_reply": "a slow reply: {}",
    "long_wait": "a long wait: {}",
    "late": "we were late: {}",
    "remade": "it had to be made again",
    "rescheduled": "we moved the appointment: {}",
    "refunded": "money was already returned",
    "new_service": "a service we have only just begun to offer",
    "new_staff": "staff who are new: {}",
    "silence": "has not answered: {}",
    "unusual_silence": "silent, and usually is not: {}",
}

# What these rest on was observed around the words, not in them; it must never be marked in what a customer wrote.
CIRCUMSTANCES = frozenset(
    {
        *("low_rating", "high_rating", "rating_against_text", "says_so", "says_well", "threat_or_safety"),
        *("shorter_than_usual", "unknown_language", "too_little"),
        *("slow_reply", "long_wait", "late", "remade", "rescheduled", "refunded", "new_service", "new_staff"),
        *("silence", "unusual_silence"),
    }
)

_NAMES = {
    "failure": {
        "wait": "Waiting",
        "staff": "How staff behaved",
        "quality": "Quality",
        "price": "Price",
        "wrong_item": "Wrong item",
        "damage": "Damage",
        "cleanliness": "Cleanliness",
        "communication": "Communication",
        "availability": "Availability",
        "other": "Something else",
        "": "Not named",
    },
    "reason": {
        "dissatisfied": "Unhappy with the service",
        "asked_for_person": "Asked for a person",
        "call_back": "Asked to be called back",
        "safety": "Safety, or a threat",
        "bot_unavailable": "The assistant could not answer",
    },
    "delivery": {
        "queued": "waiting to leave",
        "scheduled": "waiting for the morning",
        "accepted": "handed over",
        "sending": "leaving",
        "sent": "sent",
        "delivered": "delivered",
        "read": "read",
        "failed": "not delivered",
        "undelivered": "not delivered",
        "withheld": "held back",
        "received": "",
    },
    "detail": {
        "amount": "Amount",
        "order_number": "Order",
        "duration": "How long",
        "time": "At",
    },
    "grant": {
        "refund": "Refund",
        "voucher": "Voucher",
        "hidden_cost": "Hidden cost",
        "gift": "Gift",
        "redo": "Done again",
    },
    "check_in": {
        "planned": "planned",
        "sent": "asked, no answer yet",
        "answered": "answered",
        "no_reply": "asked, never answered",
        "skipped": "not asked",
        "failed": "could not be delivered",
    },
    "verdict": {
        "pending": "Waiting for an answer",
        "satisfied": "Satisfied",
        "lukewarm": "Lukewarm",
        "masked": "Unhappy, and did not say so",
        "complaint": "Complaint",
        "silent_at_risk": "Silent, at risk",
        "silent_ok": "Silent, likely well",
        "unreachable": "Unreachable",
        "opted_out": "Opted out",
    },
    "step": {
        "apologise": "Apologise",
        "act": "Act at once",
        "compassion": "Show compassion",
        "compensate": "Compensate",
        "follow_up": "Follow up",
    },
}


def named(code: str | None, kind: str) -> str:
    """The words for a code of this kind; an unknown code is shown as it is, made readable."""
    known = _NAMES[kind].get(code or "")
    return known if known is not None else (code or "").replace("_", " ").capitalize()


def signal_words(signal: Mapping[str, Any]) -> str:
    """One signal as a reason a person would give."""
    evidence = str(signal.get("evidence") or "").strip()
    pattern = _SIGNALS.get(signal["name"])
    if pattern is None:
        name = str(signal["name"]).replace("_", " ")
        return f"{name}: {evidence}" if evidence else name
    if "{}" in pattern and not evidence:
        return pattern.split(":")[0]
    return pattern.replace("{}", evidence)
