"""Enrollments: lists of them, one of them, and what a person may do to it."""

from typing import Annotated, Any
from uuid import uuid4

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from api.accept import accept_in
from api.auth import actor_of
from api.errors import BadRequestError, NotFoundError
from api.fields import Instant, MessageId, Name, Offset, PathText, QueryText
from api.given import Given, Supporter, SupportRoute
from api.looking import enrollment_detail
from api.replies import EnrollmentDetailReply, EnrollmentReply, EnrollmentsReply
from api.schemas import BODY_RESPONSES, SUPPORT_RESPONSES, refusals
from api.steering import Steering
from engine.calls import EnrollByHand
from store import audit, customers, enrollments
from store.enrollments import Filter
from store.tables import AuditEntry, Enrollment, EnrollmentState

router = APIRouter(
    tags=["Enrollments"],
    prefix="/v1",
    route_class=SupportRoute,
    responses=SUPPORT_RESPONSES,
)

_ORDER_RESPONSES = refusals(404, 409)

# More than anybody reads at once, little enough to answer in a moment.
_MOST = 500


class EnrollOrder(BaseModel):
    """Whom to enroll, and since when."""

    model_config = ConfigDict(extra="forbid")

    customer_id: Name
    start_at: Instant | None = Field(
        default=None, description="When the journey began for them; now, if left out."
    )
    properties: dict[str, Any] = Field(
        default_factory=dict, description="As those of the event that usually enrolls."
    )
    message_id: MessageId | None = Field(default=None, description="Makes a repeat harmless.")


class StepOrder(BaseModel):
    """Which step is meant."""

    model_config = ConfigDict(extra="forbid")

    step: Name


@router.get("/enrollments")
async def list_enrollments(
    services: Given,
    key: Supporter,
    journey: QueryText | None = None,
    state: EnrollmentState | None = None,
    customer: QueryText | None = None,
    paused: bool | None = None,
    limit: Annotated[int, Query(ge=1, le=_MOST)] = 100,
    offset: Offset = 0,
) -> EnrollmentsReply:
    """Enrollments, newest first."""
    which = Filter(journey=journey, state=state, customer_id=customer, paused=paused)
    async with services.database.reading() as session:
        rows = await enrollments.found(session, which, limit, offset)
    return EnrollmentsReply(enrollments=[_reply(row) for row in rows])


@router.get("/enrollments/{enrollment_id}", responses=refusals(404))
async def enrollment(
    enrollment_id: PathText, services: Given, key: Supporter
) -> EnrollmentDetailReply:
    """One enrollment with every decision."""
    return await enrollment_detail(services, enrollment_id)


@router.post("/journeys/{name}/enroll", responses={**_ORDER_RESPONSES, **BODY_RESPONSES})
async def enroll(
    name: PathText, order: EnrollOrder, services: Given, key: Supporter
) -> EnrollmentReply:
    """Put a customer into a journey by hand, also as if it had begun earlier.

    Steps whose time lies further back than their grace are not sent; an exit since the
    start counts.
    """
    now = services.now()
    start_at = order.start_at or now
    if start_at > now:
        raise BadRequestError(
            f"`start_at` is later than now ({now:%Y-%m-%dT%H:%M:%SZ})", code="start_in_future"
        )
    call = EnrollByHand(
        customer_id=order.customer_id,
        at=now,
        message_id=order.message_id or f"by-hand-{uuid4()}",
        journey=name,
        start_at=start_at,
        properties=order.properties,
    )
    async with services.database.transaction() as session:
        known = await customers.get(session, order.customer_id)
        if known is None or known.erased_at is not None:
            raise NotFoundError(
                f"there is no customer `{order.customer_id}`: send an `identify` for them first",
                code="no_such_customer",
            )
        accepted = await accept_in(session, services, [call], now)
        for enrollment_id in accepted.enrolled:
            entry = AuditEntry(
                at=services.wall(),
                actor=actor_of(key),
                action="enroll",
                enrollment_id=enrollment_id,
                customer_id=order.customer_id,
                details={"start_at": start_at.isoformat()},
            )
            await audit.record(session, entry)
        mine = await enrollments.of_customer(session, order.customer_id)
    services.woken.set()
    # Repeated, the call has enrolled nobody; then this is the enrollment of the first time.
    return _reply(next(row for row in mine if row.start_event_id == call.message_id))


@router.post("/enrollments/{enrollment_id}/cancel", responses=_ORDER_RESPONSES)
async def cancel(enrollment_id: PathText, services: Given, key: Supporter) -> EnrollmentReply:
    """End it for good: nothing more is sent."""
    return _woken(services, await Steering(services, actor_of(key)).cancel(enrollment_id))


@router.post("/enrollments/{enrollment_id}/pause", responses=_ORDER_RESPONSES)
async def pause(enrollment_id: PathText, services: Given, key: Supporter) -> EnrollmentReply:
    """Hold every step; exits and the journey's end still act."""
    return _woken(services, await Steering(services, actor_of(key)).pause(enrollment_id))


@router.post("/enrollments/{enrollment_id}/resume", responses=_ORDER_RESPONSES)
async def resume(enrollment_id: PathText, services: Given, key: Supporter) -> EnrollmentReply:
    """Go on: what came due meanwhile goes out now, unless its grace is over."""
    return _woken(services, await Steering(services, actor_of(key)).resume(enrollment_id))


@router.post("/enrollments/{enrollment_id}/skip", responses={**_ORDER_RESPONSES, **BODY_RESPONSES})
async def skip(
    enrollment_id: PathText, order: StepOrder, services: Given, key: Supporter
) -> EnrollmentReply:
    """Don't send a step's next occurrence."""
    steering = Steering(services, actor_of(key))
    return _woken(services, await steering.skip(enrollment_id, order.step))


@router.post(
    "/enrollments/{enrollment_id}/send-now", responses={**_ORDER_RESPONSES, **BODY_RESPONSES}
)
async def send_now(
    enrollment_id: PathText, order: StepOrder, services: Given, key: Supporter
) -> EnrollmentReply:
    """Send a step now, before its time; consent, conditions and caps still hold."""
    steering = Steering(services, actor_of(key))
    return _woken(services, await steering.send_now(enrollment_id, order.step))


def _woken(services: Given, row: Enrollment) -> EnrollmentReply:
    """The answer, and the dispatcher told that there may be something to carry."""
    services.woken.set()
    return _reply(row)


def _reply(row: Enrollment) -> EnrollmentReply:
    return EnrollmentReply.model_validate(row)
