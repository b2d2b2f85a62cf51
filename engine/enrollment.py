"""The values that cross the machine's border: what it is told, what it answers, what it keeps.

They are also what Temporal carries (signals, activity arguments, continue-as-new), so they
hold ids, times and reasons, and nothing that names a person. Readers ignore unknown keys:
a running enrollment may be read by older or newer code.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
)

from engine.reasons import Decision, Ending, Reason

RULES_VERSION = 1  # raised when the same inputs would be decided otherwise; tzdata counts


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


# --- What an enrollment begins with -------------------------------------------------------


class Start(_Value):
    """`at` is when the journey began for the customer; `entered_at` when we enrolled them.

    They differ for a late event and for people enrolled by hand. `values` holds those
    properties of the enrolling event that time expressions refer to, by path, as received.
    """

    event_id: str
    at: datetime
    entered_at: datetime
    values: dict[str, Any] = {}


class Facts(_Value):
    """What the engine needs to know of a customer: zone, anchors, last activity.

    `zone` is an IANA name that exists. `traits` holds the live anchors, by path, as received.
    `hours` are those of the day, best first, where a step asks for the best; empty is the
    default, and is left out, so that histories from before there were any hold the same.
    """

    zone: str
    traits: dict[str, Any] = {}
    last_activity_at: datetime | None = None
    hours: tuple[int, ...] = ()

    @model_serializer(mode="wrap")
    def _without_no_hours(self, whole: SerializerFunctionWrapHandler) -> dict[str, Any]:
        told: dict[str, Any] = whole(self)
        if not self.hours:
            del told["hours"]
        return told


class Tolerances(_Value):
    """How much the real world may lag behind the machine's exact times.

    `lateness`: a wake-up this late still counts as on time. A timer is late by a second and
    a worker by a deploy; a minute tells both from an outage.
    `held_after`: a delivery this old is in trouble, and holds the others up no longer.
    `least_grace`: no step has less, however short its `grace`; zero but in fast demos.
    """

    lateness: timedelta = timedelta(minutes=1)
    held_after: timedelta = timedelta(seconds=10)
    least_grace: timedelta = timedelta(0)


# --- What the machine is told -------------------------------------------------------------


class Notice(_Value):
    """An event that concerns this enrollment, as routing understood it; the signal `event`.

    One event may do several things: end the enrollment, fire steps, move anchors. `seq` is
    its number in the outbox, by which the shell knows one that was delivered twice.
    """

    kind: Literal["notice"] = "notice"
    seq: int = 0
    event_id: str
    name: str
    at: datetime
    ending: Ending | None = None
    fires: tuple[str, ...] = ()
    traits: dict[str, Any] | None = None  # every live anchor, as it is from now on
    zone: str | None = None
    hours: tuple[int, ...] | None = None  # rides along where a step asks for the best hour

    @property
    def tells_facts(self) -> bool:
        """Whether it says what is known of the customer now."""
        return self.traits is not None or self.zone is not None


class Pause(_Value):
    """Hold every step; exits and `ends_at` still act."""

    kind: Literal["pause"] = "pause"
    at: datetime


class Resume(_Value):
    """Go on: what became due meanwhile goes out now, or has expired."""

    kind: Literal["resume"] = "resume"
    at: datetime


class Skip(_Value):
    """Settle a step's next occurrence as not sent, reason `skipped`."""

    kind: Literal["skip"] = "skip"
    at: datetime
    step: str


class SendNow(_Value):
    """Bring a step's next occurrence forward to now, past its window and idle check."""

    kind: Literal["send_now"] = "send_now"
    at: datetime
    step: str


class Retry(_Value):
    """What held a step up may be gone: ask about it again now; the signal `retry`."""

    kind: Literal["retry"] = "retry"
    at: datetime
    step: str


class End(_Value):
    """A person ends the enrollment, or Temporal was told to cancel it."""

    kind: Literal["end"] = "end"
    at: datetime
    ending: Ending
    by: str


class Adopt(_Value):
    """Go on under another version: steps are matched by id, what settled stays settled.

    `traits` and `values` are what the new version's anchors refer to: live traits as they
    are now, and properties of the enrolling event. None: as they were.
    """

    kind: Literal["adopt"] = "adopt"
    at: datetime
    definition: dict[str, Any]
    traits: dict[str, Any] | None = None
    values: dict[str, Any] | None = None


class Settled(_Value):
    """`deliver` answers: the step is settled."""

    kind: Literal["settled"] = "settled"
    decision: Decision
    reason: Reason | None = None
    channel: str | None = None
    message: str | None = None


class NotBefore(_Value):
    """`deliver` answers: not yet.

    Either a time to come back (`until`: quiet hours, a cap), or that the customer was
    active (`last_activity_at`), from which the machine computes the time itself.
    """

    kind: Literal["not_before"] = "not_before"
    until: datetime | None = None
    last_activity_at: datetime | None = None
    reason: Reason | None = None


class Over(_Value):
    """`deliver` answers: the enrollment is closed in the store; the machine ends likewise."""

    kind: Literal["over"] = "over"
    ending: Ending
    by: str | None = None
    at: datetime


Outcome = Annotated[Settled | NotBefore | Over, Field(discriminator="kind")]


class Answer(_Value):
    """What `deliver` answered for an occurrence that `take` had handed out."""

    kind: Literal["answer"] = "answer"
    step: str
    occurrence: str
    outcome: Outcome


Input = Notice | Pause | Resume | Skip | SendNow | Retry | End | Adopt | Answer


# --- What the machine answers -------------------------------------------------------------


class Settlement(_Value):
    """A decision: this occurrence of this step is done with. `at` is the engine's time."""

    step: str
    occurrence: str
    decision: Decision
    reason: Reason | None = None
    at: datetime
    due_at: datetime | None = None
    zone: str | None = None
    channel: str | None = None
    message: str | None = None


class Delivery(_Value):
    """An order to `deliver`: settle this occurrence, or say why not yet.

    `at` is the time of the decision, `due_at` the step's time with its window, `until` the
    last moment at which it may go out (its grace or `ends_at`). `idle_since` is set for idle
    steps: the activity the machine knows of. With `spell_settled` that spell has had its
    message, and this is only the question whether another one has begun.
    """

    step: str
    occurrence: str
    at: datetime
    due_at: datetime
    until: datetime
    zone: str
    event_id: str | None = None
    idle_since: datetime | None = None
    spell_settled: bool = False
    forced: bool = False  # a person said "send now": no idle check


class Wakeup(_Value):
    """When the machine wants to be woken, and for what; `step` None is the enrollment's end.

    `is_stopped`: the step waits because a person stopped it.
    """

    at: datetime
    step: str | None
    zone: str
    is_stopped: bool = False


# --- What the machine keeps ---------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """An occurrence that has a time. It comes up at `comes_up_at`, never before `due_at`.

    `ready_at` is what made it possible (entry, an event, a resume, *not yet*); `anchor_at`
    when the event was that fired it. `taken_at` is set while `deliver` has it; `stop` asks
    the shell to stop that delivery, for `stop_reason` if it is settled so. `held_by` is why
    *not yet* was the last answer; `retry_at` when somebody asked to try again while the
    answer was still out. No model but slots:
    thousands of enrollments sleep in memory with some of these each, at a tenth of the size.
    """

    step: str
    occurrence: str
    due_at: datetime
    ready_at: datetime
    zone: str
    event_id: str | None = None
    event: str | None = None
    idle_since: datetime | None = None
    spell_settled: bool = False
    forced: bool = False
    anchor_at: datetime | None = None
    taken_at: datetime | None = None
    stop: bool = False
    stop_reason: Reason | None = None
    held_by: Reason | None = None
    retry_at: datetime | None = None

    @property
    def comes_up_at(self) -> datetime:
        return max(self.due_at, self.ready_at)


class Ended(_Value):
    """How and when the enrollment's life ended; `by` names the event or the person."""

    ending: Ending
    at: datetime
    by: str | None = None


class State(_Value):
    """Everything the machine remembers; what continue-as-new carries."""

    facts: Facts
    changed_at: datetime  # entry, or the last event that moved an anchor or the zone
    arrived_at: dict[str, datetime] = {}  # when a live anchor's present value arrived
    values: dict[str, Any] = {}  # of the enrolling event, beside `Start.values`; see `Adopt`
    activity_known_at: datetime | None = None  # up to when `facts.last_activity_at` is true
    pending: tuple[Pending, ...] = ()
    settled: tuple[Settlement, ...] = ()
    unrecorded: tuple[Settlement, ...] = ()  # decided here, not yet known to the store
    paused: bool = False
    ended: Ended | None = None
