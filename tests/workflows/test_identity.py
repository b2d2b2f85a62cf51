"""Visitors who become known, customers who become one, colleagues: the simulator as the real stack.

Each story is played twice. What came of it is told in short; that both tell it alike, to the
last field, is what keeps a simulation worth reading.
"""

from collections.abc import Sequence
from typing import Any

import pytest

from authoring.folder import LoadedJourneys, load_journeys
from cli.simulate import play
from engine.calls import SegmentCall
from engine.lines import LifeLine, Line
from engine.segment import parse_recorded
from engine.segment_fields import Refused
from worker.rehearsal import rehearse

POLICY = """
sender: {name: Ada, email: ada@example.com}
postal_address: 1 High Street, Paris
topics: {news: {title: News, subscribed: true}}
"""

JOURNEY = """
journey: team
title: A team tries it
starts_on: began
ends_on: {event: left, of: company}
ends_at: start + 60 days
goal: {event: bought, of: company}
topic: news
reenter: after_exit
steps:
  - send: hello
    at: customer.company.ends - 5 days
  - send: note
    after_event: looked
"""

HTML = '<p>Hi</p><p><a href="{{ links.unsubscribe }}">no more</a> {{ policy.postal_address }}</p>'


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> LoadedJourneys:
    folder = tmp_path_factory.mktemp("journeys")
    (folder / "policy.yaml").write_text(POLICY)
    (folder / "team").mkdir()
    (folder / "team" / "journey.yaml").write_text(JOURNEY)
    for message in ("hello", "note"):
        (folder / "team" / message).mkdir()
        (folder / "team" / message / "subject.txt").write_text("Hi from {{ customer.email }}")
        (folder / "team" / message / "email.html").write_text(HTML)
    return load_journeys(folder)


def identify(day: str, who: str, **more: Any) -> dict[str, Any]:
    traits = {"email": f"{who}@example.com"}
    return {"type": "identify", "userId": who, "timestamp": _at(day), "traits": traits, **more}


def track(day: str, event: str, **who: str) -> dict[str, Any]:
    return {"type": "track", "event": event, "timestamp": _at(day), **who}


def group(day: str, who: str, **traits: str) -> dict[str, Any]:
    return {
        "type": "group",
        "userId": who,
        "groupId": "acme",
        "timestamp": _at(day),
        "traits": traits,
    }


def alias(day: str, who: str, previous: str) -> dict[str, Any]:
    return {"type": "alias", "userId": who, "previousId": previous, "timestamp": _at(day)}


def _at(day: str) -> str:
    """`23 08:30`: in November 2026, UTC."""
    number, _, time = day.partition(" ")
    return f"2026-11-{number}T{time or '09:00'}:00Z"


STORIES: dict[str, tuple[list[dict[str, Any]], list[str]]] = {
    "a visitor becomes known": (
        [
            track("23 08:00", "began", anonymousId="v"),
            track("23 08:30", "looked", anonymousId="v"),
            identify("23", "ann", anonymousId="v"),
        ],
        ["ann entered", "ann note sent", "ann completed"],
    ),
    "a visitor had left before anybody knew who it was": (
        [
            identify("23 08:00", "ann"),
            track("23 08:00", "began", userId="ann"),
            track("23 08:30", "left", anonymousId="v"),
            identify("23", "ann", anonymousId="v"),
        ],
        ["ann entered", "ann exited"],
    ),
    "a visitor began, left and began again": (
        [
            track("23 08:00", "began", anonymousId="v"),
            track("23 08:10", "left", anonymousId="v"),
            track("23 08:20", "began", anonymousId="v"),
            identify("23", "ann", anonymousId="v"),
        ],
        ["ann entered", "ann exited", "ann entered", "ann completed"],
    ),
    "two customers are one, and the older enrollment stays": (
        [
            identify("23", "ann"),
            track("23", "began", userId="old"),
            track("24", "began", userId="ann"),
            alias("25", "ann", "old"),
            track("26", "looked", userId="old"),
        ],
        ["ann entered", "ann entered", "ann exited", "ann note sent", "ann completed"],
    ),
    "what the one did ends what the other was in, and a later start counts again": (
        [
            identify("23", "ann"),
            track("23", "began", userId="ann"),
            track("24", "left", userId="old"),
            track("25", "began", userId="old"),
            alias("26", "ann", "old"),
        ],
        ["ann entered", "ann entered", "ann exited", "ann exited", "ann entered", "ann completed"],
    ),
    "a company's date moves its members, and a colleague's purchase ends them all": (
        [
            identify("23", "ann"),
            group("23", "ann", ends="2026-12-20"),
            track("23 10:00", "began", userId="ann"),
            identify("24", "bo"),
            track("24", "began", userId="bo"),
            group("24 10:00", "bo"),
            group("25", "ann", ends="2026-12-01"),
            track("27", "bought", userId="bo"),
        ],
        [
            *("ann entered", "bo entered"),
            *("ann hello sent", "bo hello sent"),
            *("ann converted", "bo converted"),
        ],
    ),
}


def _calls(raws: Sequence[dict[str, Any]]) -> list[SegmentCall]:
    calls = [parse_recorded(raw) for raw in raws]
    accepted = [call for call in calls if not isinstance(call, Refused)]
    assert len(accepted) == len(calls)
    return accepted


def _short(line: Line) -> str:
    if isinstance(line, LifeLine):
        return f"{line.customer} {line.ending or 'entered'}"
    return f"{line.customer} {line.step} {line.decision}"


@pytest.mark.parametrize("story", STORIES)
async def test_the_simulator_and_a_real_server_tell_the_same_story(
    loaded: LoadedJourneys, story: str
) -> None:
    raws, wanted = STORIES[story]
    calls, team = _calls(raws), loaded.journeys["team"]
    simulated = play(team, loaded.policy, calls, None)
    assert sorted(map(_short, simulated)) == sorted(wanted)
    assert await rehearse(team, loaded.policy, calls) == simulated
