"""How a database goes about a query of the due table, asked as the worker asks it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine.interfaces import Compiled
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.sql.compiler import SQLCompiler


async def plan_of(engine: AsyncEngine, query: Select[Any], *, scans: bool) -> str:
    """The plan for a query about what is due; of PostgreSQL the one for parameters it does not know.

    Without `scans`, PostgreSQL is kept from reading a small table whole just because it is small.
    """
    values = {"now": datetime.now(UTC), "limit": 50}
    async with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            compiled = query.compile(dialect=sqlite.dialect(), compile_kwargs={"render_postcompile": True})
            bound = _in_order(compiled, values)
            rows = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}", tuple(bound))
            return "\n".join(str(row[-1]) for row in rows)
        prepared = query.compile(dialect=postgresql.dialect(paramstyle="numeric_dollar"))
        await connection.execute(text("SET plan_cache_mode = force_generic_plan"))
        if not scans:
            await connection.execute(text("SET enable_seqscan = off"))
        await connection.exec_driver_sql(f"PREPARE asked AS {prepared}")
        given = ", ".join(f"'{value}'" for value in _in_order(prepared, values))
        rows = await connection.exec_driver_sql(f"EXPLAIN EXECUTE asked({given})")
        plan = "\n".join(str(row[0]) for row in rows)
        await connection.exec_driver_sql("DEALLOCATE asked")
        return plan


def _in_order(compiled: Compiled, values: Mapping[str, Any]) -> list[str]:
    assert isinstance(compiled, SQLCompiler)
    given = {**compiled.params, **values}
    return [str(given[name]) for name in compiled.positiontup or ()]
