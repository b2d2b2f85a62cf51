"""A customer being played: their world, their enrollments, and the deliveries of these.

Machine and gate are those of production; a delivery always succeeds. Which calls reach
whom is `engine.player`'s to say.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import assert_never

from engine.calls import Identify, SegmentCall, Track
from engine.caps import PastMessage
from engine.computed import Computations, Counted, MadeOf, computations
from engine.consent import withdrawal
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
from engine.entering import outdated, route_start
from engine.gate import CONSENT, Customer, Go, Occasion, decide
from engine.keys import enrollment_id, is_anonymous, message_key
from engine.lines import LifeLine, Line, StepLine
from engine.machine import Machine
from engine.matching import (
    ConditionFailed,
    Evaluate,
    first_match,
    last_activity,
    past,
    start_names,
)
from engine.places import Atlas
from engine.policy import Policy
from engine.reasons import Decision, Ending, Reason
from engine.routing import route_identify, route_track
from engine.running import Channels, Running, due_beside
from engine.world import World

# Tries to word the message; raises ConditionFailed where the real one could not be rendered.
Word = Callable[[Occasion, Customer, Go], None]


def _unread(condition: str) -> MadeOf:
    raise TypeError("a stage whose policy has segments has to be told what they are made of")


@dataclass(frozen=True)
class Stage:
    """What is the same for all customers: journeys, policy, channels, conditions, the atlas.

    `counted` reads conditions, and is needed where the policy has segments.
    """

    journeys: Mapping[str, Journey]
    policy: Policy
    channels: Channels
    evaluate: Evaluate
    word: Word | None = None
    atlas: Atlas | None = None
    counted: Counted = _unread

    @cached_property
    def computed(self) -> Computations:
        """What the policy has computed."""
        return computations(self.policy, self.counted)


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

    def run_due(self, now: datetime) -> bool:
        """Take up what is due, each when the one before is done; whether anything was."""
        due = False
        for each in self.running:
            if each.wake_at is None or each.wake_at > now:
                continue
            due = True
            while (delivery := each.machine.take(now)) is not None:
                self._note(each)
                outcome = self._deliver(each, delivery)
                each.machine.apply(
                    Answer(step=delivery.step, occurrence=delivery.occurrence, outcome=outcome)
                )
                self._unsubscribe(each, delivery, outcome)
            self._look_at(each)
        return due

    def change(self, call: SegmentCall) -> None:
        """Traits, zone: what open enrollments may count from."""
        before = self.world.profile()
        self.world.hear(call)
        self.moved(before, call)

    def remember(self, track: Track) -> None:
        """Take in an event, which may move what open enrollments count from."""
        if track.event not in self.stage.computed.events:
            self.world.remember(track)
            return
        before = self.world.profile()
        self.world.remember(track)
        self.moved(before, track)

    def moved(self, before: Profile, cause: SegmentCall) -> None:
        """Tell open enrollments what is not as it was before."""
        self.carry_out(route_identify(cause, before, self.world.profile(), self.enrolled()))

    def hear(
        self,
        track: Track,
        received_at: datetime,
        published: Iterable[Journey] = (),
        among: Collection[str] | None = None,
    ) -> None:
        """Route an event to those enrollments (all, if None), and let it start these journeys."""
        if is_anonymous(self.world.customer_id):
            return
        known = [each for each in self.enrolled() if among is None or each.id in among]
        profile, evaluate = self.world.profile(), self.stage.evaluate
        effects = route_track(track, received_at, profile, known, published, evaluate)
        self.carry_out(effects, track.event)

    def carry_out(self, effects: Iterable[Effect], by: str = "") -> None:
        """Do what routing decided about the event `by`, in its order."""
        for effect in effects:
            match effect:
                case Enroll():
                    self.begin(effect, by)
                case Tell(enrollment=enrollment, notice=notice):
                    self._tell(self._find(enrollment), notice)
                case Supersede():
                    self._supersede(effect, by)
                case Amend():
                    self._amend(effect)
                case Refuse() | Convert():
                    pass  # they have no line
                case _:
                    assert_never(effect)

    def begin(self, effect: Enroll, by: str) -> None:
        """Begin an enrollment by that event, or by hand, and tell it what happened since."""
        journey, world = effect.journey, self.world
        evaluate = self.stage.evaluate
        last = last_activity(journey, effect.key, world.activity, world.traits, evaluate)
        hours = world.best_hours() if journey.uses_best_hour else ()
        facts = effect.facts.model_copy(update={"last_activity_at": last, "hours": hours})
        enrolled = Enrolled(
            id=enrollment_id(journey.journey, world.customer_id, effect.key, effect.ordinal),
            journey=journey,
            key=effect.key,
            start_at=effect.start.at,
            start_event_id=effect.start.event_id,
            ordinal=effect.ordinal,
        )
        machine = Machine(journey, effect.start, facts)
        begun = Running(enrolled, machine, effect.properties)
        self.running.append(begun)
        # What its start ends is told first, as everywhere at one instant.
        self.carry_out(outdated(enrolled, self.enrolled(), enrolled.start_event_id, by), by)
        self.lines.append(_life(self.world.customer_id, enrolled, effect.start.entered_at, None))
        self._look_at(begun)
        self._catch_up(enrolled)
        self._hear_starts_again(enrolled)

    def _find(self, enrollment: str) -> Running:
        return next(each for each in self.running if each.enrolled.id == enrollment)

    def _catch_up(self, begun: Enrolled) -> None:
        since = [track for track in self.world.tracks if track.at >= begun.start_at]
        if all(track.at == begun.start_at for track in since):
            return  # the usual case: nothing came after it
        for track in since:
            if track.message_id != begun.start_event_id:
                self.hear(track, track.at, among={begun.id})

    def _tell(self, each: Running, notice: Notice) -> None:
        was_open = each.machine.ended is None
        if notice.tells_facts and each.enrolled.journey.uses_best_hour:
            notice = notice.model_copy(update={"hours": self.world.best_hours()})
        each.machine.apply(notice)
        self._look_at(each)
        if was_open and notice.ending is not None:
            # It may have ended before it was entered, as events have it.
            each.enrolled = replace(each.enrolled, ended_at=notice.at)
            # Else what it starts comes next.
            if notice.name not in start_names(each.enrolled.journey):
                self._start_again(each.enrolled)

    def _supersede(self, effect: Supersede, by: str) -> None:
        """The earlier start takes the place of the later, if nothing came of that one yet."""
        later, start = self._find(effect.tell.enrollment), effect.enroll.start.at
        journey, evaluate = later.enrolled.journey, self.stage.evaluate
        left = any(
            start < track.at <= later.enrolled.start_at
            and first_match(
                (*journey.ends_on, *journey.goal), past(track), self.world.traits, evaluate
            )
            for track in self.world.tracks
        )
        if later.machine.state.settled or (left and journey.reenter == "after_exit"):
            return
        self.carry_out([effect.tell, effect.enroll], by)

    def _start_again(self, ended: Enrolled) -> None:
        """A start that an exit had shut out which was heard of only now."""
        journey = self.stage.journeys.get(ended.journey.journey)
        if journey is None or journey.reenter != "after_exit" or ended.is_void:
            return
        for track in self.world.tracks:
            if ended.ended_at is not None and track.at >= ended.ended_at:
                effects = self._starts(journey, track)
                if any(isinstance(each, Enroll) and each.key == ended.key for each in effects):
                    self.carry_out(effects, track.event)
                    return

    def _hear_starts_again(self, begun: Enrolled) -> None:
        """Later starts that were not the newest, or nothing new, before this one was known."""
        journey = self.stage.journeys.get(begun.journey.journey)
        if journey is None or not journey.newest_only:
            return
        for track in [each for each in self.world.tracks if each.at > begun.start_at]:
            self.carry_out(self._starts(journey, track), track.event)

    def _starts(self, journey: Journey, track: Track) -> list[Effect]:
        profile, evaluate = self.world.profile(), self.stage.evaluate
        return route_start(journey, track, track.at, profile, self.enrolled(), evaluate)

    def _amend(self, effect: Amend) -> None:
        """It had ended before, and otherwise: its line says so."""
        each = self._find(effect.enrollment)
        before, who = each.enrolled, self.world.customer_id
        each.enrolled = replace(
            before, ending=effect.ending, ended_at=effect.at, ended_by=effect.by
        )
        entered_at = each.machine.start.entered_at
        told = _life(who, before, before.ended_at or entered_at, before.ending, before.ended_by)
        at = max(effect.at, entered_at)
        amended = _life(who, each.enrolled, at, effect.ending, effect.by)
        for place, line in enumerate(self.lines):
            if isinstance(line, LifeLine) and replace(line, customer=who) == told:
                self.lines[place] = amended
        self._start_again(each.enrolled)

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
        if self.stage.policy.caps:
            who, channels = world.customer_id, self.stage.channels
            beside = due_beside(delivery, each, self.running, channels, who)
            customer = replace(customer, upcoming=beside)
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
        if step.messages:
            world.inbox.put(occasion, world.customer_id, verdict, self.stage.policy)
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

    def _unsubscribe(self, each: Running, delivery: Delivery, outcome: Settled | NotBefore) -> None:
        """What a step takes the customer off, once it is settled; journeys hear of it."""
        if not isinstance(outcome, Settled) or outcome.channel != CONSENT:
            return
        step = each.enrolled.journey.step(delivery.step)
        key = message_key(each.enrolled.id, delivery.step, delivery.occurrence)
        who, journeys = self.world.customer_id, self.stage.journeys.values()
        for call in withdrawal(who, delivery.at, key, step.leaves):
            said = self.world.agree(call)
            self.remember(said)
            self.hear(said, said.at, journeys)


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
