"""One customer's world in memory: what production keeps in the store, for the simulator.

Decides nothing: it takes in calls and gives routing and the gate the facts they ask for.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.calls import ChangeConsent, Identify, Track
from engine.definition import Journey
from engine.events import BuiltInEvent, is_reserved
from engine.gate import Customer, Evaluate, PastEvent, PastMessage, last_activity
from engine.policy import Policy
from engine.routing import Profile, zone_of


@dataclass
class World:
    """A customer as all calls so far left them."""

    customer_id: str
    policy: Policy
    evaluate: Evaluate
    traits: dict[str, Any] = field(default_factory=dict)
    context_zone: str | None = None
    tracks: list[Track] = field(default_factory=list)
    events: list[PastEvent] = field(default_factory=list)
    activity: list[PastEvent] = field(default_factory=list)  # events of the customer's own
    properties: dict[str, Mapping[str, Any]] = field(default_factory=dict)  # by event id
    messages: list[PastMessage] = field(default_factory=list)
    consents: list[ChangeConsent] = field(default_factory=list)
    is_seen: bool = False

    def merge(self, call: Identify) -> None:
        """Take in traits; one that is None is cleared."""
        for name, value in call.traits.items():
            if value is None:
                self.traits.pop(name, None)
            else:
                self.traits[name] = value
        self.context_zone = call.timezone or self.context_zone

    def remember(self, track: Track) -> None:
        """Take in an event; what Parcours itself reports is no activity of the customer."""
        event = PastEvent(name=track.event, at=track.at, properties=track.properties)
        self.tracks.append(track)
        self.events.append(event)
        if not is_reserved(track.event):
            self.activity.append(event)
        self.properties[track.message_id] = track.properties

    def created(self, first: Identify | Track | ChangeConsent) -> Track | None:
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
        )

    def agree(self, call: ChangeConsent) -> Track:
        """Take in a change of consent; the event that says so."""
        self.consents.append(call)
        given, withdrawn = BuiltInEvent.CONSENT_GIVEN, BuiltInEvent.CONSENT_WITHDRAWN
        return Track(
            customer_id=self.customer_id,
            at=call.at,
            message_id=call.message_id,
            event=given if call.subscribed else withdrawn,
            properties={"topic": call.topic, "channel": call.channel},
            kind="system",
        )

    def profile(self) -> Profile:
        """The customer as routing sees them."""
        zone, _ = zone_of(self.traits, self.context_zone, self.policy.timezone)
        last = self.activity[-1].at if self.activity else None
        return Profile(
            id=self.customer_id, traits=dict(self.traits), zone=zone, last_activity_at=last
        )

    def customer(self, journey: Journey, key: str | None) -> Customer:
        """The customer as the gate sees them."""
        last = last_activity(journey, key, self.activity, self.traits, self.evaluate)
        return Customer(
            id=self.customer_id,
            traits=self.traits,
            last_activity_at=last,
            events=tuple(self.events),
            messages=tuple(self.messages),
            subscribed=self._subscribed,
            suppressed=lambda channel, address: False,
        )

    def _subscribed(self, channel: str, topic: str) -> bool | None:
        for said in reversed(self.consents):
            if said.topic in (None, topic) and said.channel in (None, channel):
                return said.subscribed
        return None
