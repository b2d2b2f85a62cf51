"""`parcours keys`: the keys that apps and people use with the API.

A key is shown once, when it is made, and can't be had again. To replace one, make a second
of the same name, give it to the app, and revoke the first when nobody uses it any more.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from api.scopes import Scope

if TYPE_CHECKING:
    from store.keys import TooManyKeysError
    from store.tables import ApiKey

keys = typer.Typer(help="Keys for the API: create, list, revoke.", no_args_is_help=True)


@keys.command()
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whose it is.", show_default=False)],
    scope: Annotated[
        list[Scope] | None,
        typer.Option(
            help="`events:write` (events in; if left out), `support` (look at customers, steer "
            "enrollments), `admin` (also what can't be undone). May be repeated."
        ),
    ] = None,
    rate: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="EVENTS_PER_SECOND",
            help="The most it may send to one API process; 0: no limit. If left out, "
            "PARCOURS_RATE_LIMIT.",
        ),
    ] = None,
) -> None:
    """Make a key and print it: it is nowhere else, and can't be had again."""
    from cli.errors import WrongInputError
    from cli.store import opened, settings_without_links
    from store import keys as rows

    if not name.strip():
        raise WrongInputError("NAME: say whose the key is, as in `parcours keys create my-app`")
    scopes = scope or [Scope.EVENTS_WRITE]

    async def made() -> str:
        async with (
            opened(settings_without_links()) as database,
            database.transaction() as session,
        ):
            _, key = await rows.create(session, name.strip(), scopes, datetime.now(UTC), rate)
            return key

    try:
        print(asyncio.run(made()))
    except rows.TooManyKeysError as error:
        raise WrongInputError(_which_to_revoke(error)) from None


@keys.command("list")
def list_() -> None:
    """List the keys, revoked ones too; of each only its beginning."""
    from cli.store import opened, settings_without_links
    from cli.tables import plain_table, utc_minute
    from store import keys as rows

    async def found() -> list[ApiKey]:
        async with opened(settings_without_links()) as database, database.reading() as session:
            return await rows.every(session)

    plain_table(
        ("number", "name", "key", "may", "rate", "made", "last used", ""),
        [
            (
                str(row.id),
                row.name,
                f"{row.prefix}…",
                ", ".join(row.scopes),
                _rate(row),
                utc_minute(row.created_at),
                _last_used(row),
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
    """Refuse a key from now on: every running API does so within 5 seconds."""
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
    print(f"key {number} is revoked; every running API refuses it within 5 seconds")


def _which_to_revoke(error: TooManyKeysError) -> str:
    """Both keys, and the one that was used least lately as the one to go."""
    told = " and ".join(
        f"{row.id} ({row.prefix}…, last used {_last_used(row)})" for row in error.live
    )
    oldest = min(error.live, key=lambda row: (row.last_used_at or row.created_at, row.id))
    return (
        f"{error}, and more would only be forgotten: {told}. Revoke the one that is no longer "
        f"used, likely `parcours keys revoke {oldest.id}`, then make the new one"
    )


def _rate(row: ApiKey) -> str:
    match row.events_per_second:
        case None:
            return "default"
        case 0:
            return "no limit"
        case rate:
            return f"{rate}/s"


def _last_used(row: ApiKey) -> str:
    from cli.tables import utc_minute

    return "never" if row.last_used_at is None else utc_minute(row.last_used_at)
