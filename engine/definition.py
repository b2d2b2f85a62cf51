"""A journey as data: what `journey.yaml` says, checked and frozen.

It knows nothing of files, lines or messages: `authoring` reads those and turns what is
refused here into file and line. The one surprising fact: unknown keys are ignored by
default, because running workflows decode definitions that other code versions wrote;
whoever reads a person's file passes `extra="forbid"` to `model_validate`.
"""

import hashlib
from collections.abc import Iterator
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from engine.expressions import (
    Duration,
    EventAnchor,
    ExpressionError,
    StepAnchor,
    TimeExpression,
    TraitAnchor,
    parse_duration,
)
from engine.fields import (
    DaysText,
    DurationText,
    Frozen,
    Json,
    Leaves,
    Name,
    Priority,
    Share,
    StepId,
    TimeText,
    WindowText,
    read_events,
    read_variants,
)
from engine.keys import BROADCAST
from engine.variants import Offer, Variant

__all__ = [
    "AfterEvent",
    "AfterIdle",
    "At",
    "EndMatch",
    "EventMatch",
    "GoalMatch",
    "Journey",
    "Offer",
    "Step",
    "Variant",
]


class EventMatch(Frozen):
    """An event by name and, where given, by a condition (`where`) over it and the customer."""

    event: str = Field(min_length=1)
    where: str | None = None


class EndMatch(EventMatch):
    """An event that ends: the customer's own, or with `of: company` also a colleague's."""

    of: Literal["customer", "company"] = "customer"


class GoalMatch(EndMatch):
    """The event that counts as conversion."""

    value: str | None = None  # the property that holds the money
    within: DurationText = parse_duration("30 days")  # how long after completion it still counts


class AfterEvent(EventMatch):
    """A step's trigger: this event, and how long after it."""

    wait: DurationText = parse_duration("0 minutes")


class AfterIdle(Frozen):
    """A step's trigger: no activity for this long."""

    idle: Duration


class At(Frozen):
    """A step's trigger: a time of its own."""

    time: TimeExpression


Events = Annotated[tuple[EventMatch, ...], BeforeValidator(read_events)]
Ends = Annotated[tuple[EndMatch, ...], BeforeValidator(read_events)]
Goals = Annotated[tuple[GoalMatch, ...], BeforeValidator(read_events)]
AfterEvents = Annotated[tuple[AfterEvent, ...], BeforeValidator(read_events)]
Repeat = Literal[True, "daily", "weekly", "monthly", "yearly"]
Trigger = At | AfterIdle | tuple[AfterEvent, ...]


# What a step may do.
_DOES = ("send", "call", "set", "unsubscribe", "variants")


class Step(Frozen):
    """One thing the journey may do, with its own time. See design.md, "Step keys"."""

    id: StepId
    send: str | None = None
    call: str | None = None
    set: dict[str, Json] | None = None
    unsubscribe: Leaves | None = None
    variants: Annotated[dict[str, Variant], BeforeValidator(read_variants)] | None = None
    at: TimeText | None = None
    after_idle: DurationText | None = None
    after_event: AfterEvents | None = None
    wait: DurationText | None = None  # as written beside `after_event`; kept in there
    repeat: Repeat | None = None
    when: str | None = None
    unless: Events = ()
    between: WindowText | None = None
    days: DaysText | None = None
    grace: DurationText = parse_duration("1 day")
    channels: tuple[str, ...] | None = None
    offer: Offer | None = None
    sender: str | None = Field(default=None, alias="from")
    topic: str | None = None
    transactional: bool | None = None
    priority: Priority | None = None

    @model_validator(mode="before")
    @classmethod
    def _name_and_wait(cls, data: object) -> object:
        if not isinstance(data, dict):
            return data
        data = dict(data)
        if "id" not in data and (name := data.get("send") or data.get("call")):
            data["id"] = name
        return _with_wait(data)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        does = [key for key in _DOES if getattr(self, key) is not None]
        if len(does) != 1:
            raise ValueError(
                f"a step does exactly one of {', '.join(f'`{key}`' for key in _DOES)}"
                + (f", not {' and '.join(f'`{k}`' for k in does)}" if does else "")
            )
        triggers = [k for k in ("at", "after_idle", "after_event") if getattr(self, k) is not None]
        if len(triggers) != 1:
            raise ValueError(
                "a step has exactly one of `at`, `after_idle`, `after_event`"
                + (f", not {' and '.join(f'`{k}`' for k in triggers)}" if triggers else "")
            )
        if self.wait is not None and self.after_event is None:
            raise ValueError("`wait` belongs to `after_event`")
        if self.after_idle is not None and self.after_idle.is_zero:
            raise ValueError("`after_idle` needs some time, such as `10 days`")
        waits = {(match.event, match.wait) for match in self.after_event or ()}
        if len(waits) > len({event for event, _ in waits}):
            raise ValueError("`after_event` has one event with two waits: make it two steps")
        if self.repeat not in (None, True) and self.at is None:
            raise ValueError(f"`repeat: {self.repeat}` needs `at`; here `repeat: true` is meant")
        if (
            self.repeat is True
            and self.at is not None
            and not isinstance(self.at.anchor, TraitAnchor | StepAnchor)
        ):
            raise ValueError(
                f"`repeat: true` needs an anchor that can change; `{self.at.anchor}` never does: "
                "write `daily`, `weekly`, `monthly` or `yearly`"
            )
        if self.variants is not None and not self.variants:
            raise ValueError("`variants` is empty")
        if self.offer is not None and not self.messages:
            raise ValueError("`offer` makes a code for a message: the step needs `send`")
        if self.transactional and self.topic is not None:
            raise ValueError("a step has a `topic` or is `transactional`, not both")
        return self

    @cached_property
    def trigger(self) -> Trigger:
        """What makes the step come up."""
        if self.at is not None:
            return At(time=self.at)
        if self.after_idle is not None:
            return AfterIdle(idle=self.after_idle)
        assert self.after_event is not None  # `_whole` saw to it
        return self.after_event

    @property
    def messages(self) -> tuple[str, ...]:
        """The message folders this step may send."""
        if self.variants is not None:
            return tuple(variant.send for variant in self.variants.values())
        return (self.send,) if self.send is not None else ()

    def offer_of(self, variant: Variant | None) -> Offer | None:
        """The offer that the message of this variant (None: the step's own message) makes."""
        return self.offer if variant is None else variant.offer or self.offer

    @property
    def leaves(self) -> tuple[str, ...] | None:
        """The topics that `unsubscribe` names; None: all."""
        return None if self.unsubscribe is True else self.unsubscribe

    @property
    def makes_offers(self) -> bool:
        """Whether any of its messages makes one."""
        made = (variant.offer for variant in (self.variants or {}).values())
        return self.offer is not None or any(made)


def _with_wait(data: dict[str, Any]) -> dict[str, Any]:
    """`wait` beside `after_event` becomes that of each of its events.

    One that can't be read stays where it is, and is told there.
    """
    wait, matches = data.get("wait"), read_events(data.get("after_event"))
    if wait is None or not isinstance(matches, list):
        return data
    if any(isinstance(match, dict) and "wait" in match for match in matches):
        raise ValueError("`wait` is given twice: beside `after_event` and inside it")
    try:
        wait = parse_duration(wait) if isinstance(wait, str) else wait
    except ExpressionError:
        return data
    if not isinstance(wait, Duration):
        return data
    waiting = [{**match, "wait": wait} if isinstance(match, dict) else match for match in matches]
    return {**{key: data[key] for key in data if key != "wait"}, "after_event": waiting}


class Journey(Frozen):
    """A definition. See design.md, "Journey keys"."""

    journey: Name
    title: str = Field(min_length=1)
    starts_on: Events = ()
    fresh: DurationText = parse_duration("1 day")
    key: str | None = Field(default=None, min_length=1)
    reenter: Literal["never", "after_exit", "restart", "always"] = "never"
    newest_only: bool = False
    ends_on: Ends = ()
    ends_at: TimeText | None = None
    goal: Goals = ()
    activity: Events = ()
    topic: str | None = None
    transactional: bool = False
    priority: Priority = 0
    holdout: Share = 0.0
    steps: tuple[Step, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.journey == BROADCAST:
            raise ValueError(f"a journey can't be called `{BROADCAST}`: broadcasts' workflows are")
        if self.transactional and self.topic is not None:
            raise ValueError("a journey has a `topic` or is `transactional`, not both")
        if not self.transactional and self.topic is None:
            raise ValueError("a journey needs a `topic`, or `transactional: true`")
        if self.newest_only and self.key is None:
            raise ValueError("`newest_only` is about enrollments with other keys: it needs a `key`")
        if self.newest_only and self.reenter == "always":
            raise ValueError(
                "`newest_only` ends what `reenter: always` lets stand: leave one of them out"
            )
        seen: set[str] = set()
        for step in self.steps:
            if step.id in seen:
                raise ValueError(f"two steps are called `{step.id}`: give one an `id` of its own")
            seen.add(step.id)
            if step.transactional is False and step.topic is None and self.topic is None:
                raise ValueError(
                    f"step `{step.id}` is `transactional: false` but has no `topic`, and neither "
                    "has the journey: give the step one"
                )
        for step in self.steps:
            anchor = step.at.anchor if step.at is not None else None
            if isinstance(anchor, StepAnchor) and anchor.step not in seen:
                raise ValueError(f"step `{step.id}`: `{step.at}`: there is no step `{anchor.step}`")
            _refuse_circle(self, step)
        if self.ends_at is not None and isinstance(self.ends_at.anchor, StepAnchor):
            raise ValueError(
                "`ends_at` can't depend on a step, which may never be sent: write `start`, "
                "`event.<path>` or `customer.<trait>`"
            )
        if self.ends_at is not None and self.ends_at.best_hour:
            raise ValueError("`ends_at` is the end for everybody: leave out `at best hour`")
        return self

    def step(self, step_id: str) -> Step:
        """The step of that id; KeyError if there is none."""
        return self._steps_by_id[step_id]

    def place(self, step_id: str) -> int:
        """Its place in the file, by which ties fall; KeyError if there is no such step."""
        return self._places[step_id]

    def has_step(self, step_id: str) -> bool:
        """Whether there is a step of that id."""
        return step_id in self._places

    @cached_property
    def _places(self) -> dict[str, int]:
        return {step.id: place for place, step in enumerate(self.steps)}

    @cached_property
    def _steps_by_id(self) -> dict[str, Step]:
        return {step.id: step for step in self.steps}

    @cached_property
    def version(self) -> str:
        """The content hash: what the journey says, not how the file was laid out."""
        return hashlib.sha256(self.pinned.encode()).hexdigest()[:12]

    @cached_property
    def pinned(self) -> str:
        """The definition as JSON text, the form in which a workflow carries it."""
        return self.model_dump_json(by_alias=True, exclude_defaults=True)

    def times(self) -> Iterator[TimeExpression]:
        """Every time expression, `ends_at` first."""
        if self.ends_at is not None:
            yield self.ends_at
        for step in self.steps:
            if step.at is not None:
                yield step.at

    @cached_property
    def live_traits(self) -> tuple[str, ...]:
        """Paths of customer traits that anchor a time, sorted.

        When one of them changes, the enrollment is told.
        """
        return tuple(
            sorted({t.anchor.path for t in self.times() if isinstance(t.anchor, TraitAnchor)})
        )

    @cached_property
    def uses_best_hour(self) -> bool:
        """Whether any step chooses its hour, so that the customer's have to be known."""
        return any(time.best_hour for time in self.times())

    @cached_property
    def start_properties(self) -> tuple[str, ...]:
        """Paths of properties of the enrolling event that anchor a time, sorted."""
        return tuple(
            sorted({t.anchor.path for t in self.times() if isinstance(t.anchor, EventAnchor)})
        )

    @cached_property
    def matches(self) -> tuple[EventMatch, ...]:
        """Every event that may start, end or fire something here, as it is named."""
        fired = (match for step in self.steps for match in step.after_event or ())
        return (*self.starts_on, *self.ends_on, *self.goal, *fired)

    @cached_property
    def event_names(self) -> frozenset[str]:
        """The names of these."""
        return frozenset(match.event for match in self.matches)

    @cached_property
    def company_event_names(self) -> frozenset[str]:
        """Events that end this also when a colleague of the customer does them."""
        return frozenset(m.event for m in (*self.ends_on, *self.goal) if m.of == "company")

    def topic_of(self, step: Step) -> str | None:
        """The topic a step's message belongs to; None if it is transactional."""
        if step.topic is not None:
            return step.topic
        if step.transactional is not None:
            return None if step.transactional else self.topic
        return self.topic

    def priority_of(self, step: Step) -> int:
        """How heavy a step's message is among those that are due the same day."""
        return self.priority if step.priority is None else step.priority


def _refuse_circle(journey: Journey, step: Step) -> None:
    """Steps may wait on one another, but not in a circle: none of them would ever be sent."""
    by_id = {each.id: each for each in journey.steps}
    path = [step.id]
    current: Step | None = step
    while current is not None and current.at is not None:
        anchor = current.at.anchor
        if not isinstance(anchor, StepAnchor):
            return
        if anchor.step in path:
            raise ValueError(
                f"steps wait on one another in a circle: {' → '.join([*path, anchor.step])}"
            )
        path.append(anchor.step)
        current = by_id.get(anchor.step)
