"""What would this customer get? The whole engine played against a clock that is only a number.

Routing, machine and gate are those of production; what is simulated is the world around
them: a customer's traits, events and consents in memory, and a delivery that always
succeeds. Customers don't know of each other, so each is played alone.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import chain
from typing import Any

from engine.calls import Call, ChangeConsent, EnrollByHand, Identify, Track
from engine.definition import Journey
from engine.enrollment import Answer, Delivery, Notice, Settled, Settlement
from engine.gate import (
    ConditionFailed,
    Customer,
    Evaluate,
    Go,
    Occasion,
    PastEvent,
    PastMessage,
    decide,
    last_activity,
)
from engine.keys import enrollment_id
from engine.machine import Machine
from engine.policy import Policy
from engine.reasons import Decision, Ending, Reason
from engine.routing import (
    Enroll,
    Enrolled,
    Profile,
    Tell,
    enroll,
    route_identify,
    route_track,
    zone_of,
)

DEFAULT_SPAN = timedelta(days=400)  # past the last event: a year's journey, and then some


@dataclass(frozen=True, kw_only=True)
class StepLine:
    """A decision about a step, at the engine's time."""

    at: datetime
    customer: str
    journey: str
    key: str | None
    step: str
    decision: Decision
    channel: str | None
    message: str | None
    reason: Reason | None


@dataclass(frozen=True, kw_only=True)
class LifeLine:
    """An enrollment began (`ending` None) or ended; `event` names the cause of an exit."""

    at: datetime
    customer: str
    journey: str
    key: str | None
    ending: Ending | None
    event: str | None = None


Line = StepLine | LifeLine

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


def simulate(stage: Stage, calls: Iterable[Call], until: datetime | None = None) -> list[Line]:
    """Every decision and every enrollment's life up to `until` (inclusive), in time order.

    Calls are sorted by time, ties in the order given. `until` defaults to the last call
    and 400 days.
    """
    ordered = sorted(calls, key=lambda call: call.at)
    if not ordered:
        return []
    if until is None:
        until = ordered[-1].at + DEFAULT_SPAN
    by_customer: dict[str, list[Call]] = {}
    for call in ordered:
        by_customer.setdefault(call.customer_id, []).append(call)
    played = (_Player(stage, who).play(mine, until) for who, mine in by_customer.items())
    return sorted(chain.from_iterable(played), key=lambda line: line.at)


@dataclass
class _Running:
    """An enrollment being played: what routing knows of it, and its machine."""

    enrolled: Enrolled
    machine: Machine
    properties: Mapping[str, Any]
    told: int = 0  # settlements already turned into lines


@dataclass
class _Player:
    """One customer's world."""

    stage: Stage
    customer_id: str
    traits: dict[str, Any] = field(default_factory=dict)
    context_zone: str | None = None
    events: list[PastEvent] = field(default_factory=list)
    properties: dict[str, Mapping[str, Any]] = field(default_factory=dict)  # by event id
    messages: list[PastMessage] = field(default_factory=list)
    consents: list[ChangeConsent] = field(default_factory=list)
    running: list[_Running] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)

    def play(self, calls: Sequence[Call], until: datetime) -> list[Line]:
        """At one instant all calls come before all steps."""
        waiting = [call for call in calls if call.at <= until]
        place = 0
        while True:
            wake_at = self._next_wake()
            call_at = waiting[place].at if place < len(waiting) else None
            if call_at is not None and (wake_at is None or call_at <= wake_at):
                self._call(waiting[place])
                place += 1
            elif wake_at is not None and wake_at <= until:
                self._run_due(wake_at)
            else:
                return self.lines

    def _next_wake(self) -> datetime | None:
        wakes = [
            wake.at
            for each in self.running
            if each.machine.ended is None
            and (wake := each.machine.wakeup(each.machine.state.changed_at)) is not None
        ]
        return min(wakes, default=None)

    def _run_due(self, now: datetime) -> None:
        for each in self.running:
            while (delivery := each.machine.take(now)) is not None:
                self._tell_settled(each)
                outcome = self._deliver(each, delivery)
                each.machine.apply(
                    Answer(step=delivery.step, occurrence=delivery.occurrence, outcome=outcome)
                )
                self._tell_settled(each)
            self._tell_settled(each)

    # --- Deliver, without a provider ------------------------------------------------------

    def _deliver(self, each: _Running, delivery: Delivery) -> Any:
        journey = each.enrolled.journey
        occasion = Occasion(
            journey=journey,
            step=journey.step(delivery.step),
            enrollment=each.enrolled.id,
            start_at=each.enrolled.start_at,
            key=each.enrolled.key,
            event=self.properties.get(delivery.event_id or "", each.properties),
            delivery=delivery,
            channels=self.stage.channels.get(journey.journey, {}),
        )
        customer = self._customer(journey, each.enrolled.key)
        try:
            verdict = decide(occasion, customer, self.stage.policy, self.stage.evaluate)
            if isinstance(verdict, Go) and self.stage.word is not None:
                self.stage.word(occasion, customer, verdict)
        except ConditionFailed:
            return Settled(decision=Decision.NOT_SENT, reason=Reason.TEMPLATE_ERROR)
        if not isinstance(verdict, Go):
            return verdict
        self.messages.append(
            PastMessage(
                enrollment=each.enrolled.id,
                step=delivery.step,
                at=delivery.at,
                channel=verdict.channel,
                topic=verdict.topic,
            )
        )
        return Settled(decision=Decision.SENT, channel=verdict.channel, message=verdict.message)

    def _customer(self, journey: Journey, key: str | None) -> Customer:
        return Customer(
            id=self.customer_id,
            traits=self.traits,
            last_activity_at=last_activity(
                journey, key, self.events, self.traits, self.stage.evaluate
            ),
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

    # --- Calls ----------------------------------------------------------------------------

    def _call(self, call: Call) -> None:
        match call:
            case Identify():
                self._identify(call)
            case Track():
                self._track(call)
            case ChangeConsent():
                self.consents.append(call)
            case EnrollByHand():
                self._enroll_by_hand(call)

    def _identify(self, call: Identify) -> None:
        before = self._profile()
        for name, value in call.traits.items():
            if value is None:
                self.traits.pop(name, None)
            else:
                self.traits[name] = value
        self.context_zone = call.timezone or self.context_zone
        effects = route_identify(call, before, self._profile(), self._enrolled())
        self._carry_out(effects)

    def _track(self, call: Track) -> None:
        before = self._profile()
        self.context_zone = call.timezone or self.context_zone
        self.events.append(PastEvent(name=call.event, at=call.at, properties=call.properties))
        self.properties[call.message_id] = call.properties
        after = self._profile()
        if before.zone != after.zone:
            moved = Identify(
                customer_id=call.customer_id, at=call.at, message_id=call.message_id, traits={}
            )
            self._carry_out(route_identify(moved, before, after, self._enrolled()))
        published = self.stage.journeys.values()
        self._carry_out(
            route_track(call, call.at, after, self._enrolled(), published, self.stage.evaluate)
        )

    def _enroll_by_hand(self, call: EnrollByHand) -> None:
        journey = self.stage.journeys[call.journey]
        mine = [e for e in self._enrolled() if e.journey.journey == journey.journey]
        if mine and (journey.reenter == "never" or any(e.ending is None for e in mine)):
            return
        effect = enroll(
            journey,
            None,
            len(mine) + 1,
            call.message_id,
            call.properties,
            call.start_at,
            call.at,
            self._profile(),
        )
        self._carry_out([effect])

    def _profile(self) -> Profile:
        zone, _ = zone_of(self.traits, self.context_zone, self.stage.policy.timezone)
        last = self.events[-1].at if self.events else None
        return Profile(
            id=self.customer_id, traits=dict(self.traits), zone=zone, last_activity_at=last
        )

    def _enrolled(self) -> list[Enrolled]:
        return [each.enrolled for each in self.running]

    def _carry_out(self, effects: Iterable[object]) -> None:
        for effect in effects:
            match effect:
                case Enroll():
                    self._begin(effect)
                case Tell(enrollment=enrollment, notice=notice):
                    self._tell(enrollment, notice)
                case _:
                    pass  # refusals and late conversions have no line

    def _begin(self, effect: Enroll) -> None:
        journey = effect.journey
        last = last_activity(journey, effect.key, self.events, self.traits, self.stage.evaluate)
        facts = effect.facts.model_copy(update={"last_activity_at": last})
        enrolled = Enrolled(
            id=enrollment_id(journey.journey, self.customer_id, effect.key, effect.ordinal),
            journey=journey,
            key=effect.key,
            start_at=effect.start.at,
            start_event_id=effect.start.event_id,
            ordinal=effect.ordinal,
        )
        self.lines.append(self._life(enrolled, effect.start.entered_at, None))
        machine = Machine(journey, effect.start, facts)
        self.running.append(_Running(enrolled, machine, effect.properties))
        self._tell_settled(self.running[-1])

    def _tell(self, enrollment: str, notice: Notice) -> None:
        for each in self.running:
            if each.enrolled.id == enrollment:
                each.machine.apply(notice)
                self._tell_settled(each)

    def _tell_settled(self, each: _Running) -> None:
        """Turn what the machine decided since last time into lines."""
        settled = each.machine.state.settled
        for settlement in settled[each.told :]:
            self.lines.append(self._step_line(each.enrolled, settlement))
        each.told = len(settled)
        ended = each.machine.ended
        if ended is not None and each.enrolled.ending is None:
            each.enrolled = _closed(each.enrolled, ended.ending, ended.at)
            self.lines.append(self._life(each.enrolled, ended.at, ended.ending, ended.by))

    def _step_line(self, enrolled: Enrolled, settlement: Settlement) -> StepLine:
        return StepLine(
            at=settlement.at,
            customer=self.customer_id,
            journey=enrolled.journey.journey,
            key=enrolled.key,
            step=settlement.step,
            decision=settlement.decision,
            channel=settlement.channel,
            message=settlement.message,
            reason=settlement.reason,
        )

    def _life(
        self, enrolled: Enrolled, at: datetime, ending: Ending | None, event: str | None = None
    ) -> LifeLine:
        return LifeLine(
            at=at,
            customer=self.customer_id,
            journey=enrolled.journey.journey,
            key=enrolled.key,
            ending=ending,
            event=event,
        )


def _closed(enrolled: Enrolled, ending: Ending, at: datetime) -> Enrolled:
    return replace(enrolled, ending=ending, ended_at=at)
