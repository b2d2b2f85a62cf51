"""Plays customers who have to do with one another, against a clock that is only a number.

Routing, machine and gate are those of production; the world around them is in memory, and
a delivery always succeeds. What each customer knows is `engine.world`'s. The one surprising
fact: two ids may come to mean one customer while the play goes on, so who somebody is must
be asked at every call.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, assert_never

from engine.calls import (
    Alias,
    Call,
    ChangeConsent,
    EnrollByHand,
    Group,
    Identify,
    SegmentCall,
    Track,
)
from engine.definition import Journey
from engine.effects import (
    Amend,
    Convert,
    Effect,
    Enroll,
    Enrolled,
    Profile,
    Refuse,
    Supersede,
    Tell,
)
from engine.enrollment import Answer, Delivery, NotBefore, Notice, Settled, Settlement
from engine.entering import enroll, next_ordinal
from engine.events import BuiltInEvent
from engine.gate import (
    ConditionFailed,
    Customer,
    Evaluate,
    Go,
    Occasion,
    PastMessage,
    decide,
    key_of,
    last_activity,
)
from engine.keys import enrollment_id, is_anonymous, message_key
from engine.lines import LifeLine, Line, StepLine
from engine.machine import Machine
from engine.policy import Policy
from engine.reasons import Decision, Ending, Reason
from engine.routing import close_twins, route_identify, route_track
from engine.world import Traits, World

# Tries to word the message; raises ConditionFailed where the real one could not be rendered.
Word = Callable[[Occasion, Customer, Go], None]


@dataclass(frozen=True)
class Stage:
    """What is the same for all customers: journeys, policy, message channels, conditions."""

    journeys: Mapping[str, Journey]
    policy: Policy
    channels: Mapping[str, Mapping[str, tuple[str, ...]]]  # journey → message folder → channels
    evaluate: Evaluate
    word: Word | None = None


@dataclass
class _Running:
    """An enrollment being played: what routing knows of it, and its machine."""

    enrolled: Enrolled
    machine: Machine
    properties: Mapping[str, Any]
    told: int = 0  # settlements already turned into lines
    wake_at: datetime | None = None


@dataclass
class _Person:
    """A customer, and their enrollments in the order in which they began."""

    world: World
    running: list[_Running] = field(default_factory=list)

    def enrolled(self) -> list[Enrolled]:
        return [each.enrolled for each in self.running]


class Player:
    """Plays one cluster of customers. `lines` grow in decision order."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.lines: list[Line] = []
        self._people: dict[str, _Person] = {}
        self._companies: dict[str, Traits] = {}

    def play(self, calls: Sequence[Call], until: datetime) -> list[Line]:
        """At one instant all calls come before all steps."""
        waiting = deque(call for call in calls if call.at <= until)
        now = waiting[0].at if waiting else until
        while True:
            wakes = (each.wake_at for _, each in self._running() if each.wake_at is not None)
            wake_at = min(wakes, default=None)
            # What was due before it was known is due now.
            wake_at = max(wake_at, now) if wake_at is not None else None
            if waiting and (wake_at is None or waiting[0].at <= wake_at):
                now = waiting[0].at
                self._call(waiting.popleft())
            elif wake_at is not None and wake_at <= until:
                now = wake_at
                self._run_due(now)
            else:
                return self._as_they_are_called_now()

    def _running(self) -> list[tuple[_Person, _Running]]:
        return [(person, each) for person in self._everybody() for each in person.running]

    def _as_they_are_called_now(self) -> list[Line]:
        """Each line under the customer it belongs to now that everybody is known."""
        called = {name: person.world.customer_id for name, person in self._people.items()}
        return [replace(line, customer=called[line.customer]) for line in self.lines]

    def _run_due(self, now: datetime) -> None:
        for person, each in self._running():
            if each.wake_at is None or each.wake_at > now:
                continue
            while (delivery := each.machine.take(now)) is not None:
                self._note(person, each)
                outcome = self._deliver(person, each, delivery)
                each.machine.apply(
                    Answer(step=delivery.step, occurrence=delivery.occurrence, outcome=outcome)
                )
            self._look_at(person, each)

    # --- Deliver, without a provider ------------------------------------------------------

    def _deliver(self, person: _Person, each: _Running, delivery: Delivery) -> Settled | NotBefore:
        journey, world = each.enrolled.journey, person.world
        step = journey.step(delivery.step)
        occasion = Occasion(
            journey=journey,
            step=step,
            enrollment=each.enrolled.id,
            start_at=each.enrolled.start_at,
            key=each.enrolled.key,
            event=world.properties.get(delivery.event_id or "", each.properties),
            delivery=delivery,
            channels=self.stage.channels.get(journey.journey, {}),
            start_event=each.properties,
        )
        customer = world.customer(journey, each.enrolled.key)
        try:
            verdict = decide(occasion, customer, self.stage.policy, self.stage.evaluate)
            if isinstance(verdict, Go) and step.messages and self.stage.word is not None:
                self.stage.word(occasion, customer, verdict)
        except ConditionFailed:
            return Settled(decision=Decision.NOT_SENT, reason=Reason.TEMPLATE_ERROR)
        if not isinstance(verdict, Go):
            return verdict
        sent = PastMessage(
            enrollment=each.enrolled.id,
            step=delivery.step,
            at=delivery.at,
            channel=verdict.channel,
            topic=verdict.topic,
        )
        world.messages.append(sent)
        if step.set is not None:
            event_id = message_key(each.enrolled.id, delivery.step, delivery.occurrence)
            self._change(
                person,
                Identify(
                    customer_id=world.customer_id,
                    at=delivery.at,
                    message_id=event_id,
                    traits=step.set,
                ),
            )
        return Settled(decision=Decision.SENT, channel=verdict.channel, message=verdict.message)

    # --- Calls ----------------------------------------------------------------------------

    def _call(self, call: Call) -> None:
        person = self._person(call.customer_id)
        match call:
            case ChangeConsent():
                said = person.world.agree(call)
                self._greet(person, call)
                self._happen(person, said)
            case EnrollByHand():
                self._enroll_by_hand(person, call)
            case _:
                for other in call.formerly:
                    self._join(person, self._person(other), call)
                self._segment_call(person, call)

    def _segment_call(self, person: _Person, call: SegmentCall) -> None:
        self._change(person, call)
        self._greet(person, call)
        match call:
            case Track():
                self._happen(person, call)
            case Group():
                self._join_company(person, call)
            case Identify() | Alias():
                pass
            case _:
                assert_never(call)

    def _person(self, name: str) -> _Person:
        if name not in self._people:
            world = World(name, self.stage.policy, self.stage.evaluate)
            self._people[name] = _Person(world)
        return self._people[name]

    def _greet(self, person: _Person, call: SegmentCall | ChangeConsent) -> None:
        if is_anonymous(person.world.customer_id):
            return
        if created := person.world.created(call):
            self._happen(person, created)

    def _change(self, person: _Person, call: SegmentCall) -> None:
        """Traits, zone: what open enrollments may count from."""
        before = person.world.profile()
        person.world.hear(call)
        self._moved(person, before, call)

    def _moved(self, person: _Person, before: Profile, cause: SegmentCall) -> None:
        effects = route_identify(cause, before, person.world.profile(), person.enrolled())
        self._carry_out(person, effects)

    def _happen(self, person: _Person, track: Track) -> None:
        person.world.remember(track)
        self._route(person, track, track.at, self.stage.journeys.values())
        for colleague in self._colleagues(person):
            self._route(colleague, replace(track, by_colleague=True), track.at)

    def _route(
        self,
        person: _Person,
        track: Track,
        received_at: datetime,
        published: Iterable[Journey] = (),
        enrolled: Sequence[Enrolled] | None = None,
    ) -> None:
        if is_anonymous(person.world.customer_id):
            return
        known = person.enrolled() if enrolled is None else enrolled
        profile = person.world.profile()
        effects = route_track(track, received_at, profile, known, published, self.stage.evaluate)
        self._carry_out(person, effects)

    def _colleagues(self, person: _Person) -> list[_Person]:
        company = person.world.company_id
        return [
            each
            for each in self._everybody()
            if company is not None and each is not person and each.world.company_id == company
        ]

    def _join_company(self, person: _Person, call: Group) -> None:
        company = self._companies.setdefault(call.company_id, Traits())
        members = [each for each in self._everybody() if each.world.company is company]
        before = [(each, each.world.profile()) for each in members if each is not person]
        before.append((person, person.world.profile()))
        company.merge(call.traits, call.at)
        is_new = person.world.join_company(call, company)
        for each, profile in before:
            self._moved(each, profile, call)
        if is_new:
            self._exchange(person, call.at)

    def _everybody(self) -> list[_Person]:
        """Each person once, whatever they are called, in the order in which they came up."""
        return list({id(person): person for person in self._people.values()}.values())

    def _exchange(self, newcomer: _Person, at: datetime) -> None:
        """What newcomer and colleagues did before counts for one another from now on."""
        for colleague in self._colleagues(newcomer):
            for track in colleague.world.tracks:
                self._route(newcomer, replace(track, by_colleague=True), at)
            for track in newcomer.world.tracks:
                self._route(colleague, replace(track, by_colleague=True), at)

    def _join(self, person: _Person, other: _Person, cause: SegmentCall) -> None:
        """The two are one customer, and always were."""
        if person is other:
            return
        was_anonymous = is_anonymous(other.world.customer_id)
        mine, theirs = person.enrolled(), other.enrolled()
        my_tracks, their_tracks = list(person.world.tracks), list(other.world.tracks)
        before, before_theirs = person.world.profile(), other.world.profile()
        person.world.absorb(other.world)
        person.running += other.running
        for name, each in list(self._people.items()):
            if each is other:
                self._people[name] = person
        after = person.world.profile()
        self._carry_out(person, route_identify(cause, before, after, mine))
        self._carry_out(person, route_identify(cause, before_theirs, after, theirs))
        journeys = self.stage.journeys.values() if was_anonymous else ()
        for track in their_tracks:
            self._route(person, track, cause.at, journeys, None if was_anonymous else mine)
        for track in my_tracks:
            self._route(person, track, cause.at, (), theirs)
        twins = close_twins(cause, BuiltInEvent.CUSTOMER_MERGED, person.enrolled())
        self._carry_out(person, twins)

    def _enroll_by_hand(self, person: _Person, call: EnrollByHand) -> None:
        journey = self.stage.journeys[call.journey]
        key = key_of(journey, call.properties)
        mine = [
            e for e in person.enrolled() if e.journey.journey == journey.journey and e.key == key
        ]
        if (mine and (journey.reenter == "never" or any(e.ending is None for e in mine))) or (
            journey.key is not None and key is None
        ):
            return
        profile = person.world.profile()
        effect = enroll(
            journey,
            key,
            next_ordinal(mine, profile),
            call.message_id,
            call.properties,
            call.start_at,
            call.at,
            profile,
        )
        self._begin(person, effect)
        begun = person.running[-1]
        for track in person.world.tracks:  # what happened since it began
            if track.at >= begun.enrolled.start_at:
                self._route(person, track, track.at, (), [begun.enrolled])

    # --- Effects --------------------------------------------------------------------------

    def _carry_out(self, person: _Person, effects: Iterable[Effect]) -> None:
        for effect in effects:
            match effect:
                case Enroll():
                    self._begin(person, effect)
                case Tell(enrollment=enrollment, notice=notice):
                    self._tell(person, enrollment, notice)
                case Supersede() | Refuse() | Convert() | Amend():
                    pass  # they have no line; and here nothing arrives late
                case _:
                    assert_never(effect)

    def _begin(self, person: _Person, effect: Enroll) -> None:
        journey, world = effect.journey, person.world
        evaluate = self.stage.evaluate
        last = last_activity(journey, effect.key, world.activity, world.traits, evaluate)
        facts = effect.facts.model_copy(update={"last_activity_at": last})
        enrolled = Enrolled(
            id=enrollment_id(journey.journey, world.customer_id, effect.key, effect.ordinal),
            journey=journey,
            key=effect.key,
            start_at=effect.start.at,
            start_event_id=effect.start.event_id,
            ordinal=effect.ordinal,
        )
        self.lines.append(_life(person, enrolled, effect.start.entered_at, None))
        machine = Machine(journey, effect.start, facts)
        person.running.append(_Running(enrolled, machine, effect.properties))
        self._look_at(person, person.running[-1])

    def _tell(self, person: _Person, enrollment: str, notice: Notice) -> None:
        for each in person.running:
            if each.enrolled.id == enrollment:
                each.machine.apply(notice)
                self._look_at(person, each)

    def _look_at(self, person: _Person, each: _Running) -> None:
        """After something happened to it: note what it decided, and when to wake it."""
        self._note(person, each)
        wake = each.machine.wakeup(each.machine.state.changed_at)
        each.wake_at = wake.at if wake is not None else None

    def _note(self, person: _Person, each: _Running) -> None:
        """Turn what the machine decided since last time into lines."""
        machine = each.machine
        settled = machine.state.settled
        for settlement in settled[each.told :]:
            self.lines.append(_step_line(person, each.enrolled, settlement))
        each.told = len(settled)
        if machine.ended is not None and each.enrolled.ending is None:
            ended = machine.ended
            each.enrolled = replace(
                each.enrolled, ending=ended.ending, ended_at=ended.at, ended_by=ended.by
            )
            self.lines.append(_life(person, each.enrolled, ended.at, ended.ending, ended.by))


def _step_line(person: _Person, enrolled: Enrolled, settlement: Settlement) -> StepLine:
    return StepLine(
        at=settlement.at,
        customer=person.world.customer_id,
        journey=enrolled.journey.journey,
        key=enrolled.key,
        step=settlement.step,
        decision=settlement.decision,
        channel=settlement.channel,
        message=settlement.message,
        reason=settlement.reason,
    )


def _life(
    person: _Person,
    enrolled: Enrolled,
    at: datetime,
    ending: Ending | None,
    event: str | None = None,
) -> LifeLine:
    return LifeLine(
        at=at,
        customer=person.world.customer_id,
        journey=enrolled.journey.journey,
        key=enrolled.key,
        ending=ending,
        event=event,
    )
