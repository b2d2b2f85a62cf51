"""`parcours archive` and `unarchive`: a journey that lets nobody in any more, and one that does.

By the functions of the API, on the store itself. Decides only how it is told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.store import ACTOR, with_store

if TYPE_CHECKING:
    from api.archiving import Archived
    from api.services import Services

JourneyName = Annotated[
    str, typer.Argument(metavar="JOURNEY", help="Its name.", show_default=False)
]


def archive(
    journey: JourneyName,
    inside: Annotated[
        str,
        typer.Option(
            metavar="finish|exit",
            help="What becomes of those inside: `finish`, they go on; `exit`, they end now.",
        ),
    ] = "finish",
    rate: Annotated[
        float,
        typer.Option(metavar="N", help="With `exit`: how many Temporal hears of a second."),
    ] = 20.0,
) -> None:
    """Let nobody enter a journey any more, whether or not it is still in the folder."""
    from api.archiving import Archiving
    from cli.errors import WrongInputError
    from store.tables import ArchivedInside

    try:
        fate = ArchivedInside(inside)
    except ValueError:
        raise WrongInputError(f"--inside: `{inside}`: write `finish` or `exit`") from None

    async def archived(services: Services) -> Archived:
        return await Archiving(services, ACTOR).archive(journey, fate, rate)

    done = with_store(archived)
    print(f"{journey} is archived: nobody enters it from now on")
    if fate is ArchivedInside.EXIT:
        print(f"{done.exited} inside have exited; Temporal hears of {rate:g} a second")
    elif done.inside:
        print(f"{done.inside} inside go on; `--inside exit` ends them")


def unarchive(journey: JourneyName) -> None:
    """Let an archived journey enroll again."""
    from api.archiving import Archiving

    async def unarchived(services: Services) -> bool:
        from store import journeys

        await Archiving(services, ACTOR).unarchive(journey)
        async with services.database.reading() as session:
            published = await journeys.newest_publication(session)
        return published is not None and journey in published.journeys

    if with_store(unarchived):
        print(f"{journey} enrolls again")
    else:
        print(f"{journey} is no longer archived, nor published: nobody enters it until it is")
