"""Rows of which a column is one of many texts: one parameter, however many there are.

`IN` with a parameter for each has the statement written anew for every number of them, which
for some hundred takes longer than running it.
"""

from sqlalchemy import ARRAY, JSON, ColumnElement, String, any_, bindparam, func, select


def among(dialect: str, column: ColumnElement[str], name: str) -> ColumnElement[bool]:
    """Whether the column is one of the list of texts that is given as parameter `name`."""
    if dialect == "sqlite":  # which has no arrays, but reads JSON as a table
        given = func.json_each(bindparam(name, type_=JSON)).table_valued("value")
        return column.in_(select(given.c.value))
    return column == any_(bindparam(name, type_=ARRAY(String)))
