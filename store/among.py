"""Many values, or many rows, as one parameter of a statement, however many there are.

A parameter for each value of an `IN` has the statement written anew for every number of them;
a list of parameters for each row has every one of them converted by itself. For some hundred
either takes longer than what the database does with it. The surprising fact: on PostgreSQL
each such text is a statement of its own, which every connection keeps prepared. Of five
hundred rows it has four thousand parameters.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    Column,
    ColumnElement,
    Select,
    String,
    Text,
    any_,
    bindparam,
    cast,
    column,
    func,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import JSONB


def among(dialect: str, column: ColumnElement[str], name: str) -> ColumnElement[bool]:
    """Whether the column is one of the list of texts that is given as parameter `name`."""
    if dialect == "sqlite":
        return _in_json(column, name)
    # Not `= ANY`: a statement that is planned once for all lists compares every row of a small
    # table with every text of the list.
    return column.in_(select(func.unnest(bindparam(name, type_=ARRAY(String)))))


def numbers_among(dialect: str, column: ColumnElement[int], name: str) -> ColumnElement[bool]:
    """Whether a row's number is one of the list that is given as parameter `name`.

    `= ANY`, so that PostgreSQL looks up each, whatever it believes of a table that was empty a
    minute ago; of the other way it would make a join.
    """
    if dialect == "sqlite":
        return _in_json(column, name)
    return column == any_(bindparam(name, type_=ARRAY(BigInteger)))


def rows_given(dialect: str, columns: Sequence[Column[Any]], name: str) -> Select[Any]:
    """Rows of these columns, given as parameter `name`: a list of objects by the columns' names.

    The list is JSON text already, and times in it are as `time_given` writes them.
    """
    text = bindparam(name, type_=Text)
    if dialect == "sqlite":
        each = func.json_each(text).table_valued(column("value", Text))
        found = [func.json_extract(each.c.value, f"$.{one.name}") for one in columns]
        # Without a condition SQLite takes the ON of `ON CONFLICT` for that of a join.
        return select(*found).where(true())
    kinds = [column(one.name, one.type) for one in columns]
    given = func.jsonb_to_recordset(cast(text, JSONB)).table_valued(*kinds)
    return select(*given.render_derived(with_types=True).c)


def columns_given(columns: Sequence[Column[Any]]) -> Select[Any]:
    """Rows of these columns, given column by column: parameter `NAME` is a list of its values.

    For PostgreSQL alone. The values are as anywhere else, and no row is made an object.
    """
    # One dimension, or a value that is a list itself would be taken for another.
    lists = [bindparam(one.name, type_=ARRAY(one.type, dimensions=1)) for one in columns]
    kinds = [column(one.name, one.type) for one in columns]
    return select(*func.unnest(*lists).table_valued(*kinds).render_derived().c)


def _in_json(column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    """On SQLite, which has no arrays, but reads JSON as a table."""
    given = func.json_each(bindparam(name, type_=JSON)).table_valued("value")
    return column.in_(select(given.c.value))


def time_given(dialect: str, at: datetime | None) -> str | None:
    """A time as it is given in such rows: as SQLite keeps it, and PostgreSQL reads it."""
    if at is None:
        return None
    text = at.astimezone(UTC).isoformat(" ", "microseconds")
    return text.removesuffix("+00:00") if dialect == "sqlite" else text
