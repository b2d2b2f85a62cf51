"""`parcours keys`: the keys that apps and people use with the API.

A key is shown once, when it is made, and can't be had again.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated

import typer

keys = typer.Typer(help="Keys for the API: create, list, revoke.", no_args_is_help=True)

_SCOPES = ("ingest", "manage")  # those of `api.auth`, which is too heavy to import for a help text


@keys.command()
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whose it is.", show_default=False)],
    scope: Annotated[
        list[str] | None,
        typer.Option(help="`ingest` (events in) or `manage`; both, if left out. May be repeated."),
    ] = None,
) -> None:
    """Make a key and print it: it is nowhere else, and can't be had again."""
    from cli.errors import WrongInputError
    from cli.store import opened, settings_without_links
    from store import keys as rows

    scopes = tuple(scope or _SCOPES)
    if unknown := [each for each in scopes if each not in _SCOPES]:
        raise WrongInputError(f"--scope: `{unknown[0]}` is none; write `ingest` or `manage`")

    async def made() -> str:
        async with (
            opened(settings_without_links()) as database,
            database.transaction() as session,
        ):
            _, key = await rows.create(session, name, scopes, datetime.now(UTC))
            return key

    print(asyncio.run(made()))


@keys.command("list")
def list_() -> None:
    """List the keys, revoked ones too; of each only its beginning."""
    from cli.store import opened, settings_without_links
    from cli.tables import plain_table, utc_minute
    from store import keys as rows
    from store.tables import ApiKey

    async def found() -> list[ApiKey]:
        async with opened(settings_without_links()) as database, database.reading() as session:
            return await rows.every(session)

    plain_table(
        ("number", "name", "key", "may", "made", "last used", ""),
        [
            (
                str(row.id),
                row.name,
                f"{row.prefix}…",
                ", ".join(row.scopes),
                utc_minute(row.created_at),
                "never" if row.last_used_at is None else utc_minute(row.last_used_at),
                "" if row.revoked_at is None else "revoked",
            )
            for row in asyncio.run(found())
        ],
        nothing="there are no keys: make one with `parcours keys create NAME`",
    )


@keys.command()
def revoke(
    number: Annotated[int, typer.Argument(help="Its number in the list.", show_default=False)],
) -> None:
    """Refuse a key from now on."""
    from cli.errors import WrongInputError
    from cli.store import opened, settings_without_links
    from store import keys as rows

    async def revoked() -> bool:
        async with (
            opened(settings_without_links()) as database,
            database.transaction() as session,
        ):
            return await rows.revoke(session, number, datetime.now(UTC))

    if not asyncio.run(revoked()):
        raise WrongInputError(f"there is no valid key {number}: see `parcours keys list`")
    print(f"key {number} is revoked")
