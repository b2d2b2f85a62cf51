"""`parcours publish`: make a journeys folder what everybody goes by.

Decides how the news is told. A folder with a mistake is refused as a whole and changes
nothing. The one surprising fact: text is published with the journeys, so a changed subject
line is a publication too, though it makes no new version of its journey.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from cli import check
from cli.options import JOURNEYS, JourneysArgument

if TYPE_CHECKING:
    from authoring.folder import LoadedJourneys
    from store.database import Database
    from store.journeys import Published


def publish(
    folder: JourneysArgument = JOURNEYS,
    by: Annotated[
        str, typer.Option(metavar="WHO", help="Who publishes; kept with the publication.")
    ] = "parcours publish",
) -> None:
    """Publish a journeys folder; with a mistake in it, nothing is."""
    import asyncio

    from cli.store import opened, settings_without_links

    loaded = check.load_or_leave(folder)

    async def published() -> list[str]:
        async with opened(settings_without_links()) as database:
            return await publish_loaded(database, loaded, by)

    for warning in check.warnings(folder, loaded):
        print(warning, file=sys.stderr)
    print("\n".join(asyncio.run(published())))


async def publish_loaded(database: Database, loaded: LoadedJourneys, by: str) -> list[str]:
    """Publish it; what is new, a line each."""
    from store import journeys

    async with database.transaction() as session:
        before = await journeys.newest_publication(session)
        after, is_new = await journeys.publish(
            session,
            journeys=[each.journey for each in loaded.journeys.values()],
            policy=loaded.policy,
            messages={
                name: {folder: source.to_dict() for folder, source in each.messages.items()}
                for name, each in loaded.journeys.items()
            },
            at=datetime.now(UTC),
            by=by,
        )
    if not is_new:
        return ["nothing is new: this is what is published already"]
    return [f"published as number {after.id}:", *_news(before, after)]


def _news(before: Published | None, after: Published) -> Iterator[str]:
    old = before.journeys if before is not None else {}
    for name, journey in after.journeys.items():
        if name not in old:
            yield f"  {name}: new, version {journey.version}"
        elif old[name].version != journey.version:
            yield (
                f"  {name}: version {old[name].version} → {journey.version}; "
                "those inside keep the old one"
            )
        yield from _new_texts(name, before, after)
    for name in old:
        if name not in after.journeys:
            yield f"  {name}: gone; nobody enters it any more, those inside go on"
    if before is not None and before.policy != after.policy:
        yield "  policy.yaml: changed"


def _new_texts(name: str, before: Published | None, after: Published) -> Iterator[str]:
    """Messages whose text differs; of a new journey all are new, and that goes without saying."""
    if before is None or name not in before.journeys:
        return
    old, new = before.messages.get(name, {}), after.messages.get(name, {})
    changed = [folder for folder in sorted({*old, *new}) if old.get(folder) != new.get(folder)]
    if changed:
        yield f"  {name}: new text in {', '.join(changed)}"
