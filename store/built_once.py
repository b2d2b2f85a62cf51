"""Running a statement that was built once, past what a session does for objects.

For statements over tables, which know no objects: nothing is flushed before them, nor found
in the session after them. The surprising fact: `await session.execute(…)` costs half as
much again, most of it on the way to the session and back, though the statement is the same.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Executable, Result
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

# One row, or several.
Values = Mapping[str, Any] | Sequence[Mapping[str, Any]]


async def run(
    session: AsyncSession, statement: Executable, values: Values | None = None
) -> Result[*tuple[Any, ...]]:
    """What the statement answers, all of it here already."""
    return await session.run_sync(_run, statement, values)


def _run(
    session: Session, statement: Executable, values: Values | None
) -> Result[*tuple[Any, ...]]:
    return session.connection().execute(statement, values)
