"""What went out to a customer, and what else is due to them: what caps and conditions ask.

Decides how far back to read, and whether to read at all; the answers are the gate's. The
surprising fact: what is due in other enrollments is read only where it could take the room
that a cap has left, so for most messages it is not.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, time, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from engine import caps, gate
from engine.caps import PastMessage, Upcoming
from engine.definition import Journey, Step
from engine.localtime import OutOfRange, local, zone
from engine.orders import Next
from engine.policy import Cap, Policy
from rendering.conditions import compile_condition
from store import journeys
from store import upcoming as due
from store.deliveries import Rows
from store.standing import Past

# By which channels the messages of a step can go.
ChannelsOf = Callable[[Journey, Step], Mapping[str, tuple[str, ...]]]

# Caps look back by the customer's calendar, and a month back is not always the month forward:
# a few days more are read, and the gate counts exactly.
_MARGIN = timedelta(days=4)


def past_asked(occasion: gate.Occasion, rows: Rows, policy: Policy) -> Past | None:
    """Which messages to read: as far back as caps or the step's condition look; None if none."""
    when = occasion.step.when
    asks = when is not None and bool(compile_condition(when).step_ids)
    capped_by = _concerned(occasion, policy)
    if not asks and not capped_by:
        return None
    return Past(
        since=_looks_back_to(occasion, capped_by, whole_enrollment=asks),
        besides=rows.message.key if rows.message is not None else None,
        clicks=asks,
    )


async def upcoming(
    session: AsyncSession,
    occasion: gate.Occasion,
    rows: Rows,
    policy: Policy,
    sent: Sequence[PastMessage],
    following: Next | None,
    channels_of: ChannelsOf,
) -> tuple[Upcoming, ...]:
    """What else is due to the customer today, where a cap may not have room for all.

    `following` is what comes next in this enrollment, as its workflow says.
    """
    mine = _wanted(occasion)
    tz = zone(occasion.delivery.zone)
    if mine is None or tz is None or not policy.caps:
        return ()
    own = _in_this_enrollment(occasion, rows, following, channels_of)
    rivals = rows.others + len(own)
    if not rivals or not caps.is_near(policy.caps, mine, tz, sent, rivals):
        return ()
    tomorrow = mine.at.astimezone(tz).date() + timedelta(days=1)
    midnight = local(tomorrow, time(), tz)
    found: list[Upcoming | None] = [*own]
    if rows.others:
        for each in await due.due_to(session, rows.customer.id, occasion.enrollment, midnight):
            journey = await journeys.version(session, each.journey, each.version)
            if journey.has_step(each.step):
                found.append(
                    _upcoming(journey, each.step, each.enrollment, each.at, rows, channels_of)
                )
    return tuple(each for each in found if each is not None)


def _wanted(occasion: gate.Occasion) -> Upcoming | None:
    """What this step wants of caps, by whatever channel it may go."""
    journey, step, topic = occasion.journey, occasion.step, occasion.journey.topic_of(occasion.step)
    if topic is None or not step.messages:
        return None
    by = caps.channels_of(step, occasion.channels)
    at, weight = occasion.delivery.at, journey.priority_of(step)
    return Upcoming(occasion.enrollment, step.id, at, weight, topic, by)


def _in_this_enrollment(
    occasion: gate.Occasion, rows: Rows, following: Next | None, channels_of: ChannelsOf
) -> list[Upcoming]:
    """Its own next step, unless that is timed by this one."""
    journey = occasion.journey
    if following is None or following.step is None or not journey.has_step(following.step):
        return []
    if following.step in rows.enrollment.skipped_steps:
        return []
    if caps.waits_for(journey, journey.step(following.step), occasion.step):
        return []
    one = _upcoming(journey, following.step, occasion.enrollment, following.at, rows, channels_of)
    return [one] if one is not None else []


def _upcoming(
    journey: Journey,
    step_id: str,
    enrollment: str,
    at: datetime,
    rows: Rows,
    channels_of: ChannelsOf,
) -> Upcoming | None:
    step = journey.step(step_id)
    by = caps.channels_of(step, channels_of(journey, step))
    return caps.upcoming(journey, step, enrollment, at, by, rows.customer.id)


def _concerned(occasion: gate.Occasion, policy: Policy) -> list[Cap]:
    """The caps that may hold this step back."""
    mine = _wanted(occasion)
    if mine is None:
        return []
    return [cap for cap in policy.caps if caps.may_concern(cap, mine.topic, mine.channels)]


def _looks_back_to(
    occasion: gate.Occasion, capped_by: Sequence[Cap], *, whole_enrollment: bool
) -> datetime | None:
    """Nothing before this is asked about; None where that can't be told."""
    at, tz = occasion.delivery.at, zone(occasion.delivery.zone)
    assert tz is not None  # the machine computes in zones that exist
    try:
        since = caps.counts_since(capped_by, at, tz)
    except OutOfRange:
        return None
    return (min(since, occasion.start_at) if whole_enrollment else since) - _MARGIN
