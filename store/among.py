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
    Column,
    ColumnElement,
    Select,
    Text,
    any_,
    bindparam,
    column,
    func,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import JSONB


def among(dialect: str, column: Column[Any], name: str) -> ColumnElement[bool]:
    """Whether the column, of texts or of numbers, is one of the list given as parameter `name`."""
    if dialect == "sqlite":  # which has no arrays, but reads JSON as a table
        given = func.json_each(bindparam(name, type_=JSON)).table_valued("value")
        return column.in_(select(given.c.value))
    return column == any_(bindparam(name, type_=ARRAY(column.type)))


def rows_given(dialect: str, columns: Sequence[Column[Any]], name: str) -> Select[Any]:
    """Rows of these columns, given as parameter `name`: a list of objects by the columns' names.

    Times are texts, as `time_given` writes them.
    """
    if dialect == "sqlite":
        each = func.json_each(bindparam(name, type_=JSON)).table_valued(column("value", Text))
        found = [func.json_extract(each.c.value, f"$.{one.name}") for one in columns]
        # Without a condition SQLite takes the ON of `ON CONFLICT` for that of a join.
        return select(*found).where(true())
    kinds = [column(one.name, one.type) for one in columns]
    given = func.jsonb_to_recordset(bindparam(name, type_=JSONB)).table_valued(*kinds)
    return select(*given.render_derived(with_types=True).c)


def columns_given(columns: Sequence[Column[Any]]) -> Select[Any]:
    """Rows of these columns, given column by column: parameter `NAME` is a list of its values.

    For PostgreSQL alone. The values are as anywhere else, and no row is made an object.
    """
    # One dimension, or a value that is a list itself would be taken for another.
    lists = [bindparam(one.name, type_=ARRAY(one.type, dimensions=1)) for one in columns]
    kinds = [column(one.name, one.type) for one in columns]
    return select(*func.unnest(*lists).table_valued(*kinds).render_derived().c)


def time_given(dialect: str, at: datetime | None) -> str | None:
    """A time as it is given in such rows: as SQLite keeps it, and PostgreSQL reads it."""
    if at is None:
        return None
    text = at.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")
    return text if dialect == "sqlite" else f"{text}Z"
