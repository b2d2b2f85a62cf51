"""What is published: immutable versions of journeys, and the newest state of them all.

Every process goes by the newest publication, so all of them see the same journeys, policy
and messages. The one surprising fact: versions and publications are named by what they
hold, so what was parsed once is kept for the life of the process, and no cache needs to
be told of a change.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, TypeVar

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from engine.definition import Journey
from engine.matching import start_names
from engine.policy import Policy
from engine.watching import Watched, watched
from store.built_once import run
from store.inserting import insert_into, sql_table, values_of
from store.tables import JourneyVersion, Publication

_K = TypeVar("_K")
_V = TypeVar("_V")

# Journey → message folder → what the folder holds, as `rendering` wrote it out.
Messages = Mapping[str, Mapping[str, Mapping[str, Any]]]

# A process meets the versions that someone is still inside of: a handful a journey. A
# journey takes some 50 KB parsed, so even a full cache stays small.
_MOST_VERSIONS = 1000
_versions: dict[tuple[str, str], Journey] = {}

# The newest, and one before it while a publication is under way.
_MOST_CONTENTS = 4
_contents: dict[str, "_Content"] = {}
_watched: dict[tuple[str | None, int], Watched] = {}  # by database and publication


class UnknownVersionError(LookupError):
    """A version that was never published here."""


@dataclass(frozen=True)
class _Content:
    """What a publication holds, parsed."""

    policy: Policy
    journeys: Mapping[str, Journey]
    messages: Messages
    starting: Mapping[str, Sequence[Journey]]


@dataclass(frozen=True)
class Published:
    """A publication: everything that was published at `at` (wall time). Journeys by name.

    `starting` has them once more, by the events that may start them.
    """

    id: int
    at: datetime
    by: str
    content_hash: str
    policy: Policy
    journeys: Mapping[str, Journey]
    messages: Messages
    starting: Mapping[str, Sequence[Journey]]


async def publish(
    session: AsyncSession,
    *,
    journeys: Iterable[Journey],
    policy: Policy,
    messages: Messages,
    at: datetime,
    by: str,
) -> tuple[Published, bool]:
    """Publish a whole folder; False if it is what is published already, and nothing is new.

    Going back to what was published before is a publication of its own.
    """
    await take_turn(session)
    ordered = sorted(journeys, key=lambda journey: journey.journey)
    row = _publication(ordered, policy, messages, at, by)
    newest = await newest_publication(session)
    if newest is not None and newest.content_hash == row.content_hash:
        return newest, False
    for journey in ordered:
        await _keep_version(session, journey, at, by)
    session.add(row)
    await session.flush()
    published = await newest_publication(session)
    assert published is not None  # it was written just now
    return published, True


async def take_turn(session: AsyncSession) -> None:
    """Have other publishers wait, so that ids are in the order in which they commit."""
    if session.get_bind().dialect.name == "postgresql":
        await session.execute(text("LOCK TABLE publications IN SHARE ROW EXCLUSIVE MODE"))


# Of the newest publication, what tells it from others; the rest is read once a process.
_TABLE = sql_table(Publication).c
NEWEST = (
    select(_TABLE.id, _TABLE.at, _TABLE.by, _TABLE.content_hash).order_by(_TABLE.id.desc()).limit(1)
)


async def newest_publication(session: AsyncSession) -> Published | None:
    """What is published now; None if nothing ever was."""
    row = (await run(session, NEWEST)).one_or_none()
    return None if row is None else await publication_of(session, *row)


async def publication_of(
    session: AsyncSession, number: int | None, at: datetime, by: str, content_hash: str
) -> Published:
    """The publication that a row of `NEWEST` tells of."""
    assert number is not None  # a row that was read has its number
    content = _contents.get(content_hash)
    if content is None:
        content = await _read_content(session, number)
        _keep(_contents, content_hash, content, _MOST_CONTENTS)
    return Published(
        id=number,
        at=at,
        by=by,
        content_hash=content_hash,
        policy=content.policy,
        journeys=content.journeys,
        messages=content.messages,
        starting=content.starting,
    )


async def version(session: AsyncSession, journey: str, version: str) -> Journey:
    """A journey as some enrollment is pinned to it. Raises UnknownVersionError."""
    known = _versions.get((journey, version))
    if known is not None:
        return known
    row = await session.get(JourneyVersion, (journey, version))
    if row is None:
        raise UnknownVersionError(f"journey `{journey}` has no version `{version}` in this store")
    parsed = Journey.model_validate_json(row.definition)
    _keep(_versions, (journey, version), parsed, _MOST_VERSIONS)
    return parsed


async def watched_by_all(session: AsyncSession, published: Published | None) -> Watched:
    """What any version looks at that somebody may be inside of."""
    if published is None:
        return Watched()
    key = (session.get_bind().engine.url.database, published.id)
    known = _watched.get(key)
    if known is None:
        # A version can only come with a publication, so for this one the list is complete.
        rows = await session.execute(
            select(col(JourneyVersion.journey), col(JourneyVersion.version))
        )
        known = watched([await version(session, *row) for row in rows])
        _keep(_watched, key, known, _MOST_CONTENTS)
    return known


async def versions_of(session: AsyncSession, journey: str) -> list[JourneyVersion]:
    """Every version of a journey that was ever published, newest first."""
    found = await session.scalars(
        select(JourneyVersion)
        .where(col(JourneyVersion.journey) == journey)
        .order_by(col(JourneyVersion.published_at).desc(), col(JourneyVersion.version))
    )
    return list(found)


async def ever(session: AsyncSession) -> list[str]:
    """Every journey that was ever published, by name."""
    name = col(JourneyVersion.journey)
    return list(await session.scalars(select(name).distinct().order_by(name)))


async def steps_ever(session: AsyncSession, journey: str) -> list[str]:
    """Every step that any version of a journey has had; none if there never was one."""
    steps: dict[str, None] = {}
    for row in await versions_of(session, journey):
        parsed = await version(session, row.journey, row.version)
        steps.update(dict.fromkeys(step.id for step in parsed.steps))
    return list(steps)


def _publication(
    journeys: list[Journey], policy: Policy, messages: Messages, at: datetime, by: str
) -> Publication:
    row = Publication(
        at=at,
        by=by,
        policy=policy.model_dump(mode="json"),
        messages={name: dict(messages[name]) for name in sorted(messages)},
        journeys={journey.journey: journey.version for journey in journeys},
        content_hash="",
    )
    # Keys as written: the order of topics is what the customer sees.
    content = json.dumps([row.policy, row.messages, row.journeys], separators=(",", ":"))
    row.content_hash = hashlib.sha256(content.encode()).hexdigest()
    return row


async def _keep_version(session: AsyncSession, journey: Journey, at: datetime, by: str) -> None:
    row = JourneyVersion(
        journey=journey.journey,
        version=journey.version,
        definition=journey.pinned,
        published_at=at,
        published_by=by,
    )
    statement = insert_into(session, JourneyVersion).on_conflict_do_nothing(
        index_elements=["journey", "version"]
    )
    await session.execute(statement, values_of(row))


async def _read_content(session: AsyncSession, number: int) -> _Content:
    row = await session.get_one(Publication, number)
    journeys = {name: await version(session, name, v) for name, v in row.journeys.items()}
    return _Content(
        policy=Policy.model_validate(row.policy),
        journeys=MappingProxyType(journeys),
        messages=MappingProxyType(row.messages),
        starting=MappingProxyType(starting(journeys.values())),
    )


def starting(journeys: Iterable[Journey]) -> dict[str, list[Journey]]:
    """The journeys by the events that may start them."""
    found: dict[str, list[Journey]] = {}
    for journey in journeys:
        for event in start_names(journey):
            found.setdefault(event, []).append(journey)
    return found


def _keep(cache: dict[_K, _V], key: _K, value: _V, most: int) -> None:
    while len(cache) >= most:
        del cache[next(iter(cache))]  # the one kept longest
    cache[key] = value
