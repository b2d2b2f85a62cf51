"""The row of an enrollment that begins, and with it what its workflow starts with."""

from api.meanwhile import InTurn
from api.people import Person
from api.services import Services
from engine.effects import Enroll
from engine.keys import enrollment_id
from engine.machine import Machine
from engine.matching import Evaluate
from engine.orders import EnrollmentInput, Next
from engine.sampling import held_out
from store.activity import last_activity
from store.hours import best_hours
from store.opened import Opened


async def enrollment_row(
    turn: InTurn,
    services: Services,
    person: Person,
    effect: Enroll,
    holdout: float,
    evaluate: Evaluate,
) -> Opened:
    """The enrollment of a locked customer; `holdout` is the policy's share, of all journeys."""
    journey, who = effect.journey, person.row.id
    given = await _input(turn, services, person, effect, evaluate)
    return Opened(
        id=given.enrollment_id,
        customer_id=who,
        journey=journey.journey,
        version=journey.version,
        key=effect.key,
        ordinal=effect.ordinal,
        start_event_id=effect.start.event_id,
        start_at=effect.start.at,
        entered_at=effect.start.entered_at,
        start_properties=effect.properties,
        next_step=given.next.step if given.next is not None else None,
        next_at=given.next.at if given.next is not None else None,
        # For measuring; whether a step is held out is the gate's to say.
        holdout=held_out(holdout, "", who) or held_out(journey.holdout, journey.journey, who),
        broadcast_id=None,
        input=given.model_dump(mode="json", exclude={"definition"}),
    )


async def _input(
    turn: InTurn,
    services: Services,
    person: Person,
    effect: Enroll,
    evaluate: Evaluate,
) -> EnrollmentInput:
    """What the workflow starts with, the time of what comes first included."""
    journey, start = effect.journey, effect.start
    last = effect.facts.last_activity_at
    if any(step.after_idle is not None for step in journey.steps):  # else nobody asks exactly
        last = await last_activity(
            await turn.session(), person.row, person.traits, journey, effect.key, evaluate
        )
    uses_hours = journey.uses_best_hour
    hours = await best_hours(await turn.session(), person.row.id, person.tz) if uses_hours else ()
    facts = effect.facts.model_copy(update={"last_activity_at": last, "hours": hours})
    tolerances = services.tolerances
    wake = Machine(journey, start, facts, tolerances=tolerances).wakeup(start.entered_at)
    return EnrollmentInput(
        enrollment_id=enrollment_id(journey.journey, person.row.id, effect.key, effect.ordinal),
        customer_id=person.row.pseudonym,
        journey=journey.journey,
        version=journey.version,
        start=start,
        facts=facts,
        next=Next.of(wake) if wake is not None else None,
        tolerances=tolerances,
        clock=services.clock,
    )
