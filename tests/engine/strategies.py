"""Random journeys and random lives, for the laws in test_laws.py.

They draw definitions as a person would write them and let the models read them, so that
nothing is tested which can't be in a file. Times are few and round on purpose: collisions
at one instant are where machines go wrong.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from engine.definition import Journey
from engine.enrollment import (
    Adopt,
    End,
    Facts,
    Input,
    NotBefore,
    Notice,
    Pause,
    Resume,
    Retry,
    SendNow,
    Settled,
    Skip,
    Start,
)
from engine.reasons import Decision, Ending, Reason

ORIGIN = datetime(2026, 3, 24, 9, tzinfo=UTC)  # Europe's clocks change on the 29th
ZONES = ("UTC", "Europe/Paris", "Pacific/Auckland", "America/Los_Angeles")
TRAITS = ("ends", "birthday")
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Happening:
    """Something that happens `at`: an input, or (None) the customer using the product."""

    at: datetime
    told: Input | None


@dataclass(frozen=True)
class Reply:
    """What `deliver` will say, so long after it was asked; None: it puts the step back."""

    outcome: Settled | NotBefore | None
    after: timedelta
    later: timedelta | None = None  # NotBefore: this long after the decision's time


@dataclass(frozen=True)
class Life:
    """All that decides an enrollment's course."""

    journey: Journey
    start: Start
    facts: Facts
    happenings: tuple[Happening, ...]
    replies: tuple[Reply, ...]
    ticks: tuple[datetime, ...]  # needless wake-ups

    @property
    def until(self) -> datetime:
        return ORIGIN + 40 * DAY


_dates = st.sampled_from(
    [
        None,
        "nonsense",
        "2026-03-28",
        "2026-03-29T02:30:00",
        "2026-04-02T09:00:00Z",
        1774947600,
        "2026-04-20",
        "2026-01-05",
    ]
)
_durations = st.sampled_from(["0 minutes", "30 minutes", "1 day", "2 days", "5 days", "1 month"])
_spans = st.sampled_from(["12 hours", "1 day", "3 days", "10 days"])


@st.composite
def _expressions(draw: st.DrawFn, earlier: list[str]) -> str:
    anchors = ["start", "event.due", *(f"customer.{name}" for name in TRAITS), *earlier, *earlier]
    text = draw(st.sampled_from(anchors))
    for sign, duration in draw(st.lists(st.tuples(st.sampled_from("+-"), _durations), max_size=2)):
        text += f" {sign} {duration}"
    return text + draw(st.sampled_from(["", "", " at 09:00", " at 02:30"]))


@st.composite
def _steps(draw: st.DrawFn, step_id: str, earlier: list[str]) -> dict[str, Any]:
    step: dict[str, Any] = {"id": step_id, "send": step_id}
    match draw(st.sampled_from(["at", "at", "at", "idle", "event"])):
        case "at":
            text = step["at"] = draw(_expressions(earlier))
            changes = not text.startswith(("start", "event."))
            repeats = [None, None, "daily", "weekly", "monthly", *([True, True] if changes else [])]
            repeat = draw(st.sampled_from(repeats))
        case "idle":
            step["after_idle"] = draw(_spans)
            repeat = draw(st.sampled_from([None, True]))
        case _:
            step["after_event"] = {"event": "used", "wait": draw(_durations)}
            repeat = draw(st.sampled_from([None, True]))
    if repeat is not None:
        step["repeat"] = repeat
    extras = {
        "between": st.sampled_from(["09:00-18:00", "20:00-02:00"]),
        "days": st.sampled_from(["mon-fri", "sat,sun", "wed"]),
        "grace": st.sampled_from(["0 minutes", "1 hour", "3 days"]),
    }
    for name, values in extras.items():
        if draw(st.integers(0, 3)) == 0:
            step[name] = draw(values)
    return step


@st.composite
def journeys(draw: st.DrawFn) -> Journey:
    """A journey of up to four steps, in any order of dependence."""
    ids = draw(st.permutations(["alpha", "beta", "gamma", "delta"]))
    ids = ids[: draw(st.integers(1, 4))]
    steps = [draw(_steps(step_id, ids[:place])) for place, step_id in enumerate(ids)]
    data: dict[str, Any] = {
        "journey": "random",
        "title": "Random",
        "topic": "news",
        "steps": draw(st.permutations(steps)),
    }
    ends_at = draw(st.sampled_from([None, "start + 5 days", "start + 1 month", "customer.ends"]))
    if ends_at is not None:
        data["ends_at"] = ends_at
    return Journey.model_validate(data, extra="forbid")


_moments = st.builds(
    lambda days, minutes: ORIGIN + days * DAY + timedelta(minutes=minutes),
    st.integers(0, 30),
    st.sampled_from([0, 0, 0, 1, 30, 600]),
)
_traits = st.fixed_dictionaries(dict.fromkeys(TRAITS, _dates))


@st.composite
def _happenings(draw: st.DrawFn, journey: Journey, number: int) -> Happening:
    at = draw(_moments)
    step = draw(st.sampled_from([each.id for each in journey.steps] + ["nobody"]))
    fires = tuple(each.id for each in journey.steps if each.after_event is not None)
    event = {"event_id": f"e{number}", "at": at}
    told: Input | None
    match draw(st.sampled_from(["used", "used", "move", "move", "zone", "exit", "hand", "hand"])):
        case "used":
            told = Notice(**event, name="used", fires=fires) if fires else None
        case "move":
            told = Notice(**event, name="identify", traits=draw(_traits))
        case "zone":
            told = Notice(**event, name="identify", zone=draw(st.sampled_from(ZONES)))
        case "exit":
            ending = draw(st.sampled_from([None, Ending.EXITED, Ending.CONVERTED]))
            told = Notice(**event, name="gone", ending=ending)
        case _:
            told = draw(st.sampled_from(_by_hand(journey, at, step)))
    return Happening(at=at, told=told)


def _by_hand(journey: Journey, at: datetime, step: str) -> list[Input]:
    pinned = journey.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    free = [s for s in pinned["steps"] if s["id"] != step]
    known = {s["id"] for s in free}
    kept = [s for s in free if str(s.get("at", "start")).split()[0] in known or _stands(s)]
    return [
        Pause(at=at),
        Resume(at=at),
        Resume(at=at),
        Skip(at=at, step=step),
        SendNow(at=at, step=step),
        Retry(at=at, step=step),
        Retry(at=at, step=step),
        Adopt(at=at, definition={**pinned, "journey": "another"}),
        Adopt(at=at, definition={**pinned, "steps": kept or pinned["steps"]}),
        Adopt(at=at, definition={**pinned, "steps": [{**s, "grace": "2 days"} for s in free]}),
        End(at=at, ending=Ending.CANCELLED, by="somebody"),
    ]


def _stands(step: dict[str, Any]) -> bool:
    return str(step.get("at", "start")).startswith(("start", "event.", "customer."))


_replies = st.builds(
    Reply,
    outcome=st.sampled_from(
        [
            Settled(decision=Decision.SENT, channel="email", message="m"),
            Settled(decision=Decision.SENT, channel="email", message="m"),
            Settled(decision=Decision.UNKNOWN),
            Settled(decision=Decision.NOT_SENT, reason=Reason.CONDITION),
            Settled(decision=Decision.NOT_SENT, reason=Reason.EXPIRED),
            NotBefore(reason=Reason.QUIET_HOURS),
            NotBefore(reason=Reason.CAPPED),
            NotBefore(reason=Reason.STOPPED),
            None,
        ]
    ),
    after=st.sampled_from([timedelta(0)] * 4 + [timedelta(seconds=s) for s in (1, 10, 90, 7200)]),
    later=st.sampled_from([timedelta(0), timedelta(hours=-1), timedelta(hours=9), DAY, 4 * DAY]),
)


@st.composite
def lives(draw: st.DrawFn) -> Life:
    """A journey with everything that happens to one enrollment in it."""
    journey = draw(journeys())
    entered_at = ORIGIN + draw(st.sampled_from([timedelta(0), timedelta(0), 3 * DAY]))
    count = draw(st.integers(0, 8))
    happenings = [draw(_happenings(journey, number)) for number in range(count)]
    happenings = [each for each in happenings if each.at >= entered_at]
    return Life(
        journey=journey,
        start=Start(
            event_id="start", at=ORIGIN, entered_at=entered_at, values={"due": draw(_dates)}
        ),
        facts=Facts(
            zone=draw(st.sampled_from(ZONES)),
            traits=draw(_traits),
            last_activity_at=draw(st.sampled_from([None, ORIGIN, ORIGIN - 2 * DAY])),
        ),
        happenings=tuple(sorted(happenings, key=lambda each: each.at)),
        replies=tuple(draw(st.lists(_replies, min_size=1, max_size=5))),
        ticks=tuple(sorted(draw(st.lists(_moments, max_size=6)))),
    )
