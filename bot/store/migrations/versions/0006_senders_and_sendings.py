"""Senders with their pace and pauses, and deliveries by sending."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "senders",
        sa.Column("medium", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("segments_per_second", sa.Float(), nullable=False),
        sa.Column("burst", sa.Integer(), nullable=False),
        sa.Column("busy_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answers_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("firsts_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("hold", sa.String(length=32), nullable=False),
        sa.Column("pause_code", sa.String(length=20), nullable=False),
        sa.Column("paused_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("paused_until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("medium", name=op.f("pk_senders")),
    )
    with op.batch_alter_table("deliveries", schema=None) as batch_op:
        batch_op.add_column(sa.Column("provider_id", sa.String(length=64), nullable=True))
        batch_op.drop_constraint(op.f("uq_deliveries_message_id_status"), type_="unique")
        batch_op.create_unique_constraint(
            op.f("uq_deliveries_message_id_provider_id_status"), ["message_id", "provider_id", "status"]
        )
        batch_op.create_index("ix_deliveries_provider_id", ["provider_id"])


def downgrade() -> None:
    with op.batch_alter_table("deliveries", schema=None) as batch_op:
        batch_op.drop_index("ix_deliveries_provider_id")
        batch_op.drop_constraint(op.f("uq_deliveries_message_id_provider_id_status"), type_="unique")
        batch_op.create_unique_constraint(op.f("uq_deliveries_message_id_status"), ["message_id", "status"])
        batch_op.drop_column("provider_id")

    op.drop_table("senders")
