"""The judge objects to everything that it is there for, and to nothing that is right."""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowExecutionStatus

from benchmarks.mailing import Miscount
from engine.keys import message_key
from engine.reasons import Decision
from tests.crash.evidence import Evidence, Inside, Kept, Put, Run, Settled
from tests.crash.judge import objections
from tests.crash.lives import EXIT, LOOK, ORDER, REMINDER_BEFORE, START, Call, Life, draw_lives

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
TRIAL_ENDS = NOON + timedelta(days=60)


def call(number: int, customer: str, name: str | None, ends_at: datetime | None = None) -> Call:
    kind = "identify" if name is None else "track"
    return Call(f"{customer}-m{number}", customer, kind, {}, name, ends_at)


# One who stays and orders twice, the date moved between; one who orders, and leaves.
STAYS = Life(
    "c1",
    (
        call(0, "c1", None, NOON),
        call(1, "c1", START),
        call(2, "c1", ORDER),
        call(3, "c1", None, TRIAL_ENDS),
        call(4, "c1", ORDER),
    ),
)
LEAVES = Life("c2", (call(0, "c2", START), call(1, "c2", ORDER), call(2, "c2", EXIT)))
LIVES = [STAYS, LEAVES]
TAKEN = [call.message_id for life in LIVES for call in life.calls]

_DEEDS = {
    "c1-m1": "entered",
    "c1-m2": "fired",
    "c1-m3": "moved",
    "c1-m4": "fired",
    "c2-m0": "entered",
    "c2-m1": "fired",
    "c2-m2": "exited",
}
_RECEIPTS = ("c1-m2", "c1-m4", "c2-m1")


def _enrollment(message_id: str) -> str:
    return f"trial:{message_id.partition('-')[0]}"


RIGHT = Evidence(
    events=tuple(
        Kept(
            message_id,
            message_id.partition("-")[0],
            (f"{_DEEDS[message_id]} {_enrollment(message_id)}",) if message_id in _DEEDS else (),
        )
        for message_id in TAKEN
    ),
    created=("c1", "c2"),
    stats={("c1", START): 1, ("c1", ORDER): 2, ("c2", START): 1, ("c2", ORDER): 1, ("c2", EXIT): 1},
    enrollments=(
        Inside("trial:c1", "c1", "open", None, "c1-m1", "reminder", TRIAL_ENDS - REMINDER_BEFORE),
        Inside("trial:c2", "c2", "exited", EXIT, "c2-m0", None, None),
    ),
    messages=tuple(
        Settled(
            message_key(_enrollment(each), "receipt", each), _enrollment(each), each, Decision.SENT
        )
        for each in _RECEIPTS
    ),
    mails=_RECEIPTS,
    outbox=tuple(Put(each, _enrollment(each), True, False) for each in _DEEDS),
    runs=(
        Run("trial:c1", WorkflowExecutionStatus.RUNNING),
        Run("trial:c2", WorkflowExecutionStatus.COMPLETED),
    ),
)


def test_what_is_right_is_right() -> None:
    assert objections(LIVES, TAKEN, RIGHT) == []


def test_who_leaves_may_miss_a_receipt_or_have_it_left_unclear() -> None:
    unknown = replace(RIGHT.messages[2], decision=Decision.UNKNOWN)
    for messages, mails in (
        (RIGHT.messages[:2], RIGHT.mails[:2]),
        ((*RIGHT.messages[:2], unknown), RIGHT.mails[:2]),
        ((*RIGHT.messages[:2], unknown), RIGHT.mails),
    ):
        assert objections(LIVES, TAKEN, replace(RIGHT, messages=messages, mails=mails)) == []


def _changed(field: str, index: int, **values: object) -> Callable[[Evidence], Evidence]:
    def change(found: Evidence) -> Evidence:
        rows = list(getattr(found, field))
        rows[index] = replace(rows[index], **values)
        changed: dict[str, Any] = {field: tuple(rows)}
        return replace(found, **changed)

    return change


def _without(field: str, index: int) -> Callable[[Evidence], Evidence]:
    def change(found: Evidence) -> Evidence:
        rows = getattr(found, field)
        left: dict[str, Any] = {field: rows[:index] + rows[index + 1 :]}
        return replace(found, **left)

    return change


def _doubled(field: str) -> Callable[[Evidence], Evidence]:
    def change(found: Evidence) -> Evidence:
        rows = getattr(found, field)
        more: dict[str, Any] = {field: (*rows, rows[0])}
        return replace(found, **more)

    return change


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (_without("events", 0), "event ('c1-m0', 'c1'): 0 times, not 1"),
        (_changed("events", 0, customer="c2"), "event ('c1-m0', 'c2'): 1 times, not 0"),
        (_doubled("created"), "`customer.created` of c1: 2 times, not 1"),
        (lambda found: replace(found, stats={**found.stats, ("c1", ORDER): 3}), "count of"),
        (lambda found: replace(found, stats={}), "count of"),
        (_without("enrollments", 0), "enrollment ('trial:c1', 'c1-m1'): 0 times"),
        (_doubled("enrollments"), "enrollment ('trial:c1', 'c1-m1'): 2 times"),
        (_changed("enrollments", 0, id="trial:c1:~2"), "enrollment ('trial:c1:~2'"),
        (_changed("enrollments", 1, state="open"), "trial:c2 is open"),
        (_changed("enrollments", 1, ended_by="temporal"), "by temporal, not exited"),
        (_changed("enrollments", 0, next_at=NOON), "trial:c1 is to go on with reminder"),
        (_changed("events", 2, did=()), "deed ('c1-m2', 'fired trial:c1'): 0 times"),
        (_without("outbox", 0), "row of the outbox ('c1-m1', 'trial:c1'): 0 times"),
        (_doubled("outbox"), "row of the outbox ('c1-m1', 'trial:c1'): 2 times"),
        (_changed("outbox", 0, is_done=False), "still waits"),
        (_changed("outbox", 0, is_parked=True), "was put aside"),
        (_without("messages", 0), "no message trial:c1/receipt/c1-m2"),
        (_doubled("messages"), "2 messages trial:c1/receipt/c1-m2"),
        (_changed("messages", 0, decision=None), "not sent"),
        (_changed("messages", 0, decision=Decision.UNKNOWN), "not sent"),
        (_changed("messages", 0, key="trial:c1/receipt/x"), "for nothing"),
        (_without("mails", 0), "mail c1-m2: 0 times, not 1"),
        (_doubled("mails"), "mail c1-m2: 2 times, not 1"),
        (_without("runs", 0), "workflow ('trial:c1'"),
        (_changed("runs", 1, status=WorkflowExecutionStatus.RUNNING), "workflow ('trial:c2'"),
        (_changed("runs", 0, failures=("NON_DETERMINISTIC_ERROR",)), "a task of trial:c1 failed"),
    ],
)
def test_what_is_wrong_is_objected_to(
    spoil: Callable[[Evidence], Evidence], complaint: str
) -> None:
    wrong = objections(LIVES, TAKEN, spoil(RIGHT))
    assert any(complaint in each for each in wrong), wrong


def test_a_visitor_is_nobody_until_the_alias() -> None:
    calls = draw_lives(random.Random(7), 50, NOON)
    life = next(life for life in calls if life.calls[0].visitor)
    visit = life.calls[0]
    assert visit.visitor is not None
    found = Evidence(
        (Kept(visit.message_id, visit.visitor, ()),),
        (),
        {(visit.visitor, LOOK): 1},
        *((), (), (), (), ()),
    )
    assert objections([life], [visit.message_id], found) == []
    assert objections([life], [call.message_id for call in life.calls[:2]], found) != []


def test_what_got_no_200_is_not_asked_for() -> None:
    nothing = Evidence((), (), {}, (), (), (), (), ())
    assert objections(LIVES, [], nothing) == []
    assert objections(LIVES, TAKEN, nothing) != []


def test_a_seed_gives_the_same_lives_again() -> None:
    first, again = (draw_lives(random.Random(7), 50, NOON) for _ in range(2))
    assert first == again
    assert first != draw_lives(random.Random(8), 50, NOON)
    names = {call.name or call.kind for life in first for call in life.calls}
    assert {START, ORDER, EXIT, "identify", "group", "alias"} <= names


def test_the_benchmark_of_a_message_to_many_counts_who_had_it_otherwise_than_once() -> None:
    wanted = ["c1", "c2", "c3"]
    assert Miscount.of(Counter(wanted), wanted) == Miscount(never=0, twice=0, others=0)
    had = Counter({"c1": 2, "c2": 1, "x1": 1, "x2": 3})
    assert Miscount.of(had, wanted) == Miscount(never=1, twice=2, others=2)
