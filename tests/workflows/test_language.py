"""What the language says beside times: each word played by the simulator and by the real stack.

Enrollments beside one another, the newest alone, offers compared, who is taken off topics, the
best hour. What came of it is told in short; that both tell it alike, to the last field, is
what keeps a simulation worth reading.
"""

from datetime import timedelta
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
timezone: Europe/Paris
currency: EUR
topics: {news: {title: News, subscribed: true}}
"""

JOURNEYS = {
    "order": """
starts_on: ordered
reenter: always
steps:
  - send: review
    at: start + 1 day
    when: event.products | having('category', 'tablet')
""",
    "cart": """
starts_on: filled
ends_on: bought
key: cart
newest_only: true
reenter: after_exit
steps:
  - id: offer
    at: start + 1 day
    variants:
      a: {send: shipping, offer: {free_shipping: true, valid: 3 days}}
      b: {send: voucher, offer: {percent: 10, valid: 3 days}}
""",
    "sunset": """
starts_on: slept
ends_at: start + 9 days
steps:
  - id: off
    unsubscribe: [news]
    at: start + 1 day
  - send: review
    at: start + 2 days
  - id: heard
    set: {gone: true}
    after_event: consent.withdrawn
""",
    "hours": """
starts_on: came
ends_at: customer.ends
steps:
  - send: review
    at: start + 1 day at best hour
  - id: again
    send: review
    at: review at best hour
    days: mon-fri
""",
}
TEXTS = {
    "review": "<p>Hi</p>",
    "shipping": "{% if offer.free_shipping %}<p>{{ offer.code }}</p>{% endif %}",
    "voucher": "<p>{{ offer.percent | percent }} {{ offer.code }}</p>",
}
FOOT = '<p><a href="{{ links.unsubscribe }}">no more</a> {{ policy.postal_address }}</p>'

# What happens: a day and hour of November 2026 in UTC, an event, its properties.
Happening = tuple[str, str, dict[str, Any]]
TABLET = {"products": [{"name": "T", "category": "tablet"}]}
STORIES: dict[str, tuple[list[Happening], list[str]]] = {
    "order": (
        [
            ("02 09", "ordered", TABLET),
            ("02 11", "ordered", {"products": [{"name": "C"}]}),
            ("02 15", "ordered", TABLET),
        ],
        ["entered"] * 3
        + ["review sent", "completed", "review condition", "completed", "review sent", "completed"],
    ),
    "cart": (
        [
            ("02 09", "filled", {"cart": "1"}),
            ("02 12", "filled", {"cart": "2"}),
            ("02 15", "filled", {"cart": "1"}),
            ("04 09", "bought", {}),
        ],
        [
            "entered 1",
            "exited 1",
            "entered 2",
            "exited 2",
            "entered 1",
            "offer sent",
            "completed 1",
        ],
    ),
    "sunset": (
        [("02 09", "slept", {})],
        ["entered", "off sent", "heard sent", "review unsubscribed", "completed"],
    ),
    "hours": (
        [*((f"0{day} 18", "used", {}) for day in range(1, 8)), ("09 09", "came", {})],
        ["entered", "review sent 10 18:00", "again sent 10 18:00", "completed"],
    ),
}


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> LoadedJourneys:
    folder = tmp_path_factory.mktemp("journeys")
    (folder / "policy.yaml").write_text(POLICY)
    for name, text in JOURNEYS.items():
        (folder / name).mkdir()
        head = f"journey: {name}\ntitle: T\ntopic: news\ngoal: never\n"
        (folder / name / "journey.yaml").write_text(head + text)
        for message in [each for each in TEXTS if f"send: {each}" in text]:
            (folder / name / message).mkdir()
            (folder / name / message / "subject.txt").write_text("Hi")
            (folder / name / message / "email.html").write_text(TEXTS[message] + FOOT)
    return load_journeys(folder)


def _calls(happenings: list[Happening]) -> list[SegmentCall]:
    said: list[dict[str, Any]] = [
        {"type": "identify", "traits": {"email": "ada@example.com"}, "timestamp": _at("01 08")},
        *(
            {"type": "track", "event": event, "properties": given, "timestamp": _at(day)}
            for day, event, given in happenings
        ),
    ]
    calls: list[SegmentCall] = []
    for number, each in enumerate(said):
        call = parse_recorded({**each, "userId": "ada", "messageId": f"m{number}"})
        assert not isinstance(call, Refused), call
        calls.append(call)
    return calls


def _at(day: str) -> str:
    return f"2026-11-{day}:00:00Z".replace(" ", "T")


def _short(line: Line) -> str:
    if isinstance(line, LifeLine):
        return f"{line.ending or 'entered'} {line.key or ''}".strip()
    when = f" {line.at:%d %H:%M}" if line.journey == "hours" else ""
    return f"{line.step} {line.reason or line.decision}{when}"


@pytest.mark.parametrize("name", STORIES)
async def test_a_simulation_and_a_real_server_tell_the_same(
    loaded: LoadedJourneys, name: str
) -> None:
    happenings, expected = STORIES[name]
    journey, calls = loaded.journeys[name], _calls(happenings)
    until = calls[-1].at + timedelta(days=20)
    lines = play(journey, loaded.policy, calls, until)
    assert [_short(line) for line in lines] == expected
    assert await rehearse(journey, loaded.policy, calls, until) == lines
