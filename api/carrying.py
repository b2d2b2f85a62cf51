"""Carrying out what routing decided: rows written, enrollments opened and closed.

Decides nothing about journeys. The surprising fact: an enrollment that begins late (its
event arrived out of order, or a person enrolled the customer by hand) is told at once what
happened since its start, because an exit that was accepted before it counts as well.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import assert_never

from api.beginning import enrollment_row
from api.conditions import NotedConditions
from api.dispositions import Dispositions
from api.meanwhile import InTurn
from api.people import Person
from api.reach import Locked
from api.services import Services
from api.writing import Writing
from engine.calls import Call, Track
from engine.definition import Journey
from engine.disposition import Deed, Did, Flag
from engine.effects import (
    BY_HAND,
    Amend,
    Convert,
    Effect,
    Enroll,
    Enrolled,
    NotEnrolled,
    Refuse,
    Supersede,
    Tell,
)
from engine.enrollment import Notice
from engine.entering import outdated, route_start
from engine.events import is_reserved
from engine.matching import PastEvent, concerns, first_match, start_names
from engine.reasons import Ending
from engine.routing import route_track
from engine.values import at_path
from engine.watching import Watched
from store import archives, customers, enrollments, events, messages
from store.enrolled import Standing
from store.hours import best_hours
from store.journeys import Published
from store.outbox import NewRow
from store.tables import Customer, Event, OutboxKind

_DID = {Ending.CONVERTED: Did.CONVERTED, Ending.EXITED: Did.EXITED}


class Carrier:
    """One request's effects, carried out within its transaction.

    `turn` has the session, which may be busy with something else.
    `people` are the locked customers, by id. `enrolled` lists the enrollments that began,
    `carried` counts what Temporal has to hear, `used` has those who used the product.
    """

    def __init__(
        self,
        turn: InTurn,
        services: Services,
        published: Published | None,
        watched: Watched,
        locked: Locked,
        people: dict[str, Person],
        received_at: datetime,
        standing: Standing | None,
    ) -> None:
        self.turn = turn
        self.services = services
        self.published = published
        self.watched = watched
        self.locked = locked
        self.people = people
        self.received_at = received_at
        self.writing = Writing(turn)
        self.enrolled: list[str] = []
        self.carried = 0
        self.used: dict[str, Customer] = {}
        self._archived = standing.archived if standing is not None else None
        self._conditions = NotedConditions(services.evaluate)
        self._dispositions = Dispositions()

    def _published(self, pinned: Journey) -> Journey | None:
        """The journey as it is published now, if it is."""
        return self.published.journeys.get(pinned.journey) if self.published is not None else None

    def _starting(self, event: str) -> Sequence[Journey]:
        return self.published.starting.get(event, ()) if self.published is not None else ()

    async def archived(self) -> frozenset[str]:
        """The journeys that enroll nobody any more, as they are once everybody is locked.

        In the transaction that holds the customers, so that nobody enters one after its
        archiving was acknowledged (`store.overlap`).
        """
        if self._archived is None:
            self._archived = await archives.names(await self.turn.session())
        return self._archived

    async def happened(
        self, person: Person, names: Collection[str], since: datetime | None = None
    ) -> list[Event]:
        """What the person did of these names from `since` on, in order."""
        return await events.happened(await self.turn.session(), person.row.id, names, since)

    def members(self, company_id: str) -> list[Person]:
        """Those of a company who are locked: all who may be concerned."""
        return [each for each in self.people.values() if each.row.company_id == company_id]

    async def route(
        self,
        person: Person,
        track: Track,
        *,
        among: Collection[str] | None = None,
        starts: bool = True,
    ) -> None:
        """Have an event routed, and carry out its effects.

        It may concern all of the person's enrollments, or those `among` the ids, and start
        what is published, or nothing.
        """
        if person.is_anonymous or track.event not in self.watched.events:
            return
        starting = self._starting(track.event) if starts else ()
        effects = route_track(
            track,
            self.received_at,
            person.profile(),
            [each for each in person.enrolled if among is None or each.id in among],
            starting,
            self._conditions,
            await self.archived() if starting else frozenset(),
        )
        await self.carry_out(person, track, effects)
        self._dispositions.failed(track.message_id, self._conditions.taken())

    async def carry_out(self, person: Person, cause: Call, effects: Iterable[Effect]) -> None:
        """Write what the effects of `cause` change, in their order."""
        for effect in effects:
            match effect:
                case Enroll():
                    await self.begin(person, cause, effect)
                case Tell(enrollment=enrollment, notice=notice):
                    await self._tell(person, enrollment, notice, cause)
                case Supersede():
                    await self._supersede(person, cause, effect)
                case Convert() | Amend():
                    await self._settle_late(person, cause, effect)
                case Refuse(journey=journey, why=why):
                    self._dispositions.refused(cause.message_id, journey, why)
                case _:
                    assert_never(effect)

    def note_used(self, person: Person, call: Call) -> None:
        """The person used the product; whoever writes it has all of them together."""
        customers.record_used(person.row, call.at)
        self.used[person.row.id] = person.row

    def flag(self, call: Call, flag: Flag) -> None:
        """Keep with the call's event what is odd about it."""
        self._dispositions.flag(call.message_id, flag)

    async def begin(self, person: Person, cause: Call, effect: Enroll) -> str:
        """Begin an enrollment; its id."""
        assert self.published is not None  # nothing enrolls before something was published
        row = await enrollment_row(
            self.turn,
            self.services,
            person,
            effect,
            self.published.policy.holdout,
            self._conditions,
        )
        self.writing.add_enrollment(row)
        self._put_out(person, OutboxKind.START, row["id"], {}, cause)
        begun = Enrolled(
            id=row["id"],
            journey=effect.journey,
            key=effect.key,
            start_at=effect.start.at,
            start_event_id=effect.start.event_id,
            ordinal=effect.ordinal,
        )
        person.enrolled.append(begun)
        self.enrolled.append(begun.id)
        self._did(cause, Did.ENTERED, begun)
        by = cause.event if isinstance(cause, Track) else BY_HAND
        older = outdated(begun, person.enrolled, cause.message_id, by)
        await self.carry_out(person, cause, older)
        await self._catch_up(person, begun)
        await self.hear_colleagues(person, begun)
        await self._hear_starts_again(person, begun)
        return begun.id

    async def write_enrollments(self) -> None:
        """Have the rows of all enrollments there, to be changed."""
        await self.writing.write_enrollments()

    async def write(self, new: Collection[str]) -> None:
        """Write what is left of all effects; `new` are the events that came with the request."""
        await self.writing.write()
        await self._dispositions.write(await self.turn.session(), new)

    def as_track(self, event: Event) -> Track:
        """An event of the store, as what was told."""
        return Track(
            customer_id=event.customer_id,
            at=event.occurred_at,
            message_id=event.message_id,
            event=event.name or "",
            properties=event.properties,
            kind=event.kind,
        )

    async def hear_colleagues(self, person: Person, enrolled: Enrolled) -> None:
        """Tell an enrollment what colleagues did since its start."""
        names, company_id = enrolled.journey.company_event_names, person.row.company_id
        if not names or company_id is None:
            return
        session = await self.turn.session()
        await session.flush()
        for event in await events.of_company(session, company_id, names, enrolled.start_at):
            if event.customer_id != person.row.id:
                track = replace(self.as_track(event), by_colleague=True)
                await self.route(person, track, among={enrolled.id}, starts=False)

    # --- One effect at a time -------------------------------------------------------------

    def _put_out(
        self,
        person: Person,
        kind: OutboxKind,
        enrollment: str,
        payload: Mapping[str, object],
        cause: Call,
    ) -> None:
        """Have Temporal hear of it."""
        self.writing.add_outbox(
            NewRow(
                customer_id=person.row.id,
                kind=kind,
                at=self.services.wall(),
                payload=payload,
                enrollment_id=enrollment,
                event_id=cause.message_id,
            )
        )
        self.carried += 1

    def _did(self, cause: Call, did: Did, enrolled: Enrolled, steps: tuple[str, ...] = ()) -> None:
        journey = enrolled.journey.journey
        deed = Deed(did=did, journey=journey, enrollment=enrolled.id, steps=steps)
        self._dispositions.did(cause.message_id, deed)

    async def _tell(self, person: Person, enrollment: str, notice: Notice, cause: Call) -> None:
        told = person.enrollment(enrollment)
        if notice.tells_facts and told.journey.uses_best_hour:
            hours = await best_hours(await self.turn.session(), person.row.id, person.tz)
            notice = notice.model_copy(update={"hours": hours})
        if told.has_workflow:
            payload = notice.model_dump(mode="json")
            self._put_out(person, OutboxKind.SIGNAL, enrollment, payload, cause)
        elif notice.ending is None:
            return  # one message of a broadcast: it has no steps to fire or to move
        if notice.ending is None:
            self._did(cause, Did.FIRED if notice.fires else Did.MOVED, told, notice.fires)
            return
        await self.writing.write_enrollment(enrollment)
        session = await self.turn.session()
        await enrollments.close(session, enrollment, notice.ending, notice.at, notice.name)
        person.close(enrollment, notice.ending, notice.at, notice.name)
        self._did(cause, _DID[notice.ending], told)
        if notice.ending is Ending.CONVERTED and isinstance(cause, Track):
            value = self._worth(person, told, cause)
            await enrollments.record_conversion(session, enrollment, notice.at, value)
        if isinstance(cause, Track) and cause.event not in start_names(told.journey):
            await self._start_again(person, told, notice.at)

    async def _supersede(self, person: Person, cause: Call, effect: Supersede) -> None:
        """Put an enrollment from the earlier start in place of that from the later one.

        Not if something came of the later one already, nor if the customer had left again
        between the two.
        """
        later = person.enrollment(effect.tell.enrollment)
        journey = later.journey
        await self.writing.write_enrollment(later.id)
        in_use = bool(await messages.of_enrollment(await self.turn.session(), later.id))
        left = journey.reenter == "after_exit" and await self._left_between(
            person, journey, effect.enroll, later.start_at
        )
        if in_use or left:
            self._dispositions.refused(
                cause.message_id, journey.journey, NotEnrolled.ALREADY_ENROLLED
            )
            return
        await self.carry_out(person, cause, [effect.tell])
        await self.begin(person, cause, effect.enroll)

    async def _left_between(
        self, person: Person, journey: Journey, begun: Enroll, later: datetime
    ) -> bool:
        exits = (*journey.ends_on, *journey.goal)
        names = {match.event for match in exits}
        for event in await self.happened(person, names, begun.start.at):
            past = PastEvent(
                name=event.name or "", at=event.occurred_at, properties=event.properties
            )
            if (
                begun.start.at < past.at <= later
                and event.message_id not in person.waiting
                and concerns(journey, begun.key, past)
                and first_match(exits, past, person.traits, self._conditions) is not None
            ):
                return True
        return False

    async def _start_again(self, person: Person, ended: Enrolled, at: datetime) -> None:
        """A start that came too early to be heard, while the exit before it was not known yet."""
        journey = self._published(ended.journey)
        if journey is None or journey.reenter != "after_exit":
            return
        for event in await self.happened(person, start_names(journey), at):
            effects = await self._started(person, journey, event)
            if any(isinstance(effect, Enroll) and effect.key == ended.key for effect in effects):
                await self.carry_out(person, self.as_track(event), effects)
                return

    async def _hear_starts_again(self, person: Person, begun: Enrolled) -> None:
        """Later starts that were not the newest, or nothing new, before this one was known."""
        journey = self._published(begun.journey)
        if journey is None or not journey.newest_only:
            return
        if not _may_follow(person, begun, start_names(journey)):
            return
        since = begun.start_at
        for event in await self.happened(person, start_names(journey), since):
            effects = await self._started(person, journey, event)
            if event.occurred_at > since and not any(isinstance(e, Refuse) for e in effects):
                await self.carry_out(person, self.as_track(event), effects)

    async def _started(self, person: Person, journey: Journey, event: Event) -> list[Effect]:
        """What a start that was told before does now; nothing if its turn is yet to come."""
        if event.message_id in person.waiting:
            return []
        return route_start(
            journey,
            self.as_track(event),
            event.received_at,
            person.profile(),
            person.enrolled,
            self._conditions,
            archived=await self.archived(),
        )

    async def _settle_late(self, person: Person, cause: Call, effect: Convert | Amend) -> None:
        """What an ended enrollment came to, known only now."""
        enrolled = person.enrollment(effect.enrollment)
        value = enrollments.read_money(effect.value)
        await self.writing.write_enrollment(enrolled.id)
        session = await self.turn.session()
        if isinstance(effect, Convert):
            await enrollments.record_conversion(session, effect.enrollment, effect.at, value)
            self._did(cause, Did.CONVERTED, enrolled)
            return
        await enrollments.amend(
            session, effect.enrollment, effect.ending, effect.at, effect.by, value
        )
        person.close(effect.enrollment, effect.ending, effect.at, effect.by)
        self._did(cause, _DID[effect.ending], enrolled)
        await self._start_again(person, enrolled, effect.at)

    async def _catch_up(self, person: Person, begun: Enrolled) -> None:
        names = begun.journey.event_names
        if not _may_follow(person, begun, names):
            return
        for event in await self.happened(person, names, begun.start_at):
            if event.message_id == begun.start_event_id or event.message_id in person.waiting:
                continue
            await self.route(person, self.as_track(event), among={begun.id}, starts=False)

    def _worth(self, person: Person, told: Enrolled, cause: Track) -> object:
        """What a conversion is worth, as received: the property that the goal it met names."""
        event = PastEvent(name=cause.event, at=cause.at, properties=cause.properties)
        goal = first_match(told.journey.goal, event, person.traits, self._conditions)
        if goal is None or not goal.value:
            return None
        return at_path(cause.properties, goal.value)


def _may_follow(person: Person, begun: Enrolled, names: Collection[str]) -> bool:
    """Whether such events may have come after its start: mostly not, and that is known for free."""
    seen_at = person.row.last_seen_at
    return (seen_at is not None and seen_at > begun.start_at) or any(map(is_reserved, names))
