"""A channel's rate: never more, hardly ever less, transactional first, and few questions."""

import heapq
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.rates import PATIENCE, TRANSACTIONAL_PATIENCE, Ask, Lines, Place, Slot, moment, take

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


@dataclass
class Told:
    """What became of one message: when it was sent, if it was, and how often it asked."""

    transactional: bool
    due_at: datetime
    sent_at: datetime | None = None
    asked: int = 0


def play(
    arrivals: Sequence[tuple[timedelta, bool]],
    every: timedelta,
    late: Sequence[timedelta] = (timedelta(0),),
    left: timedelta = DAY,
) -> list[Told]:
    """Everyone asks when due (offset, transactional), and again whenever told to, a bit late."""
    lines = Lines(NOW, NOW, NOW)
    told = [Told(transactional, NOW + due) for due, transactional in arrivals]
    # Of those who ask at one instant, transactional ones come first, as tasks in Temporal do.
    asking = [(each.due_at, not each.transactional, n) for n, each in enumerate(told)]
    heapq.heapify(asking)
    while asking:
        now, _, number = heapq.heappop(asking)
        each = told[number]
        ask = Ask(each.transactional, waited=each.asked > 0, left=each.due_at + left - now)
        each.asked += 1
        lines, turn = take(lines, now, every, ask)
        match turn:
            case Slot(wait=wait):
                each.sent_at = now + wait
            case Place(wait=wait):
                again = now + wait + late[(number + each.asked) % len(late)]
                heapq.heappush(asking, (again, not each.transactional, number))
            case None:
                pass
    return told


def at_once(marketing: int, transactional: int = 0) -> list[tuple[timedelta, bool]]:
    """So many messages, all due now."""
    return [(timedelta(0), number < transactional) for number in range(marketing + transactional)]


def sent(told: Sequence[Told]) -> list[datetime]:
    return sorted(each.sent_at for each in told if each.sent_at is not None)


_moments = st.timedeltas(min_value=timedelta(0), max_value=60 * SECOND)
_lateness = st.lists(st.timedeltas(timedelta(0), SECOND), min_size=1, max_size=7)


@given(
    st.lists(st.tuples(_moments, st.booleans()), max_size=60),
    st.timedeltas(timedelta(milliseconds=1), 20 * SECOND),
    _lateness,
)
def test_two_messages_are_never_closer_than_the_rate_has_them(
    arrivals: list[tuple[timedelta, bool]], every: timedelta, late: list[timedelta]
) -> None:
    told = play(arrivals, every, late)
    times = sent(told)
    assert len(times) == len(arrivals)  # a day is enough for all of them
    assert all(after - before >= every for before, after in pairwise(times))


@given(st.integers(1, 200), st.timedeltas(timedelta(milliseconds=10), SECOND))
def test_not_a_moment_of_the_rate_is_lost(count: int, every: timedelta) -> None:
    times = sent(play(at_once(count), every))
    assert times == [NOW + number * every for number in range(count)]


@pytest.mark.parametrize("per_second", [0.2, 1, 20, 200])
def test_late_timers_cost_hardly_any_of_the_rate(per_second: float) -> None:
    chance = random.Random(7)
    late = [chance.random() * SECOND for _ in range(97)]
    every = SECOND / per_second
    count = 600
    told = play(at_once(count), every, late)
    assert sent(told)[-1] - NOW < 1.05 * count * every + 2 * SECOND
    assert sum(each.asked for each in told) < 2.2 * count


@given(st.integers(0, 300), st.timedeltas(timedelta(milliseconds=10), SECOND), _moments)
def test_a_transactional_message_does_not_wait_behind_a_line(
    marketing: int, every: timedelta, later: timedelta
) -> None:
    told = play([*at_once(marketing), (later, True)], every)
    assert told[-1].sent_at is not None
    assert told[-1].sent_at - told[-1].due_at <= PATIENCE + every


@pytest.mark.parametrize("per_second", [0.2, 1, 20])
def test_as_many_transactional_ones_as_the_channel_carries_leave_it_to_no_other(
    per_second: float,
) -> None:
    """A line of marketing is there first. It lets them pass, but for what was given out before,
    and for the second by which the last of them may come late.
    """
    chance = random.Random(7)
    every = SECOND / per_second
    start = 5 * every
    told = play(
        [*at_once(300), *((start, True) for _ in range(100))],
        every,
        [chance.random() * SECOND for _ in range(97)],
    )
    last = max(each.sent_at for each in told if each.transactional and each.sent_at)
    between = [
        e for e in told if not e.transactional and e.sent_at and NOW + start < e.sent_at < last
    ]
    assert len(between) <= (PATIENCE + SECOND) / every + 1


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_a_transactional_message_costs_another_one_question_more(share: float) -> None:
    every = SECOND / 20
    trickle = [(number * every / share, True) for number in range(round(1000 * share))]
    told = play([*at_once(1000), *trickle], every)
    assert all(each.asked == 1 for each in told if each.transactional)
    marketing = [each.asked for each in told if not each.transactional]
    assert sum(marketing) <= 2 * 1000 + 2 * len(trickle)


def test_a_newcomer_goes_behind_those_who_wait() -> None:
    told = play([*at_once(200), (5 * SECOND, False)], SECOND / 20)
    assert told[-1].sent_at == sent(told)[-1]


def test_what_would_come_too_late_is_told_at_once_and_takes_no_place() -> None:
    told = play(at_once(100), SECOND, left=10 * SECOND)
    times = sent(told)
    assert times == [NOW + number * SECOND for number in range(11)]  # at the very end, too
    assert [each.asked for each in told if each.sent_at is None] == [1] * 89


def test_who_is_late_may_still_go_but_is_not_told_to_come_back() -> None:
    lines = Lines(free_at=NOW + SECOND, transactional_at=NOW, marketing_at=NOW)
    late = Ask(transactional=False, waited=False, left=-SECOND, lateness=2 * SECOND)
    _, turn = take(lines, NOW, SECOND, late)
    assert turn == Slot(SECOND)
    later = Ask(transactional=False, waited=False, left=-1.5 * SECOND, lateness=2 * SECOND)
    assert take(lines, NOW, SECOND, later) == (lines, None)


def test_slots_that_nobody_came_for_go_to_whoever_asks() -> None:
    """A long line was given out, and its people left: the channel does not lie idle for them."""
    lines = Lines(free_at=NOW, transactional_at=NOW, marketing_at=NOW + 60 * SECOND)
    after, turn = take(lines, NOW, SECOND, Ask(transactional=False, waited=False, left=DAY))
    assert turn == Slot(timedelta(0))
    assert after.free_at == NOW + SECOND
    _, turn = take(after, NOW, SECOND, Ask(transactional=False, waited=False, left=DAY))
    assert turn == Place(60 * SECOND)


def test_a_line_of_transactional_ones_keeps_its_slots_even_if_it_is_late() -> None:
    lines = Lines(free_at=NOW, transactional_at=NOW + SECOND, marketing_at=NOW)
    _, turn = take(lines, NOW, SECOND, Ask(transactional=False, waited=True, left=DAY))
    assert turn == Place(SECOND)
    _, turn = take(lines, NOW, SECOND, Ask(transactional=True, waited=True, left=DAY))
    assert turn == Slot(timedelta(0))


def test_transactional_ones_have_room_behind_the_slots_that_others_wait_for() -> None:
    lines = Lines(free_at=NOW + PATIENCE, transactional_at=NOW, marketing_at=NOW + 60 * SECOND)
    _, turn = take(lines, NOW, SECOND, Ask(transactional=True, waited=False, left=DAY))
    assert turn == Slot(PATIENCE)
    full = Lines(NOW + TRANSACTIONAL_PATIENCE + SECOND, NOW, NOW + 60 * SECOND)
    _, turn = take(full, NOW, SECOND, Ask(transactional=True, waited=False, left=DAY))
    assert turn == Place(TRANSACTIONAL_PATIENCE + SECOND)


def test_those_who_were_held_up_together_do_not_go_together() -> None:
    """Slots for 200 seconds, of which the machine does nothing for two."""
    every = SECOND / 20
    came = [
        NOW + max(n * every, 4 * SECOND if n * every > 2 * SECOND else n * every)
        for n in range(4000)
    ]
    gone = [NOW - DAY]
    for at in came:
        gone.append(moment(gone[-1], at, every))
    assert all(after - before >= 0.97 * every for before, after in pairwise(gone))
    waits = [after - at for after, at in zip(gone[1:], came, strict=True)]
    assert max(waits) <= 2 * SECOND
    assert waits[-1] == timedelta(0)  # and it has caught up


def test_a_message_that_is_claimed_waits_for_moments_even_if_the_rate_was_lowered() -> None:
    assert moment(NOW, NOW, 100 * SECOND) == NOW + TRANSACTIONAL_PATIENCE
