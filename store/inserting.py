"""Inserting rows of which some may already be there, the same way on both databases.

The unique column decides, not a look beforehand: two that insert the same key at once get
one row, and exactly one of them is told that it was theirs.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Table as SqlTable
from sqlalchemy import inspect
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.dml import ReturningInsert

from store.tables.columns import Table


def insert_into(session: AsyncSession, table: type[Table]) -> postgresql.Insert:
    """An INSERT that knows `on_conflict_…`, of the session's dialect.

    The two dialects' inserts have the same methods but no common base, hence the type.
    """
    return _insert(session.get_bind().dialect.name, table)


async def insert_new(
    session: AsyncSession, rows: Sequence[Table], *, unique: str, returning: str | None = None
) -> list[Any]:
    """Insert those rows whose `unique` column is new; `returning` of exactly those.

    All rows are of one table. A repeat within `rows` counts as already there.
    """
    if not rows:
        return []
    dialect = session.get_bind().dialect.name
    statement = _insert_new(dialect, type(rows[0]), unique, returning or unique)
    # Rows as a parameter list: `.values([...])` renders them one by one, ten times slower.
    # And one row not as a list: that would make SQLAlchemy look for batches.
    values = [values_of(row) for row in rows]
    return list(await session.scalars(statement, values if len(values) > 1 else values[0]))


def values_of(row: Table) -> Mapping[str, Any]:
    """The row's columns, without a number that the database is to give."""
    values = {key: getattr(row, key) for key in _column_keys(type(row))}
    if values.get("id", "") is None:
        del values["id"]
    return values


def sql_table(table: type[Table]) -> SqlTable:
    """SQLAlchemy's own view of a table class."""
    sql = inspect(table).local_table
    assert isinstance(sql, SqlTable)
    return sql


def _insert(dialect: str, table: type[Table]) -> postgresql.Insert:
    # Into the table, not the class: SQLAlchemy's bulk insert of objects costs three times as much.
    if dialect == "sqlite":
        return sqlite.insert(sql_table(table))  # type: ignore[return-value]
    return postgresql.insert(sql_table(table))


@cache  # putting a statement together takes longer than running it
def _insert_new(
    dialect: str, table: type[Table], unique: str, returning: str
) -> ReturningInsert[tuple[Any]]:
    ignoring = _insert(dialect, table).on_conflict_do_nothing(index_elements=[unique])
    return ignoring.returning(sql_table(table).c[returning])


@cache
def _column_keys(table: type[Table]) -> tuple[str, ...]:
    return tuple(column.key for column in sql_table(table).columns)
