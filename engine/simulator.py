"""What would this customer get? The whole engine played against a clock that is only a number.

Routing, machine and gate are those of production; what is simulated is the world around
them: a customer's traits, events and consents in memory, and a delivery that always
succeeds. Customers don't know of each other, so each is played alone.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import chain
from typing import Any, assert_never

from engine.calls import Call, ChangeConsent, EnrollByHand, Identify, Track
from engine.definition import Journey
from engine.enrollment import Answer, Delivery, NotBefore, Notice, Settled, Settlement
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
from engine.keys import enrollment_id, message_key
from engine.machine import Machine
from engine.policy import Policy
from engine.reasons import Decision, Ending, Reason
from engine.routing import (
    Convert,
    Effect,
    Enroll,
    Enrolled,
    Refuse,
    Tell,
    enroll,
    route_identify,
    route_track,
)
from engine.world import World

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
    wake_at: datetime | None = None


class _Player:
    """Plays one customer's calls."""

    def __init__(self, stage: Stage, customer_id: str) -> None:
        self.stage = stage
        self.customer_id = customer_id
        self.world = World(customer_id, stage.policy, stage.evaluate)
        self.running: list[_Running] = []
        self.lines: list[Line] = []

    def play(self, calls: Sequence[Call], until: datetime) -> list[Line]:
        """At one instant all calls come before all steps."""
        waiting = deque(call for call in calls if call.at <= until)
        now = waiting[0].at if waiting else until
        while True:
            wakes = (each.wake_at for each in self.running if each.wake_at is not None)
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
                return self.lines

    def _run_due(self, now: datetime) -> None:
        for each in self.running:
            if each.wake_at is None or each.wake_at > now:
                continue
            while (delivery := each.machine.take(now)) is not None:
                self._note(each)
                outcome = self._deliver(each, delivery)
                each.machine.apply(
                    Answer(step=delivery.step, occurrence=delivery.occurrence, outcome=outcome)
                )
            self._look_at(each)

    # --- Deliver, without a provider ------------------------------------------------------

    def _deliver(self, each: _Running, delivery: Delivery) -> Settled | NotBefore:
        journey = each.enrolled.journey
        step = journey.step(delivery.step)
        occasion = Occasion(
            journey=journey,
            step=step,
            enrollment=each.enrolled.id,
            start_at=each.enrolled.start_at,
            key=each.enrolled.key,
            event=self.world.properties.get(delivery.event_id or "", each.properties),
            delivery=delivery,
            channels=self.stage.channels.get(journey.journey, {}),
            start_event=each.properties,
        )
        customer = self.world.customer(journey, each.enrolled.key)
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
        self.world.messages.append(sent)
        if step.set is not None:
            event_id = message_key(each.enrolled.id, delivery.step, delivery.occurrence)
            self._identify(
                Identify(
                    customer_id=self.customer_id,
                    at=delivery.at,
                    message_id=event_id,
                    traits=step.set,
                )
            )
        return Settled(decision=Decision.SENT, channel=verdict.channel, message=verdict.message)

    # --- Calls ----------------------------------------------------------------------------

    def _call(self, call: Call) -> None:
        match call:
            case Identify():
                self._identify(call)
                self._greet(call)
            case Track():
                self._track(call)
            case ChangeConsent():
                said = self.world.agree(call)
                self._greet(call)
                self._happen(said)
            case EnrollByHand():
                self._enroll_by_hand(call)
            case _:
                assert_never(call)

    def _greet(self, call: Identify | Track | ChangeConsent) -> None:
        if created := self.world.created(call):
            self._happen(created)

    def _identify(self, call: Identify) -> None:
        before = self.world.profile()
        self.world.merge(call)
        self._carry_out(route_identify(call, before, self.world.profile(), self._enrolled()))

    def _track(self, call: Track) -> None:
        if call.timezone is not None:
            self._identify(
                Identify(
                    customer_id=call.customer_id,
                    at=call.at,
                    message_id=call.message_id,
                    traits={},
                    timezone=call.timezone,
                )
            )
        self._greet(call)
        self._happen(call)

    def _happen(self, track: Track) -> None:
        self.world.remember(track)
        published = self.stage.journeys.values()
        profile, evaluate = self.world.profile(), self.stage.evaluate
        self._carry_out(
            route_track(track, track.at, profile, self._enrolled(), published, evaluate)
        )

    def _enroll_by_hand(self, call: EnrollByHand) -> None:
        journey = self.stage.journeys[call.journey]
        key = key_of(journey, call.properties)
        mine = [
            e for e in self._enrolled() if e.journey.journey == journey.journey and e.key == key
        ]
        if (mine and (journey.reenter == "never" or any(e.ending is None for e in mine))) or (
            journey.key is not None and key is None
        ):
            return
        effect = enroll(
            journey,
            key,
            len(mine) + 1,
            call.message_id,
            call.properties,
            call.start_at,
            call.at,
            self.world.profile(),
        )
        self._begin(effect)
        self._catch_up(self.running[-1])

    def _catch_up(self, begun: _Running) -> None:
        """Tell an enrollment that begins late what happened since its start."""
        for track in self.world.tracks:
            if track.at >= begun.enrolled.start_at:
                known = (track, track.at, self.world.profile(), [begun.enrolled], ())
                self._carry_out(route_track(*known, self.stage.evaluate))

    def _enrolled(self) -> list[Enrolled]:
        return [each.enrolled for each in self.running]

    def _carry_out(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            match effect:
                case Enroll():
                    self._begin(effect)
                case Tell(enrollment=enrollment, notice=notice):
                    self._tell(enrollment, notice)
                case Refuse() | Convert():
                    pass  # they have no line
                case _:
                    assert_never(effect)

    def _begin(self, effect: Enroll) -> None:
        journey = effect.journey
        world = self.world
        last = last_activity(journey, effect.key, world.activity, world.traits, self.stage.evaluate)
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
        self._look_at(self.running[-1])

    def _tell(self, enrollment: str, notice: Notice) -> None:
        for each in self.running:
            if each.enrolled.id == enrollment:
                each.machine.apply(notice)
                self._look_at(each)

    def _look_at(self, each: _Running) -> None:
        """After something happened to it: note what it decided, and when to wake it."""
        self._note(each)
        wake = each.machine.wakeup(each.machine.state.changed_at)
        each.wake_at = wake.at if wake is not None else None

    def _note(self, each: _Running) -> None:
        """Turn what the machine decided since last time into lines."""
        machine = each.machine
        settled = machine.state.settled
        for settlement in settled[each.told :]:
            self.lines.append(self._step_line(each.enrolled, settlement))
        each.told = len(settled)
        if machine.ended is not None and each.enrolled.ending is None:
            ended = machine.ended
            each.enrolled = replace(each.enrolled, ending=ended.ending, ended_at=ended.at)
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
