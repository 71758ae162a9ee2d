"""The same quick databases as the use cases have."""

from tests.databases import database_url, prepared_postgres, prepared_sqlite, store

__all__ = ["database_url", "prepared_postgres", "prepared_sqlite", "store"]
