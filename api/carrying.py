"""Carrying out what routing decided: rows written, enrollments opened and closed.

Decides nothing about journeys. The surprising fact: an enrollment that begins late (its
event arrived out of order, or a person enrolled the customer by hand) is told at once what
happened since its start, because an exit that was accepted before it counts as well.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, assert_never

from sqlalchemy.ext.asyncio import AsyncSession

from api.conditions import NotedConditions
from api.people import Person
from api.services import Services
from api.writing import Writing
from engine.calls import Call, Track
from engine.enrollment import Notice
from engine.events import is_reserved
from engine.gate import PastEvent, matches
from engine.keys import enrollment_id
from engine.machine import Machine
from engine.orders import EnrollmentInput, Next
from engine.reasons import Ending
from engine.routing import Convert, Effect, Enroll, Enrolled, Refuse, Tell, route_track
from engine.sampling import held_out
from engine.values import at_path
from store import enrollments, events
from store.activity import last_activity
from store.journeys import Published
from store.tables import Enrollment, OutboxKind, OutboxRow


class Carrier:
    """One request's effects, carried out within its transaction.

    `enrolled` lists the enrollments that began, `carried` counts what Temporal has to hear.
    """

    def __init__(
        self,
        session: AsyncSession,
        services: Services,
        published: Published | None,
        conditions: NotedConditions,
        received_at: datetime,
    ) -> None:
        self.session = session
        self.services = services
        self.published = published
        self.received_at = received_at
        self.writing = Writing(session)
        self.enrolled: list[str] = []
        self.carried = 0
        self._conditions = conditions
        self._refused: dict[str, str] = {}

    async def route(self, person: Person, track: Track) -> None:
        """Have an event routed, and carry out its effects."""
        journeys = self.published.journeys.values() if self.published is not None else ()
        effects = route_track(
            track, self.received_at, person.profile(), person.enrolled, journeys, self._conditions
        )
        await self.carry_out(person, track, effects)

    async def carry_out(self, person: Person, cause: Call, effects: Iterable[Effect]) -> None:
        """Write what the effects of `cause` change, in their order."""
        for effect in effects:
            match effect:
                case Enroll():
                    await self.begin(person, effect)
                case Tell(enrollment=enrollment, notice=notice):
                    await self._tell(person, enrollment, notice, cause)
                case Convert():
                    await enrollments.record_conversion(
                        self.session, effect.enrollment, effect.at, effect.value
                    )
                case Refuse(journey=journey, why=why):
                    self._refused[journey] = why
                case _:
                    assert_never(effect)

    async def note(self, call: Call, flags: Mapping[str, Any]) -> None:
        """Keep what is worth asking about the call's routing as its event's disposition."""
        disposition = dict(flags)
        if self._refused:
            disposition["refused"] = self._refused
        if failed := self._conditions.taken():
            disposition["where_failed"] = failed
        self._refused = {}
        if disposition:
            await events.set_disposition(self.session, call.message_id, disposition)

    async def begin(self, person: Person, effect: Enroll) -> str:
        """Begin an enrollment; its id."""
        journey = effect.journey
        given = await self._input(person, effect)
        row = Enrollment(
            id=given.enrollment_id,
            customer_id=person.row.id,
            journey=journey.journey,
            version=journey.version,
            key=effect.key,
            ordinal=effect.ordinal,
            start_event_id=effect.start.event_id,
            start_at=effect.start.at,
            entered_at=effect.start.entered_at,
            start_properties=dict(effect.properties),
            next_step=given.next.step if given.next is not None else None,
            next_at=given.next.at if given.next is not None else None,
            holdout=self._is_held_out(person, effect),
            input=given.model_dump(mode="json"),
        )
        self.writing.add_enrollment(row)
        self._put_out(person, OutboxKind.START, row.id, {})
        begun = Enrolled(
            id=row.id,
            journey=journey,
            key=effect.key,
            start_at=row.start_at,
            start_event_id=row.start_event_id,
            ordinal=row.ordinal,
        )
        person.enrolled.append(begun)
        self.enrolled.append(row.id)
        await self._catch_up(person, begun)
        return row.id

    def _put_out(
        self, person: Person, kind: OutboxKind, enrollment: str, payload: dict[str, Any]
    ) -> None:
        """Have Temporal hear of it."""
        now = self.services.wall()
        self.writing.add_outbox(
            OutboxRow(
                customer_id=person.row.id,
                kind=kind,
                payload=payload,
                created_at=now,
                not_before_at=now,
                enrollment_id=enrollment,
            )
        )
        self.carried += 1

    async def _input(self, person: Person, effect: Enroll) -> EnrollmentInput:
        """What the workflow starts with, the time of what comes first included."""
        journey, start = effect.journey, effect.start
        last = await last_activity(self.session, person.row, journey, effect.key, self._conditions)
        facts = effect.facts.model_copy(update={"last_activity_at": last})
        tolerances = self.services.tolerances
        wake = Machine(journey, start, facts, tolerances=tolerances).wakeup(start.entered_at)
        return EnrollmentInput(
            enrollment_id=enrollment_id(journey.journey, person.row.id, effect.key, effect.ordinal),
            customer_id=person.row.pseudonym,
            journey=journey.journey,
            version=journey.version,
            definition=json.loads(journey.pinned()),
            start=start,
            facts=facts,
            next=Next(step=wake.step, at=wake.at) if wake is not None else None,
            tolerances=tolerances,
            clock=self.services.clock,
        )

    def _is_held_out(self, person: Person, effect: Enroll) -> bool:
        """For measuring; whether a step is held out is the gate's to say."""
        assert self.published is not None  # nothing enrolls before something was published
        journey, who = effect.journey, person.row.id
        return held_out(self.published.policy.holdout, "", who) or held_out(
            journey.holdout, journey.journey, who
        )

    async def _catch_up(self, person: Person, begun: Enrolled) -> None:
        journey = begun.journey
        names = {match.event for match in (*journey.goal, *journey.ends_on)}
        names |= {m.event for step in journey.steps for m in step.after_event or ()}
        seen_at = person.row.last_seen_at
        if (seen_at is None or seen_at <= begun.start_at) and not any(map(is_reserved, names)):
            return  # nothing of the customer's own came after it: the usual case, for free
        for event in await events.happened(self.session, person.row.id, names, begun.start_at):
            if event.message_id == begun.start_event_id or event.message_id in person.waiting:
                continue
            track = Track(
                customer_id=event.customer_id,
                at=event.occurred_at,
                message_id=event.message_id,
                event=event.name or "",
                properties=event.properties,
                kind=event.kind,
            )
            enrolled = person.enrollment(begun.id)
            effects = route_track(
                track, self.received_at, person.profile(), [enrolled], (), self._conditions
            )
            await self.carry_out(person, track, effects)

    async def _tell(self, person: Person, enrollment: str, notice: Notice, cause: Call) -> None:
        self._put_out(person, OutboxKind.SIGNAL, enrollment, notice.model_dump(mode="json"))
        if notice.ending is None:
            return
        told = person.enrollment(enrollment)
        await self.writing.write_enrollments()
        await enrollments.close(self.session, enrollment, notice.ending, notice.at, notice.name)
        person.close(enrollment, notice.ending, notice.at)
        if notice.ending is Ending.CONVERTED and isinstance(cause, Track):
            value = self._worth(person, told, cause)
            await enrollments.record_conversion(self.session, enrollment, notice.at, value)

    def _worth(self, person: Person, told: Enrolled, cause: Track) -> object:
        """What a conversion is worth, as received: the property that the goal it met names."""
        event = PastEvent(name=cause.event, at=cause.at, properties=cause.properties)
        for goal in told.journey.goal:
            if matches(goal, event, person.row.traits, self._conditions):
                return at_path(cause.properties, goal.value) if goal.value else None
        return None
