"""`parcours publish`: make a journeys folder what everybody goes by.

Decides how the news is told. A folder with a mistake is refused as a whole and changes
nothing. The surprising facts: text is published with the journeys, so a changed subject line
is a publication too, though it makes no new version of its journey. And a journey whose folder
is gone stays published, texts and all, until it is archived: those inside need their messages,
and a folder that somebody deleted by mistake is no order to let nobody in.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from cli import check
from cli.options import JOURNEYS, JourneysArgument

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

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
    from store import archives, journeys

    async with database.transaction() as session:
        await journeys.take_turn(session)
        before = await journeys.newest_publication(session)
        archived = await archives.names(session)
        missing = await _missing(session, before, loaded, archived)
        kept = [each.name for each in missing if each.is_kept]
        after, is_new = await journeys.publish(
            session,
            journeys=[
                *(each.journey for each in loaded.journeys.values()),
                *(before.journeys[name] for name in kept if before is not None),
            ],
            policy=loaded.policy,
            messages={
                **{
                    name: {folder: source.to_dict() for folder, source in each.messages.items()}
                    for name, each in loaded.journeys.items()
                },
                **{name: before.messages.get(name, {}) for name in kept if before is not None},
            },
            at=datetime.now(UTC),
            by=by,
        )
    stays = [
        *(each.in_words for each in missing if each.is_kept),
        *_still_archived(loaded, archived),
    ]
    if not is_new:
        return ["nothing is new: this is what is published already", *stays]
    return [f"published as number {after.id}:", *_news(before, after), *stays]


@dataclass(frozen=True)
class _Missing:
    """A published journey that is not in the folder."""

    name: str
    open: int
    is_archived: bool

    @property
    def is_kept(self) -> bool:
        """Nobody needs one that is archived and empty; any other stays, with its texts."""
        return self.open > 0 or not self.is_archived

    @property
    def in_words(self) -> str:
        inside = f"its {self.open} open enrollments go on"
        if self.is_archived:
            return f"`{self.name}` is no longer in this folder; it is archived, and {inside}"
        return (
            f"`{self.name}` is no longer in this folder; {inside}, new ones still begin: "
            f"`parcours archive {self.name}` ends that"
        )


async def _missing(
    session: AsyncSession,
    before: Published | None,
    loaded: LoadedJourneys,
    archived: Collection[str],
) -> list[_Missing]:
    from store import enrollments

    published = before.journeys if before is not None else {}
    return [
        _Missing(name, await enrollments.count_open(session, name), name in archived)
        for name in published
        if name not in loaded.journeys
    ]


def _still_archived(loaded: LoadedJourneys, archived: Collection[str]) -> Iterator[str]:
    for name in loaded.journeys:
        if name in archived:
            yield (
                f"`{name}` is archived: nobody enters it, though it is in this folder; "
                f"`parcours unarchive {name}` ends that"
            )


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
            yield f"  {name}: gone; it was archived, and nobody is inside any more"
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
