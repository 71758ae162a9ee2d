"""Cases that come back: how often, and after which."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("cases", schema=None) as batch_op:
        batch_op.add_column(sa.Column("repeats", sa.Integer(), server_default=sa.text("0"), nullable=False))
        batch_op.add_column(sa.Column("previous_case_id", sa.String(length=64), nullable=True))
        batch_op.create_foreign_key(
            batch_op.f("fk_cases_previous_case_id_cases"), "cases", ["previous_case_id"], ["id"]
        )


def downgrade() -> None:
    with op.batch_alter_table("cases", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("fk_cases_previous_case_id_cases"), type_="foreignkey")
        batch_op.drop_column("previous_case_id")
        batch_op.drop_column("repeats")
