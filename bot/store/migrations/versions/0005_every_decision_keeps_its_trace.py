"""Every decision keeps its trace, the check-ins' with the others'."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_DECIDED = {"pass": "allowed", "postpone": "postponed", "skip": "skipped"}
_AT_ONCE = 1000


def upgrade() -> None:
    decisions = op.create_table(
        "decisions",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("conversation_id", sa.String(length=64), nullable=False),
        sa.Column("purpose", sa.String(length=32), nullable=False),
        sa.Column("outcome", sa.String(length=32), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("rules", sa.JSON(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("check_in_id", sa.String(length=64), nullable=True),
        sa.Column("message_id", sa.String(length=64), nullable=True),
        sa.Column("case_id", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.id"], name=op.f("fk_decisions_conversation_id_conversations")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decisions")),
    )
    op.create_index(op.f("ix_decisions_conversation_id"), "decisions", ["conversation_id"])
    op.create_index(op.f("ix_decisions_check_in_id"), "decisions", ["check_in_id"])
    _move_the_traces(decisions)
    with op.batch_alter_table("check_ins", schema=None) as batch_op:
        batch_op.drop_column("trace")
    with op.batch_alter_table("messages", schema=None) as batch_op:
        batch_op.add_column(sa.Column("purpose", sa.String(length=32), nullable=True))


def _move_the_traces(decisions: sa.Table) -> None:
    connection = op.get_bind()
    check_ins = sa.table(
        "check_ins",
        sa.column("id", sa.String),
        sa.column("conversation_id", sa.String),
        sa.column("trace", sa.JSON),
    )
    naive = connection.dialect.name == "sqlite"
    last = ""
    while some := connection.execute(
        sa.select(check_ins).where(check_ins.c.id > last).order_by(check_ins.c.id).limit(_AT_ONCE)
    ).all():
        last = some[-1].id
        moved = [row for check_in in some for row in _rows(check_in, naive)]
        if moved:
            connection.execute(sa.insert(decisions), moved)


def _rows(check_in: Any, naive: bool) -> Iterator[dict[str, Any]]:
    """What was asked at one moment is one decision; the last answer settled it."""
    for moment, asked in groupby(check_in.trace or (), key=lambda entry: entry["at"]):
        rules = [{name: entry[name] for name in ("rule", "outcome", "reason")} for entry in asked]
        at = datetime.fromisoformat(moment).astimezone(UTC)
        yield {
            "conversation_id": check_in.conversation_id,
            "purpose": "check_in",
            "outcome": _DECIDED[rules[-1]["outcome"]],
            "at": at.replace(tzinfo=None) if naive else at,
            "reason": "" if rules[-1]["outcome"] == "pass" else rules[-1]["reason"],
            "rules": rules,
            "facts": {},
            "check_in_id": check_in.id,
        }


def downgrade() -> None:
    with op.batch_alter_table("messages", schema=None) as batch_op:
        batch_op.drop_column("purpose")
    with op.batch_alter_table("check_ins", schema=None) as batch_op:
        batch_op.add_column(sa.Column("trace", sa.JSON(), nullable=False, server_default="[]"))
    op.drop_table("decisions")
