"""Plays customers who have to do with one another, against a clock that is only a number.

Decides which call reaches whom, as ingestion does in production; what comes of it is the
person's own (`engine.person`). The one surprising fact: two ids may come to mean one
customer while the play goes on, so who somebody is must be asked at every call.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import assert_never

from engine.calls import (
    Alias,
    Call,
    ChangeConsent,
    EnrollByHand,
    FollowLink,
    Group,
    Identify,
    Played,
    Reaction,
    SegmentCall,
    TimePassed,
    Track,
    UseCoupon,
)
from engine.consent import understood
from engine.effects import BY_HAND, Enrolled
from engine.entering import enroll, has_newer, may_enter_by_hand, next_ordinal
from engine.events import BuiltInEvent
from engine.fields import TRANSITIONS
from engine.keys import is_anonymous
from engine.lines import Line
from engine.matching import key_of
from engine.person import Person, Stage
from engine.routing import close_twins, route_identify
from engine.world import Moment, Traits, World


class Player:
    """Plays one cluster of customers. `lines` grow in decision order."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.lines: list[Line] = []
        self._people: dict[str, Person] = {}
        self._companies: dict[str, Traits] = {}
        self._now = Moment(datetime.max.replace(tzinfo=UTC))  # until the first call

    def play(self, calls: Sequence[Played], until: datetime) -> list[Line]:
        """At one instant all calls come before all steps. Raises CannotReact."""
        waiting = deque(call for call in calls if call.at <= until)
        now = waiting[0].at if waiting else until
        while True:
            wake_at = min(self._wakes(), default=None)
            # What was due before it was known is due now.
            wake_at = max(wake_at, now) if wake_at is not None else None
            if waiting and (wake_at is None or waiting[0].at <= wake_at):
                now = self._now.at = waiting[0].at
                self._call(waiting.popleft())
            elif wake_at is not None and wake_at <= until:
                now = self._now.at = wake_at
                self._wake(now)
            else:
                return self._as_they_are_called_now()

    def _wakes(self) -> Iterator[datetime]:
        for person in self._everybody():
            times = (person.world.look_at, *(each.wake_at for each in person.running))
            yield from (at for at in times if at is not None)

    def _wake(self, now: datetime) -> None:
        """What time alone brings: first who is in which segment, then what is due."""
        for person in self._everybody():
            if person.world.look_at is not None and person.world.look_at <= now:
                self._turn(person)
        for person in self._everybody():
            if person.run_due(now):
                self._turn(person)  # a step may have set a trait

    def _as_they_are_called_now(self) -> list[Line]:
        """Each line under the customer it belongs to now that everybody is known."""
        called = {name: person.world.customer_id for name, person in self._people.items()}
        return [replace(line, customer=called[line.customer]) for line in self.lines]

    # --- Calls ----------------------------------------------------------------------------

    def _call(self, call: Played) -> None:
        person = self._person(call.customer_id)
        match call:
            case ChangeConsent():
                for each in understood(call, self.stage.policy.topics, person.world.consents):
                    said = person.world.agree(each)
                    self._greet(person, each)
                    self._happen(person, said)
                self._turn(person, call)
            case EnrollByHand():
                self._enroll_by_hand(person, call)
            case TimePassed():
                pass  # here time passes without being told
            case FollowLink() | UseCoupon():
                self._react(person, call)
            case _:
                for other in call.formerly:
                    self._join(person, self._person(other), call)
                self._segment_call(person, call)
                self._turn(person, call)

    def _react(self, person: Person, reaction: Reaction) -> None:
        said = person.world.react(reaction)
        if said is not None:
            self._happen(person, said)
            self._turn(person)

    def _segment_call(self, person: Person, call: SegmentCall) -> None:
        person.change(call)
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

    def _person(self, name: str) -> Person:
        if name not in self._people:
            stage = self.stage
            world = World(
                name, stage.policy, stage.evaluate, stage.computed, self._now, stage.atlas
            )
            self._people[name] = Person(stage, world, self.lines)
        return self._people[name]

    def _greet(self, person: Person, call: SegmentCall | ChangeConsent) -> None:
        if is_anonymous(person.world.customer_id):
            return
        if created := person.world.created(call):
            self._happen(person, created)

    def _happen(self, person: Person, track: Track) -> None:
        person.remember(track)
        person.hear(track, track.at, self.stage.journeys.values())
        for colleague in self._colleagues(person):
            colleague.hear(replace(track, by_colleague=True), track.at)

    def _turn(self, person: Person, cause: Call | None = None) -> None:
        """Which segments they left and entered; what history brings about is history."""
        for track in person.world.turn(historical=cause is not None and cause.historical):
            self._happen(person, track)

    def _colleagues(self, person: Person) -> list[Person]:
        company = person.world.company_id
        return [
            each
            for each in self._everybody()
            if company is not None and each is not person and each.world.company_id == company
        ]

    def _join_company(self, person: Person, call: Group) -> None:
        company = self._companies.setdefault(call.company_id, Traits())
        members = [each for each in self._everybody() if each.world.company is company]
        before = [(each, each.world.profile()) for each in members if each is not person]
        before.append((person, person.world.profile()))
        company.merge(call.traits, call.at)
        is_new = person.world.join_company(call, company)
        for each, profile in before:
            each.moved(profile, call)
        if is_new:
            self._exchange(person, call.at)

    def _everybody(self) -> list[Person]:
        """Each person once, whatever they are called, in the order in which they came up."""
        return list(dict.fromkeys(self._people.values()))

    def _exchange(self, newcomer: Person, at: datetime) -> None:
        """What newcomer and colleagues did before counts for one another from now on."""
        for colleague in self._colleagues(newcomer):
            for track in colleague.world.tracks:
                newcomer.hear(replace(track, by_colleague=True), at)
            for track in newcomer.world.tracks:
                colleague.hear(replace(track, by_colleague=True), at)

    def _join(self, person: Person, other: Person, cause: SegmentCall) -> None:
        """The two are one customer, and always were."""
        if person is other:
            return
        was_anonymous = is_anonymous(other.world.customer_id)
        mine, theirs = person.enrolled(), other.enrolled()
        my_tracks, their_tracks = _done(person), _done(other)
        before, before_theirs = person.world.profile(), other.world.profile()
        person.world.absorb(other.world)
        person.running += other.running
        for name, each in list(self._people.items()):
            if each is other:
                self._people[name] = person
        after = person.world.profile()
        person.carry_out(route_identify(cause, before, after, mine))
        person.carry_out(route_identify(cause, before_theirs, after, theirs))
        person.carry_out(close_twins(cause, BuiltInEvent.CUSTOMER_MERGED, person.enrolled()))
        journeys = self.stage.journeys.values() if was_anonymous else ()
        for track in their_tracks:
            person.hear(track, cause.at, journeys, None if was_anonymous else _ids(mine))
        for track in my_tracks:
            person.hear(track, cause.at, (), _ids(theirs))

    def _enroll_by_hand(self, person: Person, call: EnrollByHand) -> None:
        journey = self.stage.journeys[call.journey]
        key = key_of(journey, call.properties)
        mine = [
            e for e in person.enrolled() if e.journey.journey == journey.journey and e.key == key
        ]
        if any(each.start_event_id == call.message_id for each in person.enrolled()):
            return
        if not may_enter_by_hand(journey, mine) or (journey.key is not None and key is None):
            return
        if has_newer(journey, key, call.start_at, person.enrolled()):
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
        person.begin(effect, BY_HAND)


def _done(person: Person) -> list[Track]:
    """What they did; which segments the two are in by it is found anew when they are one."""
    turns = tuple(TRANSITIONS.values())
    return [track for track in person.world.tracks if track.event not in turns]


def _ids(enrolled: Iterable[Enrolled]) -> frozenset[str]:
    return frozenset(each.id for each in enrolled)
