"""`parcours customers`: what concerns one customer as a whole.

The same as the API's, by the same functions; so it works while no API runs, and then Temporal
hears of it when one does.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from api.erasing import ErasureReply

customers = typer.Typer(help="One customer as a whole: erase.", no_args_is_help=True)

_ACTOR = "cli"  # whom the audit log names


@customers.callback()
def _group() -> None:
    """Without this, typer would take the only command for the group."""


@customers.command()
def erase(
    customer_id: Annotated[
        str,
        typer.Argument(
            metavar="ID",
            help="Any id they are known by; `anonymous:…` for a visitor.",
            show_default=False,
        ),
    ],
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
) -> None:
    """Erase a customer for good, and say what was done."""
    if not yes:
        question = f"Erase `{customer_id}` for good? Nothing of it can be undone."
        typer.confirm(question, abort=True, err=True)
    _print(asyncio.run(_erased(customer_id)))


async def _erased(customer_id: str) -> ErasureReply:
    from api.erasing import erase as erase_customer
    from api.services import Services
    from cli.store import opened, settings_without_links

    settings = settings_without_links()
    async with opened(settings) as database:
        services = Services(database=database, settings=settings)
        return await erase_customer(services, customer_id, _ACTOR)


def _print(reply: ErasureReply) -> None:
    from cli.tables import plain_table

    told = reply.model_dump(exclude={"erased"})
    plain_table(
        ("what", "how many"), [(name.replace("_", " "), str(n)) for name, n in told.items()]
    )
