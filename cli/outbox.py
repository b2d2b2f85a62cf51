"""`parcours outbox`: what Temporal has yet to hear, and what was put aside for a person.

As the API does it: written to the store, with the audit log. Whoever runs a dispatcher takes
the row then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.store import ACTOR, with_store

if TYPE_CHECKING:
    from api.services import Services
    from store.tables import OutboxRow

outbox = typer.Typer(
    help="What Temporal has yet to hear: list it, try again what was put aside.",
    no_args_is_help=True,
)


@outbox.command("list")
def list_(
    waiting: Annotated[
        bool, typer.Option("--waiting", help="What waits for its turn, not what was put aside.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, oldest first.")] = 50,
) -> None:
    """List what was put aside, with the reason; the oldest first."""
    from cli.tables import plain_table, utc_minute
    from store import outbox as rows

    async def found(services: Services) -> list[OutboxRow]:
        async with services.database.reading() as session:
            return await (rows.waiting if waiting else rows.parked)(session, limit)

    plain_table(
        ("number", "what", "enrollment", "since", "tried", "trouble"),
        [
            (
                str(row.id),
                row.kind.value,
                row.enrollment_id or "",
                utc_minute(row.parked_at or row.created_at),
                str(row.attempts),
                row.parked_reason or row.last_error or "",
            )
            for row in with_store(found)
        ],
        nothing="nothing waits" if waiting else "nothing was put aside",
    )


@outbox.command()
def retry(
    number: Annotated[int, typer.Argument(help="Its number in the list.", show_default=False)],
) -> None:
    """Try again what was put aside, once what its reason says is mended."""
    from api.parked import try_again

    async def tried(services: Services) -> OutboxRow:
        return await try_again(services, number, ACTOR)

    row = with_store(tried)
    print(f"row {row.id} ({row.kind.value} {row.enrollment_id}) is tried again by any running API")
