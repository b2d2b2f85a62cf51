"""What is asked for as a broadcast, checked against what is published, as its row.

Decides what can be broadcast at all. Whoever gets it is the pages' to find. The surprising
fact: all that is wrong is said before anything is written, for a broadcast can't be taken
back once its first page is done.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from api.errors import BadRequestError, JourneyArchivedError, NoKeyError, NotFoundError
from engine.broadcasts import LocalTime, check_name
from engine.definition import Journey
from engine.events import is_reserved
from engine.matching import key_of
from engine.policy import Policy
from rendering.conditions import Kind, compile_condition
from rendering.errors import ConditionSyntaxError
from store.journeys import Published
from store.json_text import keepable
from store.tables import Broadcast, BroadcastKind, BroadcastState

# One in three months is the slowest that anybody means, and faster than this nobody sends.
SLOWEST, FASTEST = 1e-7, 10_000.0


@dataclass(frozen=True)
class Asked:
    """What a person asks for: exactly one of `journey`, `message` (`JOURNEY/STEP`), `event`.

    `audience` None is everybody. `at` (journey time) is when it begins, None at once.
    """

    name: str
    journey: str | None = None
    message: str | None = None
    event: str | None = None
    properties: Mapping[str, Any] = field(default_factory=dict)
    audience: str | None = None
    at: datetime | None = None
    local_time: str | None = None
    per_second: float | None = None


def row_of(
    asked: Asked,
    published: Published | None,
    archived: frozenset[str],
    now: datetime,
    wall: datetime,
    actor: str,
) -> Broadcast:
    """The row of a broadcast that can be. Raises BadRequestError, NotFoundError, ConflictError."""
    try:
        check_name(asked.name)
    except ValueError as error:
        raise BadRequestError(str(error), code="invalid_name") from None
    if published is None:
        raise NotFoundError("nothing is published: `parcours publish` first", code="no_publication")
    kind = _kind(asked)
    journey, step = _what(asked, published, archived)
    local_time = _local_time(asked.local_time)
    _check_audience(asked.audience, published.policy)
    _check_rate(asked.per_second)
    first = local_time.first_instant if local_time is not None else None
    return Broadcast(
        id=asked.name,
        kind=kind,
        journey=journey.journey if journey is not None else None,
        version=journey.version if journey is not None else None,
        step=step,
        event=asked.event,
        properties=dict(keepable(asked.properties)),
        audience=asked.audience,
        start_at=max(asked.at or now, first or now, now),
        local_time=str(local_time) if local_time is not None else None,
        per_second=asked.per_second,
        state=BroadcastState.RUNNING,
        created_at=wall,
        created_by=actor,
        changed_at=wall,
        changed_by=actor,
    )


def _check_audience(audience: str | None, policy: Policy) -> None:
    """Raises BadRequestError, which quotes it."""
    if audience is None:
        return
    try:
        condition = compile_condition(audience, Kind.AUDIENCE)
    except ConditionSyntaxError as error:
        raise BadRequestError(str(error), code="invalid_audience") from None
    _check_known(audience, "topic", condition.topics, policy.topics)
    _check_known(audience, "segment", condition.segments, policy.segments)


def _check_known(
    audience: str, what: str, named: frozenset[str], known: Mapping[str, object]
) -> None:
    """A slip of the pen must not look like an audience of nobody."""
    for each in sorted(named - known.keys()):
        there = ", ".join(f"`{name}`" for name in known) or "none"
        raise BadRequestError(
            f"`{audience}`: there is no {what} `{each}`; there is {there}", code="invalid_audience"
        )


def _kind(asked: Asked) -> BroadcastKind:
    given = {
        BroadcastKind.JOURNEY: asked.journey,
        BroadcastKind.MESSAGE: asked.message,
        BroadcastKind.EVENT: asked.event,
    }
    kinds = [kind for kind, what in given.items() if what is not None]
    if len(kinds) != 1:
        raise BadRequestError(
            "a broadcast has exactly one of `journey`, `message` (`JOURNEY/STEP`) and `event`",
            code="invalid_request",
        )
    return kinds[0]


def _what(
    asked: Asked, published: Published, archived: frozenset[str]
) -> tuple[Journey | None, str | None]:
    """The journey and the step that are sent, if any is."""
    if asked.event is not None:
        if is_reserved(asked.event):
            raise BadRequestError(
                f"`{asked.event}`: names with a dot are Parcours' own events", code="reserved_name"
            )
        return None, None
    if asked.journey is not None:
        journey = _journey(asked.journey, published, archived)
        if journey.key is not None and key_of(journey, asked.properties) is None:
            raise NoKeyError(
                f"`{journey.journey}` tells enrollments apart by `{journey.key}`: give it among "
                "the properties"
            )
        return journey, None
    assert asked.message is not None  # `_kind` saw to it
    name, slash, step = asked.message.partition("/")
    if not slash:
        raise BadRequestError(
            f"`{asked.message}` names no step: write `JOURNEY/STEP`", code="invalid_request"
        )
    journey = _journey(name, published, archived)
    if not journey.has_step(step):
        known = ", ".join(f"`{each.id}`" for each in journey.steps)
        raise NotFoundError(f"`{name}` has no step `{step}`; it has {known}", code="no_such_step")
    if not journey.step(step).messages:
        raise BadRequestError(
            f"step `{step}` of `{name}` sends no message: a call, or traits that are set, can't "
            "be broadcast",
            code="no_message",
        )
    return journey, step


def _journey(name: str, published: Published, archived: frozenset[str]) -> Journey:
    journey = published.journeys.get(name)
    if journey is None:
        known = ", ".join(f"`{each}`" for each in published.journeys) or "none"
        raise NotFoundError(
            f"there is no journey `{name}`; published: {known}", code="no_such_journey"
        )
    if name in archived:
        raise JourneyArchivedError(name)
    return journey


def _local_time(told: str | None) -> LocalTime | None:
    try:
        return LocalTime.parse(told) if told is not None else None
    except (ValueError, OverflowError) as error:
        raise BadRequestError(str(error), code="invalid_request") from None


def _check_rate(per_second: float | None) -> None:
    if per_second is not None and not SLOWEST <= per_second <= FASTEST:
        raise BadRequestError(
            f"a rate of {per_second:g} a second: it is at least {SLOWEST:g} and at most "
            f"{FASTEST:,.0f}",
            code="invalid_request",
        )
