"""Ids that turn out to mean one customer: their rows become one, and so do their journeys.

Decides nothing about journeys: it has what each of the two did routed to what the other was
in, as if one person had done it all, and `engine.routing.close_twins` says which enrollment
stays. The one surprising fact: a call that names a device somebody else used before takes
the device, not what was done with it.
"""

from collections.abc import Iterable, Sequence

from api.carrying import Carrier
from api.colleagues import exchange
from api.computing import recomputed
from api.people import Person
from engine.calls import Call, SegmentCall, Track
from engine.effects import Enrolled
from engine.events import BuiltInEvent
from engine.keys import is_anonymous
from engine.routing import close_twins, route_identify
from store import joining


async def join_all(carrier: Carrier, calls: Iterable[Call]) -> None:
    """Join whoever these calls say is one, in the order in which they were said."""
    # Whose rows nobody has read are plain: joined already, if their calls say anything of it.
    joining_calls = [c for c in calls if c.formerly and c.customer_id in carrier.locked.rows]
    for call in sorted(joining_calls, key=lambda call: call.at):
        for name in call.formerly:
            await _join_named(carrier, call, name)


async def _join_named(carrier: Carrier, call: Call, name: str) -> None:
    locked = carrier.locked
    into, other = locked.owner(call.customer_id), locked.owner(name)
    if other is into:
        return
    if is_anonymous(name) and other is not locked.rows[name]:
        joining.point_to(locked.rows[name], into, call.at)
        return
    assert not is_anonymous(into.id), "only a known customer is called something else"
    person, former = carrier.people[into.id], carrier.people[other.id]
    await _join(carrier, person, former, call)  # type: ignore[arg-type]


async def _join(carrier: Carrier, person: Person, former: Person, cause: SegmentCall) -> None:
    """What was `former`'s is `person`'s, and always was."""
    was_anonymous, was_unseen = former.is_anonymous, former.is_unseen
    before, before_theirs = person.profile(), former.profile()
    mine, theirs = list(person.enrolled), list(former.enrolled)
    company_id = person.row.company_id
    my_tracks = await _tracks(carrier, person, theirs)
    their_tracks = await _tracks(carrier, former, mine, everything=was_anonymous)
    await carrier.write_enrollments()
    await joining.join(await carrier.turn.session(), former.row, person.row, cause.at)
    person.row.updated_at = carrier.services.wall()
    del carrier.people[former.row.id]
    if was_unseen:
        return
    person.is_unseen = person.is_unseen and was_anonymous
    person.enrolled += theirs
    person.company = person.company if person.row.company_id == company_id else former.company
    if person.computing is not None:
        theirs_inside = former.computing.inside if former.computing is not None else None
        person.computing = await recomputed(
            await carrier.turn.session(),
            person.computing.by,
            carrier.services.evaluate,
            person.row.id,
            (person.computing.inside or frozenset()) | (theirs_inside or frozenset()),
        )
    after = person.profile()
    await carrier.carry_out(person, cause, route_identify(cause, before, after, mine))
    await carrier.carry_out(person, cause, route_identify(cause, before_theirs, after, theirs))
    # First: what one person could not have been in is ended by nothing else.
    twins = close_twins(cause, BuiltInEvent.CUSTOMER_MERGED, person.enrolled)
    await carrier.carry_out(person, cause, twins)
    for track in their_tracks:
        among = person.enrolled if was_anonymous else mine
        await carrier.route(person, track, among=_ids(among), starts=was_anonymous)
    for track in my_tracks:
        await carrier.route(person, track, among=_ids(theirs), starts=False)
    if person.row.company_id != company_id and person.row.company_id is not None:
        if carrier.watched.company_versions:
            carrier.locked.need_members(person.row.company_id)
        await exchange(carrier, person)


def _ids(enrolled: Iterable[Enrolled]) -> frozenset[str]:
    return frozenset(each.id for each in enrolled)


async def _tracks(
    carrier: Carrier, person: Person, others: Sequence[Enrolled], *, everything: bool = False
) -> list[Track]:
    """What the person did that may matter to the other's enrollments, or to any journey."""
    names = {name for each in others for name in each.journey.event_names}
    if everything:
        names |= carrier.watched.events
    if not names or person.is_unseen:
        return []
    return [carrier.as_track(event) for event in await carrier.happened(person, names)]
