"""Broadcasts: to whom, what, when; how far each has got; and what a person does with one.

A stop holds from its 200 on: nobody more gets it.
"""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Self

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from api.auth import actor_of
from api.broadcasting.asked import FASTEST, SLOWEST, Asked
from api.broadcasting.orders import Broadcasting, find
from api.broadcasting.previewing import preview
from api.fields import Instant, Name, PathText, Wording
from api.given import BroadcastRoute, Given, Supporter
from api.schemas import BODY_RESPONSES, SUPPORT_RESPONSES, refusals
from store import broadcasts
from store.broadcasts import Counted
from store.tables import Broadcast, BroadcastKind, BroadcastState

router = APIRouter(
    tags=["Broadcasts"],
    prefix="/v1",
    route_class=BroadcastRoute,
    responses=SUPPORT_RESPONSES,
)

_MOST = 500  # as of enrollments

_ASKED_RESPONSES = {**refusals(404, 409), **BODY_RESPONSES}


class BroadcastOrder(BaseModel):
    """What to send to whom: exactly one of `journey`, `message` and `event`."""

    model_config = ConfigDict(extra="forbid")

    name: Name = Field(description="Of this broadcast; unique for ever.", examples=["spring-sale"])
    journey: Name | None = Field(default=None, description="Each is enrolled, as by hand.")
    message: Name | None = Field(
        default=None, description="`JOURNEY/STEP`: each gets that one message."
    )
    event: Name | None = Field(
        default=None, description="Each gets an event of this name, which routes as any does."
    )
    properties: dict[str, Any] = Field(
        default_factory=dict, description="As those of an event, the same for everybody."
    )
    audience: Annotated[Wording, Field(min_length=1)] | None = Field(
        default=None,
        description="A condition over one customer; left out, it is everybody.",
        examples=["customer.plan == 'trial' and subscribed('news')"],
    )
    at: Instant | None = Field(default=None, description="When it begins; now, if left out.")
    local_time: Annotated[str, Field(max_length=20)] | None = Field(
        default=None,
        description="Each customer's own `09:00`, or `2026-12-01 09:00`.",
        examples=["09:00"],
    )
    per_second: Annotated[float, Field(ge=SLOWEST, le=FASTEST)] | None = Field(
        default=None, description="How many are taken up a second; as fast as it goes, if left out."
    )

    def asked(self) -> Asked:
        """As it is checked."""
        return Asked(**self.model_dump())


class BroadcastReply(BaseModel):
    """A broadcast, and how far it has got. `out` counts those without it, by reason."""

    name: str
    kind: BroadcastKind
    journey: str | None
    version: str | None = Field(description="Of the journey, as it was when the broadcast began.")
    step: str | None
    event: str | None
    properties: dict[str, Any]
    audience: str | None
    start_at: datetime = Field(description="Journey time.")
    local_time: str | None
    per_second: float | None
    state: BroadcastState
    taken_up: int = Field(description="Who have it, or whose message is on its way.")
    out: dict[str, int]
    created_at: datetime
    created_by: str
    changed_at: datetime
    changed_by: str

    @classmethod
    def of(cls, row: Broadcast, **more: Any) -> Self:
        counted = Counted.of(row)
        own = {name: getattr(row, name) for name in cls.model_fields if hasattr(row, name)}
        told = {**own, "name": row.id, "taken_up": counted.inside, "out": counted.out or {}}
        return cls.model_validate(told | more)


class BroadcastDetailReply(BroadcastReply):
    """With what became of its messages, if it sends one message."""

    waiting: int = Field(description="Messages that are yet to be sent.")
    sent: int
    unknown: int = Field(description="Nobody can say whether the provider took it.")
    not_sent: dict[str, int] = Field(description="By reason.")


class BroadcastsReply(BaseModel):
    """Broadcasts, newest first."""

    broadcasts: list[BroadcastReply]


class PreviewReply(BaseModel):
    """What it would come to now. `out` counts those who would not get it, by reason."""

    customers: int = Field(description="All there are.")
    audience: int
    gets: int
    out: dict[str, int]


@router.post("/broadcasts", responses=_ASKED_RESPONSES)
async def start_broadcast(order: BroadcastOrder, services: Given, key: Supporter) -> BroadcastReply:
    """Begin a broadcast. It is durable when this is answered, and begins within a second."""
    return BroadcastReply.of(await Broadcasting(services, actor_of(key)).start(order.asked()))


@router.post("/broadcasts/preview", responses=_ASKED_RESPONSES)
async def preview_broadcast(order: BroadcastOrder, services: Given, key: Supporter) -> PreviewReply:
    """Count who would get it, and of the others how many would not and why. Writes nothing."""
    told = await preview(services, order.asked(), actor_of(key))
    return PreviewReply(
        customers=told.customers, audience=told.audience, gets=told.gets, out=dict(told.out)
    )


@router.get("/broadcasts")
async def list_broadcasts(
    services: Given, key: Supporter, limit: Annotated[int, Query(ge=1, le=_MOST)] = 100
) -> BroadcastsReply:
    """The broadcasts, newest first."""
    async with services.database.reading() as session:
        rows = await broadcasts.newest(session, limit)
    return BroadcastsReply(broadcasts=[BroadcastReply.of(row) for row in rows])


@router.get("/broadcasts/{name}", responses=refusals(404))
async def show_broadcast(name: PathText, services: Given, key: Supporter) -> BroadcastDetailReply:
    """One broadcast, and what became of its messages."""
    row = await find(services, name)
    async with services.database.reading() as session:
        waiting = await broadcasts.count_open(session, name)
        told = await broadcasts.decided(session, name)
    return BroadcastDetailReply.of(row, waiting=waiting, **asdict(told))


@router.post("/broadcasts/{name}/pause", responses=refusals(404, 409))
async def pause_broadcast(name: PathText, services: Given, key: Supporter) -> BroadcastReply:
    """Let nobody more have it, until it is resumed."""
    return BroadcastReply.of(await Broadcasting(services, actor_of(key)).pause(name))


@router.post("/broadcasts/{name}/resume", responses=refusals(404, 409))
async def resume_broadcast(name: PathText, services: Given, key: Supporter) -> BroadcastReply:
    """Let it go on where it was."""
    return BroadcastReply.of(await Broadcasting(services, actor_of(key)).resume(name))


@router.post("/broadcasts/{name}/stop", responses=refusals(404, 409))
async def stop_broadcast(name: PathText, services: Given, key: Supporter) -> BroadcastReply:
    """End it for good: who has not had it will not, and what is open is closed."""
    return BroadcastReply.of(await Broadcasting(services, actor_of(key)).stop(name))
