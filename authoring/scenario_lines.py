"""The lines of a scenario: what happens (`happens`) and what must come of it (`gets`).

Knows the steps and topics there are, and the clock of one customer; decides nothing about
journeys. See `scenarios` for the format.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field

from authoring.policy_file import PolicyNames
from authoring.sentences import did_you_mean
from authoring.shapes import read_shape
from authoring.source import Loc, Source
from engine.calls import ChangeConsent, FollowLink, Identify, Played, Track, UseCoupon
from engine.definition import Journey
from engine.events import is_reserved
from engine.expressions import Duration, ExpressionError, Term, parse_duration
from engine.fields import DurationText
from engine.localtime import OutOfRange, shift
from engine.reasons import Decision, Ending, Reason
from engine.values import read_instant

ALL_TOPICS = "all"
_MOST_TIMES = 10_000  # of one `every`: daily for 27 years


@dataclass(frozen=True)
class ExpectedDecision:
    """At `at` (UTC) this step is settled so; `reason` is None if it is sent."""

    at: datetime
    step: str
    decision: Decision
    reason: Reason | None
    line: int


@dataclass(frozen=True)
class ExpectedEnding:
    """At `at` (UTC) the enrollment ends so."""

    at: datetime
    ending: Ending
    line: int


Expected = ExpectedDecision | ExpectedEnding


@dataclass(frozen=True)
class Around:
    """What lines may name; `step_ids` is None if the journey does not let them be known.

    `journey` is None if anything in it is wrong.
    """

    source: Source
    step_ids: tuple[str, ...] | None
    journey: Journey | None
    policy: PolicyNames


@dataclass(frozen=True)
class Clock:
    """The calendar of a scenario's customer, and when it starts (UTC)."""

    zone: ZoneInfo
    starts_at: datetime

    def after(self, duration: Duration, times: int = 1) -> datetime:
        """So long after the start, in the customer's calendar. Raises OutOfRange."""
        terms = (Term(term.count * times, term.unit) for term in duration.terms)
        return shift(self.starts_at, terms, self.zone)

    def moment(self, text: str, source: Source, loc: Loc) -> datetime | None:
        """A wall-clock time, a time with a zone, or a duration since the start; else a mistake."""
        if (instant := read_instant(text, self.zone)) is not None:
            return instant
        try:
            return self.after(parse_duration(text))
        except (ExpressionError, OutOfRange):
            source.refuse(
                loc,
                f"`{loc[-1]}: {text}` is not a time: write `2026-11-24 09:00`, or how long "
                "after the start, such as `2 days`",
            )
            return None


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)


class Happening(_Line):
    """A line under `happens`, as the file says it."""

    after: DurationText | None = Field(default=None, examples=["4 days"])
    every: DurationText | None = Field(default=None, examples=["1 day"])
    until: DurationText | None = Field(default=None, examples=["30 days"])
    track: str | None = Field(default=None, min_length=1)
    identify: dict[str, Any] | None = None
    subscribe: str | None = None
    confirm: str | None = None
    unsubscribe: str | None = None
    click: str | None = None
    redeem: str | None = None
    key: str | int | None = Field(default=None, examples=["c-1"])
    properties: dict[str, Any] | None = Field(default=None, alias="with")


class Get(_Line):
    """A line under `gets`, as the file says it."""

    at: str = Field(examples=["2 days"])
    sent: str | None = None
    not_sent: str | None = None
    unknown: str | None = None
    enrollment: Literal["completed", "exited", "converted", "cancelled"] | None = None
    reason: str | None = None


# What happens to a message that was sent, and what may be told of it beside.
_REACTIONS = {"click": "url", "redeem": "order"}

_WHAT = ("track", "identify", "subscribe", "confirm", "unsubscribe", *_REACTIONS)

_HAPPENING_STAND_INS = {"after": "1 day", "track": "stand_in"}
_GET_STAND_INS = {"at": "1 day", "sent": "stand-in"}


def read_happens(
    lines: Sequence[object], customer_id: str, around: Around, clock: Clock | None, loc: Loc
) -> list[tuple[Played, int]]:
    """The calls, in the order written, without ids, each with its line.

    Every mistake goes to the source.
    """
    calls: list[tuple[Played, int]] = []
    for index, raw in enumerate(lines):
        here = [*loc, index]
        before = len(around.source.mistakes)
        shape = read_shape(Happening, raw, around.source, here, _HAPPENING_STAND_INS)
        if shape.value is None or shape.broken:
            continue
        _check_happening(shape.value, around, here)
        if clock is not None and len(around.source.mistakes) == before:
            times = _times(shape.value, clock, around.source, here)
            name = around.journey.journey if around.journey is not None else ""
            number = around.source.line(here)
            calls += [(_call(shape.value, name, customer_id, at), number) for at in times]
    return calls


def read_gets(
    lines: Sequence[object], around: Around, clock: Clock | None, loc: Loc
) -> tuple[Expected, ...]:
    """What is expected, in order; every mistake goes to the source."""
    found: list[Expected] = []
    for index, raw in enumerate(lines):
        here = [*loc, index]
        shape = read_shape(Get, raw, around.source, here, _GET_STAND_INS)
        if shape.value is None or shape.broken:
            continue
        expected = _expected(shape.value, around, clock, here)
        if expected is None:
            continue
        if found and expected.at < found[-1].at:
            around.source.refuse(
                [*here, "at"],
                f"`at: {shape.value.at}` is before the line above it: sort `gets` by time",
            )
        found.append(expected)
    return tuple(found)


def _check_happening(line: Happening, around: Around, loc: Loc) -> None:
    source = around.source
    what = _one_of(line, _WHAT, source, loc)
    when = _one_of(line, ("after", "every"), source, loc)
    if when is not None and (line.until is not None) != (when == "every"):
        source.refuse(
            loc, "`every` and `until` belong together: `{every: 1 day, until: 30 days, …}`"
        )
    if line.every is not None and line.every.is_zero:
        source.refuse([*loc, "every"], f"`every: {line.every}` never ends: write `every: 1 day`")
    if line.properties is not None and what not in (None, "track", *_REACTIONS):
        source.refuse([*loc, "with"], "`with` belongs to `track`, `click` or `redeem`: remove it")
    if what in _REACTIONS:
        _check_reaction(line, what, around, loc)
    elif line.key is not None and what is not None:
        source.refuse([*loc, "key"], "`key` belongs to `click` or `redeem`: remove it")
    if line.track is not None and is_reserved(line.track):
        source.refuse(
            [*loc, "track"],
            f"`{line.track}` is a reserved name, which no app may send: write one without dots",
        )
    topics = around.policy.topics
    for key in ("subscribe", "confirm", "unsubscribe"):
        topic = getattr(line, key)
        if topic is not None and topics is not None and topic not in (ALL_TOPICS, *topics):
            hint = did_you_mean(topic, (*topics, ALL_TOPICS), "write one of")
            source.refuse([*loc, key], f"unknown topic `{topic}`{hint}")


def _check_reaction(line: Happening, what: str, around: Around, loc: Loc) -> None:
    source, journey, name = around.source, around.journey, str(getattr(line, what))
    known = _REACTIONS[what]
    for key, value in (line.properties or {}).items():
        if key != known:
            source.refuse(
                [*loc, "with", key], f"of a `{what}` nothing but `{known}` is told: remove `{key}`"
            )
        elif not isinstance(value, str):
            source.refuse([*loc, "with", key], f"`{key}: {value}` is not a text: put it in quotes")
    if not _is_step(name, around, [*loc, what]) or journey is None:
        return
    step = journey.step(name)
    if not step.messages:
        source.refuse([*loc, what], f"`{name}` sends no message, so there is nothing to {what}")
    elif what == "redeem" and not step.makes_offers:
        source.refuse([*loc, what], f"`{name}` makes no `offer`, so there is nothing to redeem")
    elif what == "click" and journey.topic_of(step) is None:
        source.refuse(
            [*loc, what],
            f"`{name}` is transactional, and what is clicked in such a message nobody is told",
        )
    if line.key is not None and journey.key is None:
        source.refuse(
            [*loc, "key"], "the journey has no `key`, so no two are told apart: remove it"
        )


def _is_step(name: str, around: Around, loc: Loc) -> bool:
    """Whether there is such a step, as far as is known."""
    if around.step_ids is None or name in around.step_ids:
        return True
    hint = did_you_mean(name, around.step_ids, "the steps are")
    around.source.refuse(loc, f"there is no step `{name}`{hint}")
    return False


def _times(line: Happening, clock: Clock, source: Source, loc: Loc) -> list[datetime]:
    try:
        if line.after is not None:
            return [clock.after(line.after)]
        times = list(_every(line, clock))
    except OutOfRange:
        source.refuse(loc, "this is beyond the calendar: write a shorter time")
        return []
    if not 0 < len(times) <= _MOST_TIMES:
        problem = "happens never" if not times else f"happens more than {_MOST_TIMES} times"
        every = f"`every: {line.every}` until {line.until}"
        source.refuse([*loc, "every"], f"{every} {problem}: write another `until`")
        return []
    return times


def _every(line: Happening, clock: Clock) -> Iterator[datetime]:
    assert line.every is not None
    assert line.until is not None
    last = clock.after(line.until)
    # Each from the start, not from the one before, so that month ends do not creep.
    for times in range(1, _MOST_TIMES + 2):
        if (at := clock.after(line.every, times)) > last:
            return
        yield at


def _call(line: Happening, journey: str, customer_id: str, at: datetime) -> Played:
    who: dict[str, Any] = {"customer_id": customer_id, "message_id": ""}
    told = line.properties or {}
    key = None if line.key is None else str(line.key)
    if line.click is not None:
        url = told.get("url")
        return FollowLink(**who, at=at, journey=journey, step=line.click, key=key, url=url)
    if line.redeem is not None:
        order = told.get("order")
        return UseCoupon(**who, at=at, journey=journey, step=line.redeem, key=key, order=order)
    if line.track is not None:
        return Track(**who, at=at, event=line.track, properties=told)
    if line.identify is not None:
        return Identify(**who, at=at, traits=line.identify)
    topic = line.subscribe or line.confirm or line.unsubscribe
    return ChangeConsent(
        **who,
        at=at,
        topic=None if topic == ALL_TOPICS else topic,
        channel=None,
        subscribed=line.unsubscribe is None,
        confirmed=line.confirm is not None,
    )


def _expected(line: Get, around: Around, clock: Clock | None, loc: Loc) -> Expected | None:
    source = around.source
    what = _one_of(line, ("sent", "not_sent", "unknown", "enrollment"), source, loc)
    reason = _reason(line, what, source, loc)
    at = clock.moment(line.at, source, [*loc, "at"]) if clock is not None else None
    if what is None:
        return None
    step = str(getattr(line, what))
    if what != "enrollment":
        _is_step(step, around, [*loc, what])
    if at is None:
        return None
    if line.enrollment is not None:
        return ExpectedEnding(at, Ending(line.enrollment), source.line(loc))
    return ExpectedDecision(at, step, Decision(what), reason, source.line(loc))


def _reason(line: Get, what: str | None, source: Source, loc: Loc) -> Reason | None:
    if what == "not_sent" and line.reason is None:
        source.refuse(loc, f"`not_sent: {line.not_sent}` needs a reason, such as `reason: expired`")
    if line.reason is None:
        return None
    if what not in (None, "not_sent"):
        source.refuse([*loc, "reason"], f"`reason` belongs to `not_sent`, not `{what}`: remove it")
    try:
        return Reason(line.reason)
    except ValueError:
        hint = did_you_mean(line.reason, tuple(Reason), "the reasons are")
        source.refuse([*loc, "reason"], f"unknown reason `{line.reason}`{hint}")
        return None


def _one_of(line: _Line, keys: Sequence[str], source: Source, loc: Loc) -> str | None:
    given = [key for key in keys if getattr(line, key) is not None]
    if len(given) == 1:
        return given[0]
    choices = ", ".join(f"`{key}`" for key in keys)
    found = f", not {' and '.join(f'`{key}`' for key in given)}" if given else ""
    source.refuse(loc, f"write exactly one of {choices} here{found}")
    return None
