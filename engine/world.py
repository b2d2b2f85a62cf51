"""One customer's world in memory: what production keeps in the store, for the simulator.

Decides nothing: it takes in calls and gives routing and the gate the facts they ask for.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from engine.best_hour import NEWEST, counts, ranked, weighed
from engine.calls import (
    ChangeConsent,
    FollowLink,
    Group,
    Identify,
    Reaction,
    SegmentCall,
    Track,
)
from engine.caps import PastMessage
from engine.company import known_traits
from engine.computed import Computations, State
from engine.consent import ConsentState, Spoken, event_of, spoken, state_of
from engine.definition import Journey
from engine.effects import Profile
from engine.events import BuiltInEvent, is_reserved
from engine.gate import Customer
from engine.keys import is_anonymous
from engine.localtime import zone
from engine.matching import Evaluate, PastEvent, last_activity, past
from engine.places import Atlas, Whereabouts
from engine.policy import Policy
from engine.reached import written_e164
from engine.reactions import Got, Inbox
from engine.routing import zone_of


@dataclass
class Traits:
    """Traits with the time at which each was set or cleared: the newest time counts."""

    values: dict[str, Any] = field(default_factory=dict)
    times: dict[str, datetime] = field(default_factory=dict)

    def merge(self, traits: Mapping[str, Any], at: datetime) -> None:
        """Take in traits as of `at`; one that is None is cleared."""
        for name, value in traits.items():
            if at < self.times.get(name, at):
                continue
            self.times[name] = at
            if value is None:
                self.values.pop(name, None)
            else:
                self.values[name] = value

    def absorb(self, other: "Traits") -> None:
        """Take in those of another, each as of its own time."""
        for name, at in other.times.items():
            self.merge({name: other.values.get(name)}, at)


@dataclass
class Moment:
    """What time it is, for everybody who is played together."""

    at: datetime


@dataclass
class World:
    """A customer as all calls so far left them.

    `state` is what their events come to, `segments` those that they are known to be in, and
    `look_at` is when time alone may change these.
    """

    customer_id: str
    policy: Policy
    evaluate: Evaluate
    computed: Computations
    now: Moment
    atlas: Atlas | None = None
    state: State = field(default_factory=dict)
    segments: frozenset[str] = frozenset()
    look_at: datetime | None = None
    own: Traits = field(default_factory=Traits)
    company_id: str | None = None
    company_at: datetime | None = None
    company: Traits | None = None  # shared by all members
    context_zone: str | None = None
    context_zone_at: datetime | None = None
    tracks: list[Track] = field(default_factory=list)
    events: list[PastEvent] = field(default_factory=list)
    activity: list[PastEvent] = field(default_factory=list)  # events of the customer's own
    properties: dict[str, Mapping[str, Any]] = field(default_factory=dict)  # by event id
    messages: list[PastMessage] = field(default_factory=list)
    inbox: Inbox = field(default_factory=Inbox)
    consents: list[Spoken] = field(default_factory=list)
    is_seen: bool = False

    @property
    def traits(self) -> dict[str, Any]:
        """What the customer's traits are, now, to everybody who reads them."""
        own, company = self.own.values, self.company.values if self.company is not None else None
        if self.computed.traits:
            own = self.computed.known(own, self.state, self.now.at, self._zone)
        return known_traits(own, self.company_id, company)

    @property
    def _zone(self) -> ZoneInfo:
        found = zone(zone_of(self.own.values, self.context_zone, self.policy.timezone)[0])
        assert found is not None  # it is one that exists, as last resort the policy's
        return found

    def hear(self, call: SegmentCall) -> None:
        """Take in what any call may say beside what it is about, and an identify's traits."""
        if isinstance(call, Identify):
            self.own.merge(call.traits, call.at)
        if call.timezone is not None and call.at >= (self.context_zone_at or call.at):
            self.context_zone, self.context_zone_at = call.timezone, call.at

    def join_company(self, call: Group, company: Traits) -> bool:
        """Belong to it from now on, unless a newer call said otherwise; whether that is new."""
        if self.company_at is not None and call.at < self.company_at:
            return False
        is_new = self.company_id != call.company_id
        self.company_id, self.company_at, self.company = call.company_id, call.at, company
        return is_new

    def remember(self, track: Track) -> None:
        """Take in an event; what Parcours itself reports is no activity of the customer."""
        event = past(track)
        self.state = self.computed.fold(self.state, event, self.evaluate)
        self.tracks.append(track)
        self.events.append(event)
        if not is_reserved(track.event):
            self.activity.append(event)
        self.properties[track.message_id] = track.properties

    def absorb(self, other: "World") -> None:
        """Become one with another, who was this customer all along."""
        self.own.absorb(other.own)
        if other.company_at is not None and other.company_at >= (
            self.company_at or other.company_at
        ):
            self.company_id, self.company = other.company_id, other.company
            self.company_at = other.company_at
        if other.context_zone_at is not None and other.context_zone_at >= (
            self.context_zone_at or other.context_zone_at
        ):
            self.context_zone, self.context_zone_at = other.context_zone, other.context_zone_at
        self.tracks = sorted(self.tracks + other.tracks, key=lambda track: track.at)
        self.events = sorted(self.events + other.events, key=lambda event: event.at)
        self.activity = sorted(self.activity + other.activity, key=lambda event: event.at)
        self.consents = sorted(self.consents + other.consents, key=lambda said: said.at)
        self.properties |= other.properties
        self.messages += other.messages
        self.inbox.absorb(other.inbox)
        self.is_seen = self.is_seen or other.is_seen
        self.segments |= other.segments
        self.state = {}
        for event in self.events:
            self.state = self.computed.fold(self.state, event, self.evaluate)

    def turn(self, *, historical: bool = False) -> list[Track]:
        """The events that say which segments the customer has left and entered, as of now.

        Somebody who has not said who they are is in none.
        """
        if is_anonymous(self.customer_id) or not self.computed.segments:
            return []
        facts = self.state, self.own.values, self.now.at, self._zone, self.evaluate
        before = self.segments
        self.segments, self.look_at = self.computed.look(*facts)
        left, entered = sorted(before - self.segments), sorted(self.segments - before)
        turned = [(BuiltInEvent.SEGMENT_LEFT, name) for name in left]
        turned += [(BuiltInEvent.SEGMENT_ENTERED, name) for name in entered]
        return [
            Track(
                customer_id=self.customer_id,
                at=self.now.at,
                message_id=f"{event}:{name}:{self.customer_id}:{self.now.at.isoformat()}",
                event=event,
                properties={"segment": name},
                kind="system",
                historical=historical,
            )
            for event, name in turned
        ]

    def created(self, first: SegmentCall | ChangeConsent) -> Track | None:
        """The event `customer.created`, if this call is the first of any kind."""
        if self.is_seen:
            return None
        self.is_seen = True
        return Track(
            customer_id=self.customer_id,
            at=first.at,
            message_id=f"{BuiltInEvent.CUSTOMER_CREATED}:{first.message_id}",
            event=BuiltInEvent.CUSTOMER_CREATED,
            kind="system",
            historical=first.historical,
        )

    def agree(self, call: ChangeConsent) -> Track:
        """Take in a change of consent; the event that says so."""
        self.consents.append(spoken(call))
        return Track(
            customer_id=self.customer_id,
            at=call.at,
            message_id=call.message_id,
            event=event_of(call),
            properties={"topic": call.topic, "channel": call.channel},
            kind="system",
        )

    def react(self, reaction: Reaction) -> Track | None:
        """Take in what they did with a message; the event that says so, if one does.

        Raises CannotReact.
        """
        if not isinstance(reaction, FollowLink):
            return self.inbox.use(reaction)
        followed = self.inbox.follow(reaction, self.policy, self.consents)
        if followed is None:
            return None
        got, said = followed
        self.messages = [_clicked(each, got) for each in self.messages]
        return said

    def profile(self) -> Profile:
        """The customer as routing sees them."""
        traits = self.traits
        name, _ = zone_of(traits, self.context_zone, self.policy.timezone)
        last = self.activity[-1].at if self.activity else None
        return Profile(id=self.customer_id, traits=traits, zone=name, last_activity_at=last)

    def best_hours(self) -> tuple[int, ...]:
        """The hours of the customer's day, best first; nobody else's are known."""
        told = sorted((each for each in self.events if counts(each.name)), key=lambda each: each.at)
        newest = ((each.name, each.at) for each in told[-NEWEST:])
        return ranked(weighed(newest, self._zone), {})

    def customer(self, journey: Journey, key: str | None) -> Customer:
        """The customer as the gate sees them."""
        traits = self.traits
        last = last_activity(journey, key, self.activity, traits, self.evaluate)
        return Customer(
            id=self.customer_id,
            traits=traits,
            last_activity_at=last,
            events=tuple(self.events),
            messages=tuple(self.messages),
            said=self._said,
            suppressed=lambda channel, address: False,
            read_phone=written_e164 if self.atlas is None else self.atlas.e164,
            segments=self.segments,
            where=Whereabouts(traits, self.context_zone, self.policy.timezone, self.atlas),
        )

    def _said(self, channel: str, topic: str) -> ConsentState | None:
        return state_of(self.consents, channel, topic)


def _clicked(message: PastMessage, got: Got) -> PastMessage:
    is_it = (message.enrollment, message.step, message.at) == (got.enrollment, got.step, got.at)
    return replace(message, clicked=True) if is_it else message
