"""The nouns every room speaks. Their meanings are in the glossary of the user guide (docs/guide.md)."""

from __future__ import annotations

from enum import StrEnum


class Medium(StrEnum):
    """How a conversation travels."""

    SMS = "sms"
    WEBCHAT = "webchat"


class Direction(StrEnum):
    """Which way a message went, seen from the business."""

    IN = "in"
    OUT = "out"


class Author(StrEnum):
    """Who wrote a message."""

    CUSTOMER = "customer"
    BOT = "bot"
    AGENT = "agent"


class Owner(StrEnum):
    """Who speaks for the business in a conversation."""

    BOT = "bot"
    AGENT = "agent"


class MessageKind(StrEnum):
    """Why an outbound message leaves; it decides what may hold it back.

    `dialogue` leaves only while the bot owns the conversation at the version the message was written for.
    `lifecycle` belongs to a case (acknowledgement, progress, follow-up) and leaves until a human has spoken since.
    `agent` is a human's words and is never held back by ownership.
    `compliance` answers STOP, START and HELP and leaves whatever else holds.
    """

    DIALOGUE = "dialogue"
    LIFECYCLE = "lifecycle"
    AGENT = "agent"
    COMPLIANCE = "compliance"


class Purpose(StrEnum):
    """What an outbound message is for: the words with which its trace is told."""

    CHECK_IN = "check_in"
    SOFT_QUESTION = "soft_question"
    REPLY = "reply"
    HANDOFF = "handoff"
    PROGRESS = "progress"
    FOLLOW_UP = "follow_up"
    OPT_OUT = "opt_out"
    OPT_IN = "opt_in"
    HELP = "help"
    AGENT_REPLY = "agent_reply"


class Decided(StrEnum):
    """What was decided about writing to a customer, or became of it.

    `allowed`: every rule passed, and the words are being written; `cancelled`: was planned and will not be done;
    `withheld`: was written and will not leave; `refused`: an agent's words that were not even taken.
    `retried`, `unconfirmed`, `failed` and `undelivered` are the channel's and the provider's doing.
    """

    PLANNED = "planned"
    ALLOWED = "allowed"
    POSTPONED = "postponed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"
    REFUSED = "refused"
    SENT = "sent"
    WITHHELD = "withheld"
    RETRIED = "retried"
    UNCONFIRMED = "unconfirmed"
    FOUND = "found"
    FAILED = "failed"
    UNDELIVERED = "undelivered"


class CheckInState(StrEnum):
    """Where a check-in stands."""

    PLANNED = "planned"
    SENT = "sent"
    ANSWERED = "answered"
    NO_REPLY = "no_reply"
    SKIPPED = "skipped"
    FAILED = "failed"


class Verdict(StrEnum):
    """What we believe about one service event; together they are the states of the silence ledger."""

    PENDING = "pending"
    SATISFIED = "satisfied"
    LUKEWARM = "lukewarm"
    MASKED = "masked"
    COMPLAINT = "complaint"
    SILENT_AT_RISK = "silent_at_risk"
    SILENT_OK = "silent_ok"
    UNREACHABLE = "unreachable"
    OPTED_OUT = "opted_out"


class NextStep(StrEnum):
    """What the bot does after it has assessed a reply."""

    CLOSE_WARMLY = "close_warmly"
    ASK_SOFTLY = "ask_softly"
    OFFER_HAND = "offer_hand"
    RECOVER = "recover"
    FOLLOW_UP = "follow_up"
    STAY_SILENT = "stay_silent"
    LISTEN = "listen"


class Failure(StrEnum):
    """What went wrong, as a code; `""` (`NONE`) when nothing is known to have."""

    NONE = ""
    WAIT = "wait"
    STAFF = "staff"
    QUALITY = "quality"
    PRICE = "price"
    WRONG_ITEM = "wrong_item"
    DAMAGE = "damage"
    CLEANLINESS = "cleanliness"
    COMMUNICATION = "communication"
    AVAILABILITY = "availability"
    OTHER = "other"


class AwaitedAnswer(StrEnum):
    """What the bot asked last in a conversation, and so what the next reply answers.

    `first_words`: nothing was ever said to this customer here; they begin. `last_word`: nothing was asked, but a person
    has just put something right or gone away for a while, so a thank-you is owed an answer, once.
    """

    FIRST_WORDS = "first_words"
    NOTHING = "none"
    CHECK_IN = "check_in"
    SOFT_QUESTION = "soft_question"
    HAND_OFFERED = "hand_offered"
    FOLLOW_UP = "follow_up"
    HIDDEN_COST = "hidden_cost"
    LAST_WORD = "last_word"


class HandoffReason(StrEnum):
    """Why a conversation moves from the bot to an agent."""

    DISSATISFIED = "dissatisfied"
    ASKED_FOR_PERSON = "asked_for_person"
    CALL_BACK = "call_back"
    SAFETY = "safety"
    BOT_UNAVAILABLE = "bot_unavailable"


class CaseState(StrEnum):
    """Where the recovery work stands."""

    OPEN = "open"
    CLAIMED = "claimed"
    RESOLVED = "resolved"
    REOPENED = "reopened"
    CLOSED = "closed"


class Step(StrEnum):
    """The five steps of recovery (P12), in the order they are worked."""

    APOLOGISE = "apologise"
    ACT = "act"
    COMPASSION = "compassion"
    COMPENSATE = "compensate"
    FOLLOW_UP = "follow_up"


class StepState(StrEnum):
    """Whether a step of recovery has been taken."""

    OPEN = "open"
    DONE = "done"
    WAIVED = "waived"


class Severity(StrEnum):
    """How urgently a case wants a human."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class GrantKind(StrEnum):
    """What a gesture consists of."""

    REFUND = "refund"
    VOUCHER = "voucher"
    HIDDEN_COST = "hidden_cost"
    GIFT = "gift"
    REDO = "redo"


class Role(StrEnum):
    """What an agent may do at the desk."""

    AGENT = "agent"
    SUPERVISOR = "supervisor"
    ADMIN = "admin"
