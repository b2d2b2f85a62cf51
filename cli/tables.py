"""Tables for the terminal: plain columns, that a person reads and `grep` finds things in."""

from collections.abc import Sequence
from datetime import UTC, datetime


def plain_table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], *, nothing: str = "nothing"
) -> None:
    """Print the rows below their columns; `nothing` where there are none."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    if not rows:
        console.print(nothing)
        return
    table = Table(box=None, pad_edge=False)
    for name in columns:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*map(escape, row))
    console.print(table)


def utc_minute(at: datetime) -> str:
    """`2026-11-25 09:00Z`."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M}Z"
