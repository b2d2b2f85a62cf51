"""Looking through every column of every table for words that should not be there."""

import json
from collections.abc import Iterable

from sqlalchemy import select

from store.database import Database
from store.tables import Table


async def found_in(database: Database, words: Iterable[str]) -> dict[str, set[str]]:
    """In which `table.column` which of the words stand, whatever the column's type."""
    found: dict[str, set[str]] = {}
    async with database.reading() as session:
        for table in Table.metadata.sorted_tables:
            for row in await session.execute(select(table)):
                for column, value in zip(table.columns, row, strict=True):
                    text = _as_text(value)
                    held = {word for word in words if word.casefold() in text}
                    if held:
                        found.setdefault(f"{table.name}.{column.name}", set()).update(held)
    return found


def _as_text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("latin-1").casefold()
    return json.dumps(value, ensure_ascii=False, default=str).casefold()
