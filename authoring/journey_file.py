"""`journey.yaml`: the head and every step read one by one, so no mistake hides another.

What needs more than the file (messages, policy) is `references`. The surprising fact: the
steps of a file with mistakes are handed on as far as they can be read, with stand-ins for
what can't (see `shapes`); a `Journey` comes out only if there is no mistake at all.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from authoring.mistakes import JourneysInvalid
from authoring.sentences import did_you_mean
from authoring.shapes import Shape, read_shape, validate
from authoring.source import Source, open_source
from engine.definition import Journey, Step
from engine.expressions import StepAnchor, TimeExpression

_STAND_IN_STEP = {"send": "stand-in", "at": "start"}
_STEP_STAND_INS: dict[str, Any] = {
    "id": "stand-in", "send": "stand-in", "call": "stand-in", "set": {},
    "unsubscribe": True,
    "variants": {"a": "stand-in"}, "at": "customer.stand_in", "after_idle": "1 day",
    "after_event": "stand_in",
}  # fmt: skip


@dataclass(frozen=True)
class CheckedStep:
    """A step as far as it could be read. `id` is None if the file does not make it out."""

    index: int
    id: str | None
    raw: dict[str, Any]
    shape: Shape[Step]

    @property
    def loc(self) -> tuple[str, int]:
        return ("steps", self.index)

    def messages(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """The message folders it names, with where it names them; also of a broken step."""
        if isinstance(name := self.raw.get("send"), str):
            yield (*self.loc, "send"), name
        if isinstance(variants := self.raw.get("variants"), dict):
            for key, value in variants.items():
                name = value.get("send") if isinstance(value, dict) else value
                if isinstance(name, str):
                    yield (*self.loc, "variants", key), name


@dataclass(frozen=True)
class CheckedJourney:
    """What could be read of a file; `journey` is None if anything in the file itself is wrong."""

    source: Source
    head: Shape[Journey]
    steps: tuple[CheckedStep, ...]
    journey: Journey | None

    @property
    def step_ids(self) -> tuple[str, ...] | None:
        """The ids of all steps, in order; None if some can't be told."""
        ids = tuple(step.id for step in self.steps if step.id is not None)
        return ids if len(ids) == len(self.steps) else None


def load_journey_data(text: str, file: str) -> Journey:
    """The journey of one text, without its messages and policy. Raises JourneysInvalid."""
    source = open_source(file, text)
    if not isinstance(source, Source):
        raise JourneysInvalid([source])
    checked = read_journey(source)
    if checked.journey is None:
        raise JourneysInvalid(source.mistakes)
    return checked.journey


def read_journey(source: Source) -> CheckedJourney:
    """Reads what the file says by itself; every mistake goes to `source`."""
    data = source.data
    if not isinstance(data, dict):
        source.refuse((), "expected the keys of a journey, such as `journey: trial-onboarding`")
        return CheckedJourney(source, Shape(None, frozenset()), (), None)
    head = _read_head(data, source)
    raw_steps = data.get("steps")
    steps = tuple(
        _read_step(index, raw, source)
        for index, raw in enumerate(raw_steps if isinstance(raw_steps, list) else ())
    )
    checked = CheckedJourney(source, head, steps, None)
    _check_ids(checked)
    _check_anchors(checked)
    _check_circles(checked)
    if source.mistakes:
        return checked
    return CheckedJourney(source, head, steps, _whole(data, source))


def _whole(data: dict[str, Any], source: Source) -> Journey | None:
    """The engine has the last word: what nothing above found wrong, it may still refuse."""
    try:
        return validate(Journey, data)
    except ValidationError as error:
        for each in error.errors():
            source.refuse(each["loc"], each["msg"].removeprefix("Value error, "))
        return None


def _read_head(data: dict[str, Any], source: Source) -> Shape[Journey]:
    """Everything but the steps, which are replaced by one that is right, if they are a list."""
    raw_steps = data.get("steps")
    head = data | ({"steps": [_STAND_IN_STEP]} if isinstance(raw_steps, list) and raw_steps else {})
    stand_ins: dict[str, Any] = {
        "journey": "stand-in", "title": "stand-in", "steps": [_STAND_IN_STEP],
        "key": "stand_in", "reenter": "never",
    }  # fmt: skip
    # One of the two must be there, and not both: fill in for whichever the file lost.
    stand_ins |= {} if isinstance(data.get("topic"), str) else {"transactional": True}
    stand_ins |= {} if "transactional" in data else {"topic": "stand-in"}
    return read_shape(Journey, head, source, (), stand_ins)


def _read_step(index: int, raw: object, source: Source) -> CheckedStep:
    if not isinstance(raw, dict):
        source.refuse(
            ("steps", index), "a step has keys, such as `send: thanks` and `at: start + 1 day`"
        )
        return CheckedStep(index, None, {}, Shape(None, frozenset()))
    named = raw.get("id") or raw.get("send") or raw.get("call")
    step_id = named if isinstance(named, str) else None
    data = dict(raw)
    if step_id is None and raw.get("id") is None:
        action = next((key for key in ("variants", "set", "unsubscribe") if key in raw), None)
        if action is not None:
            source.refuse(("steps", index), f"a step with `{action}` needs a name: write `id: …`")
        data["id"] = _STEP_STAND_INS["id"]
    shape = read_shape(Step, data, source, ("steps", index), _STEP_STAND_INS)
    return CheckedStep(index, step_id, raw, shape)


def _check_ids(checked: CheckedJourney) -> None:
    first: dict[str, CheckedStep] = {}
    for step in checked.steps:
        if step.id is None:
            continue
        if step.id in first:
            line = checked.source.line(first[step.id].loc)
            checked.source.refuse(
                (*step.loc, "id"),
                f"a second step `{step.id}` (the first is in line {line}): give this one an `id` "
                f"of its own, such as `id: {step.id}-2`",
            )
        first.setdefault(step.id, step)


def _check_anchors(checked: CheckedJourney) -> None:
    """Times relative to steps name steps that exist."""
    if checked.step_ids is None:
        return
    for step in checked.steps:
        time, anchor = _time(step), _anchored_on(step)
        if anchor is not None and anchor not in checked.step_ids:
            hint = did_you_mean(anchor, ("start", *checked.step_ids), "a time starts with")
            checked.source.refuse(
                (*step.loc, "at"), f"`at`: `{time}`: there is no step `{anchor}`{hint}"
            )


def _check_circles(checked: CheckedJourney) -> None:
    """Steps may wait on one another, but not in a circle; each circle is told once."""
    by_id = {step.id: step for step in reversed(checked.steps)}
    told: set[str] = set()
    for step in checked.steps:
        path: list[str] = []
        current: CheckedStep | None = step
        while current is not None and current.id is not None and current.id not in path:
            path.append(current.id)
            anchor = _anchored_on(current)
            current = by_id.get(anchor) if anchor is not None else None
        if current is None or current.id is None or current.id in told:
            continue
        circle = path[path.index(current.id) :]
        told.update(circle)
        checked.source.refuse(
            (*current.loc, "at"),
            f"steps wait on one another in a circle, {' → '.join([*circle, current.id])}, so none "
            "is ever sent: let one of them start from `start`",
        )


def _time(step: CheckedStep) -> TimeExpression | None:
    return step.shape.value.at if step.shape.value is not None and step.shape.good("at") else None


def _anchored_on(step: CheckedStep) -> str | None:
    time = _time(step)
    return time.anchor.step if time is not None and isinstance(time.anchor, StepAnchor) else None
