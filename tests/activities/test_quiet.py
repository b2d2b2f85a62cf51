"""Quiet hours of a customer whom only a phone number or a country is known of.

Asked twice: of `deliver`, on a real store, and of the simulator. They must say the same.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from activities import places
from engine.calls import Call, Identify, Track
from engine.enrollment import NotBefore, Settled
from engine.lines import StepLine
from engine.person import Stage
from engine.reasons import Decision, Reason
from engine.simulator import simulate
from store.database import Database
from tests.activities.given import DAY, NOW, START, Office, journey, open_office, policy

NIGHT = {"email": {"hours": "22:00-08:00"}}
WITH_DAYS = {"email": {"hours": "22:00-08:00", "days": "sun", "holidays": True}}


def _at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC)


# The step is due on Tuesday, 24 November, at 09:00 UTC; Thursday the 26th is Thanksgiving.
CASES: list[Any] = [
    pytest.param({"phone": "+81 90 1234 5678"}, NIGHT, {}, NOW, id="Tokyo, 18:00"),
    pytest.param({"phone": "+1 604 555 0123"}, NIGHT, {}, _at(24, 15), id="Vancouver, 02:00"),
    pytest.param({"country": "us"}, NIGHT, {}, _at(24, 18), id="the US, down to Honolulu and Adak"),
    pytest.param({"address": {"country": "IN"}}, NIGHT, {}, NOW, id="India, 14:30"),
    pytest.param(
        {"country": "US", "timezone": "Asia/Tokyo"}, NIGHT, {}, NOW, id="an American in Tokyo"
    ),
    pytest.param(
        {"phone": "+1 212 555 0123"},
        WITH_DAYS,
        {"grace": "4 days", "at": "start + 3 days"},
        _at(27, 13),
        id="New York on Thanksgiving",
    ),
    pytest.param(
        {"country": "RU"}, {}, {"between": "09:00-18:00", "grace": "9 days"}, None, id="Russia"
    ),
    pytest.param({"country": "PT"}, {}, {"between": "08:30-18:00"}, _at(24, 9, 30), id="Azores"),
]


@pytest.mark.parametrize(("traits", "quiet", "step", "goes_at"), CASES)
async def test_simulator_and_deliver_agree(
    db: Database,
    traits: dict[str, Any],
    quiet: dict[str, Any],
    step: dict[str, Any],
    goes_at: datetime | None,
) -> None:
    known = {"email": "ann@acme.example", "name": "Ann", **traits}
    what, rules = journey(step=step), policy(quiet_hours=quiet)
    office = await open_office(db, what=what, rules=rules, traits=known)
    stage = Stage(
        journeys={what.journey: what},
        policy=rules,
        channels={what.journey: {"tip": ("email",), "coupon": ("email",)}},
        evaluate=lambda *given: True,
        atlas=places,
    )
    told = (Decision.SENT, None) if goes_at else (Decision.NOT_SENT, Reason.QUIET_HOURS)
    assert await _delivered(office) == (goes_at or NOW, *told)
    assert _simulated(stage, known) == (goes_at or NOW, *told)


async def _delivered(office: Office) -> tuple[datetime, Decision, Reason | None]:
    """What `deliver` comes to, asked again at the time that it says, as the machine would."""
    step = office.journey.step("tip")
    due_at = START + (3 * DAY if "3" in str(step.at) else DAY)
    at = due_at
    for _ in range(3):
        until = due_at + _grace(step.grace)
        order = office.order(delivery={"at": at, "due_at": due_at, "until": until})
        answer = await office.deliver(order, after=at - NOW)
        if isinstance(answer, Settled):
            return at, answer.decision, answer.reason
        assert isinstance(answer, NotBefore)
        assert answer.reason is Reason.QUIET_HOURS
        assert answer.until is not None
        assert answer.until > at
        at = answer.until
    raise AssertionError("it is put off for ever")


def _grace(text: object) -> timedelta:
    return timedelta(days=int(str(text).split()[0]))


def _simulated(stage: Stage, traits: dict[str, Any]) -> tuple[datetime, Decision, Reason | None]:
    who: dict[str, Any] = {"customer_id": "c1", "at": START}
    calls: list[Call] = [
        Identify(**who, message_id="1", traits=traits),
        Track(**who, message_id="2", event="trial_started"),
    ]
    lines = simulate(stage, calls)
    (line,) = [each for each in lines if isinstance(each, StepLine) and each.step == "tip"]
    return line.at, line.decision, line.reason
