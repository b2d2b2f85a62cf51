"""Inserting rows of which some may already be there, the same way on both databases.

The unique column decides, not a look beforehand: two that insert the same key at once get
one row, and exactly one of them is told that it was theirs.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import Table as SqlTable
from sqlalchemy import inspect
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.dml import ReturningInsert

from store.among import columns_given
from store.built_once import run
from store.tables.columns import Table

_Row = TypeVar("_Row", bound=Mapping[str, Any])


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
    values = [values_of(row) for row in rows]
    return await insert_values(session, type(rows[0]), values, unique=unique, returning=returning)


async def insert_values(
    session: AsyncSession,
    table: type[Table],
    rows: Sequence[Mapping[str, Any]],
    *,
    unique: str,
    returning: str | None = None,
) -> list[Any]:
    """`insert_new` of rows that are columns and their values, the same columns in each."""
    if not rows:
        return []
    dialect = session.get_bind().dialect.name
    if dialect == "sqlite" or len(rows) == 1:
        statement = _insert_new(dialect, table, unique, returning or unique)
        return list((await run(session, statement, parameters(list(rows)))).scalars())
    names = tuple(rows[0])
    statement = _insert_columns(table, names, unique, returning or unique)
    lists = {name: [row[name] for row in rows] for name in names}
    return list((await run(session, statement, lists)).scalars())


def parameters(rows: list[_Row]) -> list[_Row] | _Row:
    """Rows as they are best given to a statement.

    As a parameter list: `.values([...])` renders them one by one, ten times slower. And one
    row not as a list: that would make SQLAlchemy look for batches.
    """
    return rows if len(rows) > 1 else rows[0]


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


@cache  # putting a statement together takes longer than running it
def _insert_new(
    dialect: str, table: type[Table], unique: str, returning: str
) -> ReturningInsert[tuple[Any]]:
    return _if_new(insert_for(dialect, table), table, unique, returning)


@cache
def _insert_columns(
    table: type[Table], names: tuple[str, ...], unique: str, returning: str
) -> ReturningInsert[tuple[Any]]:
    """On PostgreSQL, where SQLAlchemy's batch is another statement for each number of rows."""
    sql = sql_table(table)
    rows = columns_given([sql.c[name] for name in names])
    inserting = insert_for("postgresql", table).from_select(names, rows)
    return _if_new(inserting, table, unique, returning)


def _if_new(
    inserting: postgresql.Insert, table: type[Table], unique: str, returning: str
) -> ReturningInsert[tuple[Any]]:
    ignoring = inserting.on_conflict_do_nothing(index_elements=[unique])
    return ignoring.returning(sql_table(table).c[returning])


@cache
def _column_keys(table: type[Table]) -> tuple[str, ...]:
    return tuple(column.key for column in sql_table(table).columns)
