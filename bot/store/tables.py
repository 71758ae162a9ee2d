"""The tables, and their mapping to the entities of the services. The only place that knows both.

Entities are mapped imperatively, so that use cases stay free of SQL; see docs/adr/0003-entities-mapped-imperatively.md.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Numeric,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import registry

from bot.core import vocabulary as v
from bot.core.delivery import Hold
from bot.services import entities as e

NAMING = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
metadata = MetaData(naming_convention=NAMING)
mapper_registry = registry(metadata=metadata)


class Instant(TypeDecorator[datetime]):
    """An aware instant, kept and returned in UTC; a naive one is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To the database: UTC, without the offset where the database cannot keep one."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive datetime cannot be stored; say in which zone it is")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """From the database: aware, in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Coded(TypeDecorator[StrEnum]):
    """A string enumeration, kept as its value."""

    impl = String(32)
    cache_ok = True

    def __init__(self, enum: type[StrEnum]) -> None:
        super().__init__()
        self.enum = enum

    def process_bind_param(self, value: StrEnum | str | None, dialect: Dialect) -> str | None:
        """To the database: the value."""
        return None if value is None else str(self.enum(value))

    def process_result_value(self, value: str | None, dialect: Dialect) -> StrEnum | None:
        """From the database: the member."""
        return None if value is None else self.enum(value)


# SQLite numbers rows by itself only in a column declared INTEGER.
Serial = BigInteger().with_variant(Integer(), "sqlite")


def _id() -> Column[str]:
    return Column("id", String(64), primary_key=True)


def _ref(name: str, target: str, *, nullable: bool = False, index: bool = True) -> Column[str]:
    return Column(name, String(64), ForeignKey(target), nullable=nullable, index=index)


def _at(name: str, *, nullable: bool = False) -> Column[datetime]:
    return Column(name, Instant, nullable=nullable)


def _coded(name: str, enum: type[StrEnum]) -> Column[Any]:
    return Column(name, Coded(enum), nullable=False)


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False, default="")


def _json(name: str) -> Column[Any]:
    return Column(name, JSON, nullable=False)


sites = Table(
    "sites",
    metadata,
    _id(),
    _text("name"),
    Column("zone", String(64), nullable=False),
    Column("currency", String(3), nullable=False),
    _json("weekly"),
    _json("holidays"),
)
customers = Table(
    "customers",
    metadata,
    _id(),
    Column("external_id", String(200), unique=True),
    _text("name"),
    Column("language", String(16)),
    Column("time_zone", String(64)),
    _json("preferences"),
    _at("created_at"),
)
contact_points = Table(
    "contact_points",
    metadata,
    _id(),
    _ref("customer_id", "customers.id"),
    _coded("medium", v.Medium),
    Column("address", String(200), nullable=False),
    _at("opted_out_at", nullable=True),
    _at("invalid_since", nullable=True),
    UniqueConstraint("medium", "address"),
)
consents = Table(
    "consents",
    metadata,
    _id(),
    _ref("customer_id", "customers.id"),
    _coded("medium", v.Medium),
    Column("granted", Boolean, nullable=False),
    _text("source"),
    _at("at"),
)
service_events = Table(
    "service_events",
    metadata,
    _id(),
    Column("external_id", String(200), nullable=False, unique=True),
    Column("fingerprint", String(64), nullable=False),
    Column("kind", String(100), nullable=False),
    _ref("site_id", "sites.id"),
    _text("service"),
    _at("finished_at"),
    _ref("customer_id", "customers.id"),
    _coded("medium", v.Medium),
    _json("facts"),
    _coded("verdict", v.Verdict),
    Column("assessment_id", String(64)),
    _at("created_at"),
    Index("ix_service_events_verdict_finished_at", "verdict", "finished_at"),
)
conversations = Table(
    "conversations",
    metadata,
    _id(),
    _ref("customer_id", "customers.id"),
    Column("contact_point_id", String(64), ForeignKey("contact_points.id"), nullable=False, unique=True),
    _coded("medium", v.Medium),
    Column("language", String(16)),
    _coded("owner", v.Owner),
    Column("agent_id", String(64)),
    Column("version", Integer, nullable=False),
    _coded("awaited", v.AwaitedAnswer),
    Column("check_in_id", String(64)),
    Column("case_id", String(64)),
    Column("handoff_message_id", String(64)),
    Column("last_position", Integer, nullable=False),
    _at("created_at"),
)
check_ins = Table(
    "check_ins",
    metadata,
    _id(),
    Column("service_event_id", String(64), ForeignKey("service_events.id"), nullable=False, unique=True),
    _ref("conversation_id", "conversations.id"),
    _coded("state", v.CheckInState),
    _at("due_at"),
    _at("sent_at", nullable=True),
    _at("answered_at", nullable=True),
)
messages = Table(
    "messages",
    metadata,
    _id(),
    _ref("conversation_id", "conversations.id", index=False),
    Column("position", Integer, nullable=False),
    _coded("direction", v.Direction),
    _coded("author", v.Author),
    _text("author_name"),
    _coded("kind", v.MessageKind),
    _text("text"),
    _json("media"),
    _at("at"),
    Column("provider_id", String(64), unique=True),
    Column("client_id", String(100)),
    Column("delivery", String(20), nullable=False),
    Column("delivery_error", String(200)),
    Column("expected_version", Integer),
    Column("in_reply_to", String(64), index=True),
    Column("purpose", Coded(v.Purpose)),
    UniqueConstraint("conversation_id", "position"),
    UniqueConstraint("conversation_id", "client_id"),
)
deliveries = Table(
    "deliveries",
    metadata,
    _id(),
    _ref("message_id", "messages.id"),
    Column("provider_id", String(64)),
    Column("status", String(20), nullable=False),
    Column("error_code", String(20)),
    _at("at"),
    UniqueConstraint("message_id", "provider_id", "status"),
    Index("ix_deliveries_provider_id", "provider_id"),
)
senders = Table(
    "senders",
    metadata,
    Column("medium", Coded(v.Medium), primary_key=True),
    Column("name", String(64), nullable=False),
    Column("segments_per_second", Float, nullable=False),
    Column("burst", Integer, nullable=False),
    _at("busy_until"),
    _at("answers_until"),
    _at("firsts_until"),
    _coded("hold", Hold),
    Column("pause_code", String(20), nullable=False),
    _at("paused_at", nullable=True),
    _at("paused_until", nullable=True),
)
decisions = Table(
    "decisions",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    _ref("conversation_id", "conversations.id"),
    _coded("purpose", v.Purpose),
    _coded("outcome", v.Decided),
    _at("at"),
    _text("reason"),
    _json("rules"),
    _json("facts"),
    _at("next_at", nullable=True),
    # Not references: a decision outlives what it was about.
    Column("check_in_id", String(64), index=True),
    Column("message_id", String(64)),
    Column("case_id", String(64)),
)
assessments = Table(
    "assessments",
    metadata,
    _id(),
    _ref("conversation_id", "conversations.id"),
    _ref("service_event_id", "service_events.id", nullable=True),
    Column("message_id", String(64), ForeignKey("messages.id"), unique=True),
    _coded("verdict", v.Verdict),
    Column("probability", Float, nullable=False),
    Column("threshold", Float, nullable=False),
    _json("signals"),
    _coded("failure", v.Failure),
    _text("failure_words"),
    Column("intent", String(64), nullable=False),
    _coded("next_step", v.NextStep),
    Column("uncalibrated", Float),
    _at("at"),
)
verdict_labels = Table(
    "verdict_labels",
    metadata,
    _id(),
    Column("assessment_id", String(64), ForeignKey("assessments.id"), nullable=False, unique=True),
    Column("site_id", String(64)),
    Column("language", String(16), nullable=False),
    Column("uncalibrated", Float, nullable=False),
    Column("unhappy", Boolean, nullable=False),
    _text("by"),
    _at("at"),
)
site_calibrations = Table(
    "site_calibrations",
    metadata,
    _id(),
    Column("language", String(16), nullable=False),
    Column("site_id", String(64)),
    Column("slope", Float, nullable=False),
    Column("intercept", Float, nullable=False),
    Column("threshold", Float, nullable=False),
    Column("labels", Integer, nullable=False),
    _at("at"),
    UniqueConstraint("language", "site_id"),
)
cases = Table(
    "cases",
    metadata,
    _id(),
    _coded("state", v.CaseState),
    _coded("reason", v.HandoffReason),
    _coded("severity", v.Severity),
    _ref("site_id", "sites.id", nullable=True),
    _ref("customer_id", "customers.id"),
    _ref("conversation_id", "conversations.id"),
    Column("service_event_id", String(64), ForeignKey("service_events.id"), index=True),
    Column("assessment_id", String(64)),
    Column("agent_id", String(64), index=True),
    _coded("failure", v.Failure),
    _text("failure_words"),
    Column("playbook", String(100), nullable=False),
    _at("opened_at"),
    _at("first_response_due"),
    _at("resolution_due"),
    _at("first_response_at", nullable=True),
    _at("resolved_at", nullable=True),
    _at("closed_at", nullable=True),
    _at("follow_up_sent_at", nullable=True),
    _at("breached_at", nullable=True),
    _text("summary"),
    _text("brief"),
    Column("reassignments", Integer, nullable=False),
    Column("repeats", Integer, nullable=False, server_default=text("0")),
    _ref("previous_case_id", "cases.id", nullable=True, index=False),
    Column("version", Integer, nullable=False),
    Index("ix_cases_state_first_response_due", "state", "first_response_due"),
    # One live case in a conversation: a second handoff joins the first.
    Index(
        "uq_cases_live_conversation",
        "conversation_id",
        unique=True,
        sqlite_where=text("state IN ('open', 'claimed', 'reopened')"),
        postgresql_where=text("state IN ('open', 'claimed', 'reopened')"),
    ),
)
case_steps = Table(
    "case_steps",
    metadata,
    _id(),
    _ref("case_id", "cases.id", index=False),
    _coded("step", v.Step),
    _coded("state", v.StepState),
    _at("at", nullable=True),
    _text("by"),
    _text("note"),
    UniqueConstraint("case_id", "step"),
)
timeline = Table(
    "timeline",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    _ref("case_id", "cases.id"),
    _at("at"),
    _text("who"),
    _text("what"),
    _text("why"),
)
grants = Table(
    "grants",
    metadata,
    _id(),
    _ref("case_id", "cases.id"),
    _coded("kind", v.GrantKind),
    Column("value", Numeric(12, 2), nullable=False),
    Column("currency", String(3), nullable=False),
    _text("note"),
    _text("by"),
    _at("at"),
)
promises = Table(
    "promises",
    metadata,
    _id(),
    _ref("case_id", "cases.id"),
    _text("text"),
    _at("due_at"),
    _at("kept_at", nullable=True),
    _text("by"),
)
hidden_costs = Table(
    "hidden_costs",
    metadata,
    _id(),
    _ref("case_id", "cases.id"),
    _text("words"),
    Column("message_id", String(64)),
    _at("at"),
)
tasks = Table(
    "tasks",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("kind", String(40), nullable=False),
    _json("payload"),
    Column("lock", String(100)),
    Column("key", String(200), unique=True),
    Column("state", String(8), nullable=False),
    _at("due_at"),
    Column("attempts", Integer, nullable=False),
    _text("last_error"),
    _at("created_at"),
    Index(
        "ix_tasks_due",
        "due_at",
        sqlite_where=text("state IN ('todo', 'doing')"),
        postgresql_where=text("state IN ('todo', 'doing')"),
    ),
    Index(
        "ix_tasks_lock_order",
        "lock",
        "id",
        sqlite_where=text("state IN ('todo', 'doing')"),
        postgresql_where=text("state IN ('todo', 'doing')"),
    ),
    # Serial order: of the tasks that share a lock, one at most is being done.
    Index(
        "uq_tasks_doing_lock",
        "lock",
        unique=True,
        sqlite_where=text("state = 'doing'"),
        postgresql_where=text("state = 'doing'"),
    ),
)
agents = Table(
    "agents",
    metadata,
    _id(),
    Column("email", String(200), nullable=False, unique=True),
    _text("name"),
    _text("password_hash"),
    _coded("role", v.Role),
    _ref("site_id", "sites.id", nullable=True),
    _json("languages"),
    Column("active", Boolean, nullable=False),
)
logins = Table(
    "logins",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    _ref("agent_id", "agents.id"),
    Column("csrf", String(64), nullable=False),
    _at("created_at"),
    _at("expires_at"),
)
web_visits = Table(
    "web_visits",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    _ref("conversation_id", "conversations.id"),
    _at("created_at"),
    _at("expires_at"),
)
api_keys = Table(
    "api_keys",
    metadata,
    _id(),
    _text("name"),
    Column("scope", String(20), nullable=False),
    Column("key_hash", String(64), nullable=False, unique=True),
    _at("created_at"),
)
kept_answers = Table(
    "kept_answers",
    metadata,
    Column("id", String(200), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("status", Integer, nullable=False),
    _text("body"),
    _at("at"),
)
audit = Table(
    "audit",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    _at("at"),
    _text("who"),
    Column("action", String(60), nullable=False),
    Column("subject", String(100), nullable=False, index=True),
    _json("detail"),
)
seals = Table(
    "seals",
    metadata,
    Column("mark", String(64), primary_key=True),
    Column("key_id", String(16), nullable=False),
    _at("erased_at", nullable=True),
    _at("opted_out_at", nullable=True),
)
# How many service events of erased customers ended how: counts, and nobody's.
erased_counts = Table(
    "erased_counts",
    metadata,
    Column("site_id", String(64), primary_key=True),
    Column("verdict", Coded(v.Verdict), primary_key=True),
    Column("events", Integer, nullable=False),
)
changes = Table(
    "changes",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("topic", String(100), nullable=False),
    _at("at"),
)

_MAPPED: list[tuple[type[Any], Table]] = [
    (e.Site, sites),
    (e.Customer, customers),
    (e.ContactPoint, contact_points),
    (e.Consent, consents),
    (e.ServiceEvent, service_events),
    (e.CheckIn, check_ins),
    (e.Decision, decisions),
    (e.Message, messages),
    (e.Delivery, deliveries),
    (e.Sender, senders),
    (e.AssessmentRecord, assessments),
    (e.VerdictLabel, verdict_labels),
    (e.SiteCalibration, site_calibrations),
    (e.CaseStep, case_steps),
    (e.TimelineEntry, timeline),
    (e.Grant, grants),
    (e.Promise, promises),
    (e.HiddenCost, hidden_costs),
    (e.Task, tasks),
    (e.Agent, agents),
    (e.Login, logins),
    (e.WebVisit, web_visits),
    (e.ApiKey, api_keys),
    (e.KeptAnswer, kept_answers),
    (e.AuditEntry, audit),
    (e.Seal, seals),
    (e.Change, changes),
]


def map_entities() -> None:
    """Map every entity to its table; asking again changes nothing."""
    if mapper_registry.mappers:
        return
    for entity, table in _MAPPED:
        mapper_registry.map_imperatively(entity, table)
    mapper_registry.map_imperatively(e.Conversation, conversations)
    # SQLAlchemy itself refuses a second writer: its UPDATE names the version it read and raises when no row is left.
    mapper_registry.map_imperatively(e.Case, cases, version_id_col=cases.c.version)
