"""Runs migrations on the connection that `bot.store.migrate` hands over."""

from typing import Any, Literal

from alembic import context

from bot.store.tables import Coded, Instant, metadata


def _plain(kind: str, item: Any, _autogen: Any) -> str | Literal[False]:
    """Migrations name the database's own types, so that they do not change when ours do."""
    if kind == "type" and isinstance(item, Instant):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and isinstance(item, Coded):
        return "sa.String(32)"
    return False


connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    render_item=_plain,
)
with context.begin_transaction():
    context.run_migrations()
