"""`scenarios.yaml`: in plain words, what customers get from the journey beside it.

    scenarios:
      - scenario: The buyer on day 4       # the claim; no two alike
        customer: {email: ada@example.com, timezone: Europe/Paris, trial_ends_at: 2026-12-23}
        starts: 2026-11-23 09:00           # the customer's wall clock, or a time with a zone
        with: {plan: pro}                  # properties of the start event
        enrolled: 3 weeks                  # instead of the start event: by hand, so long after
        until: 60 days                     # when to stop looking; 400 days after the last call
        happens:
          - {after: 4 days, track: subscription_purchased, with: {total: 50}}
          - {after: 8 days, identify: {trial_ends_at: 2027-01-15}}
          - {after: 2 days, unsubscribe: onboarding}     # a topic, or `all`; also `subscribe`
          - {every: 1 day, until: 30 days, track: report_opened}
          - {after: 3 days, click: tip}                  # in the message of that step
          - {after: 9 days, redeem: coupon, with: {order: o-1}}      # the coupon of that step
        gets:                              # everything, in order
          - {at: 2026-11-24 09:00, sent: thanks}
          - {at: 5 days, not_sent: coupon, reason: expired}
          - {at: 6 days, enrollment: converted}

`customer` are the traits, identified at `starts` just before the start event, which is the
first that the journey's `starts_on` names. Where that is Parcours' own (a customer is new,
enters or leaves a segment), what they are and what `happens` bring it about. Durations count
from `starts`, in the calendar of the zone that `customer` names (else the policy's). The
surprising fact: a time zone that `happens` changes does not change how the times under
`gets` are read.
"""

import hashlib
import re
import unicodedata
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from authoring.journey_file import CheckedJourney
from authoring.policy_file import PolicyNames
from authoring.scenario_lines import (
    Around,
    Clock,
    Expected,
    Get,
    Happening,
    read_gets,
    read_happens,
)
from authoring.shapes import read_shape
from authoring.source import Loc, Source
from engine.calls import Call, EnrollByHand, Identify, Played, Track
from engine.events import BuiltInEvent
from engine.fields import DurationText
from engine.localtime import zone
from engine.values import read_instant

# Longer than a yearly repeat, so that a birthday comes at least once.
_LOOK_ON = timedelta(days=400)
# What nobody sends: it comes of the traits, and of what `happens`.
_COMES_BY_ITSELF = frozenset(
    {BuiltInEvent.CUSTOMER_CREATED, BuiltInEvent.SEGMENT_ENTERED, BuiltInEvent.SEGMENT_LEFT}
)
_LONGEST_ID = 64  # what an id may have and still be read in the Temporal UI (engine/keys.py)


@dataclass(frozen=True)
class Scenario:
    """One customer's story: what is told to Parcours, in time order, and what must come of it.

    `expected` has every decision and the ending, not the entering. `until` is inclusive.
    `lines` are those at which the calls are written.
    """

    name: str
    journey: str
    customer_id: str
    calls: tuple[Played, ...]
    lines: tuple[int, ...]
    expected: tuple[Expected, ...]
    until: datetime
    file: str
    line: int


class _Story(BaseModel):
    """A scenario as the file says it; its lines are read one by one."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    scenario: str = Field(min_length=1, examples=["The buyer on day 4"])
    customer: dict[str, Any] = {}
    starts: str = Field(examples=["2026-11-23 09:00"])
    properties: dict[str, Any] = Field(default={}, alias="with", examples=["{plan: pro}"])
    enrolled: DurationText | None = Field(default=None, examples=["3 weeks"])
    until: str | None = Field(default=None, examples=["60 days"])
    happens: list[Any] = Field(default=[], examples=["[{after: 4 days, track: opened}]"])
    gets: list[Any] = Field(examples=["[{at: 1 day, sent: thanks}]"])


class WholeStory(_Story):
    """A scenario with its lines."""

    happens: list[Happening] = []
    gets: list[Get]


class ScenariosFile(BaseModel):
    """The whole file in one piece, for `json_schema`; it is read line by line."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    scenarios: list[WholeStory]


_STAND_INS = {"scenario": "stand-in", "starts": "2026-01-01", "gets": []}


def read_scenarios(
    source: Source, checked: CheckedJourney, names: PolicyNames, default_zone: str
) -> tuple[Scenario, ...]:
    """The scenarios of a file that are right; every mistake goes to `source`.

    A scenario is checked against its journey as far as that could be read; without a
    journey none comes out.
    """
    data = source.data
    stories = data.get("scenarios") if isinstance(data, dict) else None
    if not isinstance(stories, list):
        source.refuse((), "expected `scenarios:` and below it a list, `- scenario: …` for each")
        return ()
    for key in data:
        if key != "scenarios":
            source.refuse((key,), f"unknown key `{key}`: the only key here is `scenarios`")
    reader = _Reader(source, checked, names, default_zone)
    found = [reader.scenario(raw, ("scenarios", index)) for index, raw in enumerate(stories)]
    return tuple(scenario for scenario in found if scenario is not None)


class _Reader:
    """Reads the scenarios of one file, each of which must have a name of its own."""

    def __init__(
        self, source: Source, checked: CheckedJourney, names: PolicyNames, default_zone: str
    ) -> None:
        self._source = source
        self._checked = checked
        self._around = Around(source, checked.step_ids, checked.journey, names)
        self._default_zone = default_zone
        self._first_lines: dict[str, int] = {}

    def scenario(self, raw: object, loc: Loc) -> Scenario | None:
        source, before = self._source, len(self._source.mistakes)
        shape = read_shape(_Story, raw, source, loc, _STAND_INS)
        if (story := shape.value) is None:
            return None
        if shape.good("scenario"):
            self._check_name(story.scenario, loc)
        clock = self._clock(story, loc) if shape.good("starts") and shape.good("customer") else None
        customer_id = slug(story.scenario)
        happens = read_happens(story.happens, customer_id, self._around, clock, [*loc, "happens"])
        expected = read_gets(story.gets, self._around, clock, [*loc, "gets"])
        until = _until(story, clock, source, loc)
        opening = self._opening(story, customer_id, clock, loc)
        journey = self._checked.journey
        if journey is None or len(source.mistakes) > before:
            return None
        line = source.line(loc)
        written = [*((call, line) for call in opening), *happens]
        calls, lines = _numbered(written, f"{journey.journey}/{customer_id}")
        return Scenario(
            name=story.scenario,
            journey=journey.journey,
            customer_id=customer_id,
            calls=calls,
            lines=lines,
            expected=expected,
            until=until or calls[-1].at + _LOOK_ON,
            file=source.file,
            line=line,
        )

    def _check_name(self, name: str, loc: Loc) -> None:
        line = self._source.line(loc)
        first = self._first_lines.setdefault(slug(name), line)
        if first != line:
            self._source.refuse(
                [*loc, "scenario"],
                f"a second scenario of this name (the first is in line {first}): say what is "
                "different in this one",
            )

    def _clock(self, story: _Story, loc: Loc) -> Clock | None:
        """An unknown zone is the policy's, as it is for a real customer."""
        tz = zone(str(story.customer.get("timezone"))) or zone(self._default_zone)
        assert tz is not None  # the policy was checked
        starts_at = read_instant(story.starts, tz)
        if starts_at is None:
            self._source.refuse(
                [*loc, "starts"],
                f"`starts: {story.starts}` is not a time: write it like `2026-11-23 09:00`",
            )
            return None
        return Clock(tz, starts_at)

    def _opening(
        self, story: _Story, customer_id: str, clock: Clock | None, loc: Loc
    ) -> tuple[Call, ...]:
        """What the customer is known by, and what starts the journey."""
        head = self._checked.head
        if clock is None or head.value is None:
            return ()
        who: dict[str, Any] = {"customer_id": customer_id, "message_id": ""}
        identify = Identify(**who, at=clock.starts_at, traits=story.customer)
        if story.enrolled is not None:
            by_hand = EnrollByHand(
                **who,
                at=clock.after(story.enrolled),
                journey=head.value.journey,
                start_at=clock.starts_at,
                properties=story.properties,
            )
            return identify, by_hand
        if not head.value.starts_on:
            if head.good("starts_on"):
                self._source.refuse(
                    loc, "the journey has no `starts_on`: write `enrolled: 0 days`, by hand at once"
                )
            return (identify,)
        event = head.value.starts_on[0].event
        if event in _COMES_BY_ITSELF:
            if story.properties:
                self._source.refuse(
                    [*loc, "with"],
                    f"nobody sends `{event}`, so `with` means nothing: write what brings it "
                    "about under `happens`, such as `{after: 0 days, track: …}`",
                )
            return (identify,)
        start = Track(**who, at=clock.starts_at, event=event, properties=story.properties)
        return identify, start


def slug(name: str) -> str:
    """The name as an id of at most 64 characters: letters, digits and hyphens.

    A long name is cut, and carries a hash of the whole, so that no two become one.
    """
    ascii_only = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    text = re.sub(r"[^a-z0-9]+", "-", ascii_only).strip("-")
    digest = hashlib.sha256(name.encode()).hexdigest()[:6]
    if not text:
        return digest
    return text if len(text) <= _LONGEST_ID else f"{text[: _LONGEST_ID - 7].rstrip('-')}-{digest}"


def _until(story: _Story, clock: Clock | None, source: Source, loc: Loc) -> datetime | None:
    if clock is None or story.until is None:
        return None
    return clock.moment(story.until, source, [*loc, "until"])


def _numbered(
    written: list[tuple[Played, int]], prefix: str
) -> tuple[tuple[Played, ...], tuple[int, ...]]:
    """In time order, those of one instant as written, each with an id that stays the same."""
    written.sort(key=lambda each: each[0].at)
    calls = (replace(call, message_id=f"{prefix}/{n}") for n, (call, _) in enumerate(written, 1))
    return tuple(calls), tuple(line for _, line in written)
