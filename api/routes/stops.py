"""Stop buttons and archived journeys, for programs and consoles.

A stop holds from its 200 on: the next claim never happens.
"""

from datetime import datetime
from typing import Annotated, Self

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from api.archiving import RATE as EXIT_RATE
from api.archiving import Archiving
from api.auth import actor_of
from api.fields import Name, PathText, RowNumber, Wording
from api.given import Given, Supporter, SupportRoute
from api.schemas import BODY_RESPONSES, SUPPORT_RESPONSES, refusals
from api.stopping import FASTEST, RATE, SLOWEST, Stopping, standing
from engine.stops import StopScope, Target
from store import archives
from store.tables import ArchivedInside, Stop

router = APIRouter(
    tags=["Stop buttons"],
    prefix="/v1",
    route_class=SupportRoute,
    responses=SUPPORT_RESPONSES,
)

_MOST = 500  # as of enrollments

Rate = Annotated[
    float,
    Query(ge=SLOWEST, le=FASTEST, description="How many of those who waited go on a second."),
]


class StopOrder(BaseModel):
    """What to stop: `channel`, `journey` and `step` as the scope needs them."""

    model_config = ConfigDict(extra="forbid")

    scope: StopScope
    channel: Name | None = None
    journey: Name | None = None
    step: Name | None = None
    why: Wording | None = Field(default=None, description="For whoever finds it stopped.")


class StopReply(BaseModel):
    """A stop button that was pressed; in force while `lifted_at` is null. Times are real."""

    id: int
    scope: StopScope
    channel: str | None
    journey: str | None
    step: str | None
    at: datetime
    actor: str
    why: str | None
    lifted_at: datetime | None
    lifted_by: str | None

    @classmethod
    def of(cls, row: Stop) -> Self:
        return cls.model_validate(row, from_attributes=True)


class StopsReply(BaseModel):
    """The buttons, those in force first, and how many messages wait for one to be lifted."""

    stops: list[StopReply]
    waiting: int


class StartedReply(BaseModel):
    """The buttons that were lifted, how many go on, and when the last of them does."""

    stops: list[StopReply]
    woken: int
    last_at: datetime | None


class ArchiveOrder(BaseModel):
    """What becomes of those inside, and how many Temporal hears of a second if they exit."""

    model_config = ConfigDict(extra="forbid")

    inside: ArchivedInside = ArchivedInside.FINISH
    rate: Annotated[float, Field(ge=SLOWEST, le=FASTEST)] = EXIT_RATE


class ArchiveReply(BaseModel):
    """A journey that enrolls nobody any more."""

    journey: str
    inside: ArchivedInside
    at: datetime
    actor: str


class ArchivedReply(ArchiveReply):
    """How many have exited by it just now, and how many are still inside."""

    exited: int
    open: int


class ArchivesReply(BaseModel):
    """The archived journeys, by name."""

    archives: list[ArchiveReply]


@router.get("/stops")
async def list_stops(
    services: Given, key: Supporter, limit: Annotated[int, Query(ge=1, le=_MOST)] = 100
) -> StopsReply:
    """What is stopped, and what was."""
    found = await standing(services, limit)
    return StopsReply(stops=[StopReply.of(row) for row in found.stops], waiting=found.waiting)


@router.post("/stops", responses={**refusals(404), **BODY_RESPONSES})
async def stop(order: StopOrder, services: Given, key: Supporter) -> StopReply:
    """Hold messages back from now on. They wait, and go out or expire by their grace."""
    target = Target(order.scope, journey=order.journey, step=order.step, channel=order.channel)
    return StopReply.of(await Stopping(services, actor_of(key)).stop(target, order.why))


@router.delete("/stops/{stop_id}", responses=refusals(404))
async def start(
    stop_id: RowNumber, services: Given, key: Supporter, rate: Rate = RATE
) -> StartedReply:
    """Start again: those who waited go on, at a rate. Repeated, it goes on where it was."""
    done = await Stopping(services, actor_of(key)).start_number(stop_id, rate)
    return StartedReply(
        stops=[StopReply.of(row) for row in done.lifted], woken=done.woken, last_at=done.last_at
    )


@router.get("/archives")
async def list_archives(services: Given, key: Supporter) -> ArchivesReply:
    """Journeys that enroll nobody any more."""
    async with services.database.reading() as session:
        rows = await archives.every(session)
    return ArchivesReply(
        archives=[ArchiveReply.model_validate(row, from_attributes=True) for row in rows]
    )


@router.post("/journeys/{name}/archive", responses={**refusals(404), **BODY_RESPONSES})
async def archive(
    name: PathText, order: ArchiveOrder, services: Given, key: Supporter
) -> ArchivedReply:
    """Let nobody enter any more; those inside finish, or exit at once."""
    done = await Archiving(services, actor_of(key)).archive(name, order.inside, order.rate)
    return ArchivedReply(
        journey=done.row.journey,
        inside=done.row.inside,
        at=done.row.at,
        actor=done.row.actor,
        exited=done.exited,
        open=done.inside,
    )


@router.post("/journeys/{name}/unarchive", status_code=204, responses=refusals(404))
async def unarchive(name: PathText, services: Given, key: Supporter) -> None:
    """Let it enroll again."""
    await Archiving(services, actor_of(key)).unarchive(name)
