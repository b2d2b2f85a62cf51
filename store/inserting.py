"""Inserting rows of which some may already be there, the same way on both databases.

The unique column decides, not a look beforehand: two that insert the same key at once get
one row, and exactly one of them is told that it was theirs.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Table as SqlTable
from sqlalchemy import inspect
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from store.tables.columns import Table


def insert_into(session: AsyncSession, table: type[Table]) -> postgresql.Insert:
    """An INSERT that knows `on_conflict_…`, of the session's dialect."""
    return insert_for(session.get_bind().dialect.name, table)


def insert_for(dialect: str, table: type[Table]) -> postgresql.Insert:
    """The same by the dialect's name, for statements that are built once for each.

    The two dialects' inserts have the same methods but no common base, hence the type.
    """
    # Into the table, not the class: SQLAlchemy's bulk insert of objects costs three times as much.
    if dialect == "sqlite":
        return sqlite.insert(sql_table(table))  # type: ignore[return-value]
    return postgresql.insert(sql_table(table))


async def insert_new(
    session: AsyncSession, rows: Sequence[Table], *, unique: str, returning: str | None = None
) -> list[Any]:
    """Insert those rows whose `unique` column is new; `returning` of exactly those.

    All rows are of one table. A repeat within `rows` counts as already there.
    """
    if not rows:
        return []
    table = type(rows[0])
    statement = (
        insert_into(session, table)
        .on_conflict_do_nothing(index_elements=[unique])
        .returning(sql_table(table).c[returning or unique])
    )
    # Rows as a parameter list: `.values([...])` renders them one by one, ten times slower.
    return list(await session.scalars(statement, [values_of(row) for row in rows]))


def values_of(row: Table) -> Mapping[str, Any]:
    """The row's columns, without a number that the database is to give."""
    table = sql_table(type(row))
    values = {column.key: getattr(row, column.key) for column in table.columns}
    if values.get("id", "") is None:
        del values["id"]
    return values


def sql_table(table: type[Table]) -> SqlTable:
    """SQLAlchemy's own view of a table class."""
    sql = inspect(table).local_table
    assert isinstance(sql, SqlTable)
    return sql
