"""The store of races that need no Temporal: SQLite and PostgreSQL, with nothing in it."""

from tests.postgres import postgres_server
from tests.store.conftest import db, migrated_file, migrated_template, shared_postgres, url

__all__ = [
    "db",
    "migrated_file",
    "migrated_template",
    "postgres_server",
    "shared_postgres",
    "url",
]
