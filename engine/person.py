"""A customer being played: their world, their enrollments, and the deliveries of these.

Machine and gate are those of production; a delivery always succeeds. Which calls reach
whom is `engine.player`'s to say.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, assert_never

from engine.calls import Identify, SegmentCall
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
from engine.gate import (
    ConditionFailed,
    Customer,
    Evaluate,
    Go,
    Occasion,
    PastMessage,
    decide,
    last_activity,
)
from engine.keys import enrollment_id, message_key
from engine.lines import LifeLine, Line, StepLine
from engine.machine import Machine
from engine.policy import Policy
from engine.reasons import Decision, Ending, Reason
from engine.routing import route_identify
from engine.world import World

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
class Running:
    """An enrollment being played: what routing knows of it, and its machine."""

    enrolled: Enrolled
    machine: Machine
    properties: Mapping[str, Any]
    told: int = 0  # settlements already turned into lines
    wake_at: datetime | None = None


@dataclass(eq=False)
class Person:
    """A customer, and their enrollments in the order in which they began.

    `lines` are those of everybody who is played together, and grow in decision order.
    """

    stage: Stage
    world: World
    lines: list[Line]
    running: list[Running] = field(default_factory=list)

    def enrolled(self) -> list[Enrolled]:
        """The enrollments as routing sees them."""
        return [each.enrolled for each in self.running]

    def run_due(self, now: datetime) -> None:
        """Take up what is due, each when the one before is done."""
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

    def change(self, call: SegmentCall) -> None:
        """Traits, zone: what open enrollments may count from."""
        before = self.world.profile()
        self.world.hear(call)
        self.moved(before, call)

    def moved(self, before: Profile, cause: SegmentCall) -> None:
        """Tell open enrollments what is not as it was before."""
        self.carry_out(route_identify(cause, before, self.world.profile(), self.enrolled()))

    def carry_out(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            match effect:
                case Enroll():
                    self.begin(effect)
                case Tell(enrollment=enrollment, notice=notice):
                    self._tell(enrollment, notice)
                case Supersede() | Refuse() | Convert() | Amend():
                    pass  # they have no line; and here nothing arrives late
                case _:
                    assert_never(effect)

    def begin(self, effect: Enroll) -> None:
        journey, world = effect.journey, self.world
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
        self.lines.append(_life(self.world.customer_id, enrolled, effect.start.entered_at, None))
        machine = Machine(journey, effect.start, facts)
        self.running.append(Running(enrolled, machine, effect.properties))
        self._look_at(self.running[-1])

    def _tell(self, enrollment: str, notice: Notice) -> None:
        for each in self.running:
            if each.enrolled.id == enrollment:
                each.machine.apply(notice)
                self._look_at(each)

    def _look_at(self, each: Running) -> None:
        """After something happened to it: note what it decided, and when to wake it."""
        self._note(each)
        wake = each.machine.wakeup(each.machine.state.changed_at)
        each.wake_at = wake.at if wake is not None else None

    def _note(self, each: Running) -> None:
        """Turn what the machine decided since last time into lines."""
        machine = each.machine
        settled = machine.state.settled
        for settlement in settled[each.told :]:
            self.lines.append(_step_line(self.world.customer_id, each.enrolled, settlement))
        each.told = len(settled)
        if machine.ended is not None and each.enrolled.ending is None:
            ended = machine.ended
            each.enrolled = replace(
                each.enrolled, ending=ended.ending, ended_at=ended.at, ended_by=ended.by
            )
            self.lines.append(
                _life(self.world.customer_id, each.enrolled, ended.at, ended.ending, ended.by)
            )

    # --- Deliver, without a provider ------------------------------------------------------

    def _deliver(self, each: Running, delivery: Delivery) -> Settled | NotBefore:
        journey, world = each.enrolled.journey, self.world
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
            self.change(
                Identify(
                    customer_id=world.customer_id,
                    at=delivery.at,
                    message_id=event_id,
                    traits=step.set,
                ),
            )
        return Settled(decision=Decision.SENT, channel=verdict.channel, message=verdict.message)


def _step_line(customer: str, enrolled: Enrolled, settlement: Settlement) -> StepLine:
    return StepLine(
        at=settlement.at,
        customer=customer,
        journey=enrolled.journey.journey,
        key=enrolled.key,
        step=settlement.step,
        decision=settlement.decision,
        channel=settlement.channel,
        message=settlement.message,
        reason=settlement.reason,
    )


def _life(
    customer: str,
    enrolled: Enrolled,
    at: datetime,
    ending: Ending | None,
    event: str | None = None,
) -> LifeLine:
    return LifeLine(
        at=at,
        customer=customer,
        journey=enrolled.journey.journey,
        key=enrolled.key,
        ending=ending,
        event=event,
    )
