"""Whether anything was lost, applied twice or left lying: by what the client knows alone.

Pure: calls that got a 200 in, what is there in, objections out. It knows the lives' rules
(`tests.crash.lives`) and the journey's, and nothing of how the code keeps them.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import TypeVar

from temporalio.client import WorkflowExecutionStatus

from engine.keys import message_key
from engine.reasons import Decision
from tests.crash.evidence import Evidence
from tests.crash.lives import EXIT, GOAL, ORDER, REMINDER_BEFORE, START, Call, Life

_T = TypeVar("_T")

_ENDS = {EXIT: "exited", GOAL: "converted"}


@dataclass(frozen=True)
class _Told:
    """What the calls of one customer that got a 200 come to. All are in order."""

    life: Life
    calls: tuple[Call, ...]

    @property
    def start(self) -> Call | None:
        return next((call for call in self.calls if call.name == START), None)

    @property
    def end(self) -> Call | None:
        return next((call for call in self.calls if call.name in _ENDS), None)

    @property
    def orders(self) -> list[Call]:
        return [call for call in self._inside() if call.name == ORDER]

    @property
    def moves(self) -> list[Call]:
        """Those that bring another date than the one known before."""
        dates = [call for call in self.calls if call.ends_at is not None]
        moved = {
            after.message_id for before, after in pairwise(dates) if before.ends_at != after.ends_at
        }
        return [call for call in self._inside() if call.message_id in moved]

    @property
    def next_at(self) -> datetime | None:
        dates = [call.ends_at for call in self.calls if call.ends_at is not None]
        return dates[-1] - REMINDER_BEFORE if dates else None

    @property
    def is_known(self) -> bool:
        """Whether they have said who they are."""
        return any(call.visitor is None for call in self.calls)

    def whose(self, call: Call) -> str:
        """Who did it, as far as is known by now."""
        return call.customer if self.is_known or call.visitor is None else call.visitor

    def _inside(self) -> list[Call]:
        if self.start is None:
            return []
        return list(self.calls[self.calls.index(self.start) + 1 :])


def objections(lives: Sequence[Life], taken: Iterable[str], found: Evidence) -> list[str]:
    """All that is wrong, a sentence each."""
    answered = set(taken)
    told = [
        _Told(life, tuple(call for call in life.calls if call.message_id in answered))
        for life in lives
    ]
    checks = (_events, _stats, _enrollments, _deeds, _outbox, _messages, _mails, _runs)
    return [each for check in checks for each in check(told, found)]


def _events(told: Sequence[_Told], found: Evidence) -> Iterator[str]:
    """Every call that got a 200 is there, once, with whom it is about."""
    expected = Counter((c.message_id, each.whose(c)) for each in told for c in each.calls)
    there = Counter((kept.message_id, kept.customer) for kept in found.events)
    yield from _differences("event", expected, there)
    known = Counter(each.life.customer for each in told if each.is_known)
    yield from _differences("event `customer.created` of", known, Counter(found.created))


def _stats(told: Sequence[_Told], found: Evidence) -> Iterator[str]:
    """What was counted is what was told."""
    expected = Counter(
        (each.whose(call), call.name) for each in told for call in each.calls if call.name
    )
    there = Counter({what: n for what, n in found.stats.items() if "." not in what[1]})
    yield from _differences("count of", expected, there)


def _enrollments(told: Sequence[_Told], found: Evidence) -> Iterator[str]:
    """One for each start, ended as it was told, knowing the date it was told last."""
    yield from _differences(
        "enrollment",
        Counter((each.life.enrollment, each.start.message_id) for each in told if each.start),
        Counter((inside.id, inside.start_event_id) for inside in found.enrollments),
    )
    rows = {inside.id: inside for inside in found.enrollments}
    for each in told:
        row = rows.get(each.life.enrollment)
        if row is None:
            continue
        ending = (_ENDS[each.end.name or ""], each.end.name) if each.end else ("open", None)
        if (row.state, row.ended_by) != ending:
            yield f"{row.id} is {row.state} by {row.ended_by}, not {ending[0]} by {ending[1]}"
        if each.end is None and (row.next_step, row.next_at) != ("reminder", each.next_at):
            yield f"{row.id} is to go on with {row.next_step} at {row.next_at}, not {each.next_at}"


def _deeds(told: Sequence[_Told], found: Evidence) -> Iterator[str]:
    """Each event did what it had to, once."""
    expected = Counter(
        (call.message_id, f"{did} {each.life.enrollment}")
        for each in told
        for call, did in _effects(each)
    )
    there = Counter((kept.message_id, did) for kept in found.events for did in kept.did)
    yield from _differences("deed", expected, there)


def _outbox(told: Sequence[_Told], found: Evidence) -> Iterator[str]:
    """Temporal has heard of each effect, and of nothing else; nothing waits, nothing is aside."""
    expected: Counter[tuple[str | None, str | None]] = Counter(
        (call.message_id, each.life.enrollment) for each in told for call, _ in _effects(each)
    )
    there = Counter((put.event_id, put.enrollment) for put in found.outbox)
    yield from _differences("row of the outbox", expected, there)
    yield from (f"still waits: {put}" for put in found.outbox if not put.is_done)
    yield from (f"was put aside: {put}" for put in found.outbox if put.is_parked)


def _messages(told: Sequence[_Told], found: Evidence) -> Iterator[str]:
    """A receipt for each order: exactly one, or at most one where an exit may have come first.

    There, a receipt whose worker died may have to stay unknown: asking the provider again
    would be sending after the exit.
    """
    keys = Counter(message.key for message in found.messages)
    yield from (f"{count} messages {key}" for key, count in keys.items() if count > 1)
    may, must = set(), set()
    for each in told:
        receipts = {
            message_key(each.life.enrollment, "receipt", call.message_id) for call in each.orders
        }
        may |= receipts
        must |= receipts if each.end is None else set()
    for message in found.messages:
        if message.decision is not Decision.SENT and (
            message.decision is not Decision.UNKNOWN or message.key in must
        ):
            yield f"not sent: {message}"
    yield from (f"no message {key}" for key in sorted(must - keys.keys()))
    yield from (f"message {key} for nothing" for key in sorted(keys.keys() - may))


def _mails(told: Sequence[_Told], found: Evidence) -> Iterator[str]:
    """What readers got is what was decided: each order's own receipt, once."""
    unknown = {m.occurrence for m in found.messages if m.decision is Decision.UNKNOWN}
    sent = Counter(m.occurrence for m in found.messages if m.decision is Decision.SENT)
    there = Counter(found.mails)
    sent.update(subject for subject in unknown if there[subject] == 1)
    yield from _differences("mail", sent, there)


def _runs(told: Sequence[_Told], found: Evidence) -> Iterator[str]:
    """One workflow for each enrollment, open as long as it is, without a failed task."""
    open_, closed = WorkflowExecutionStatus.RUNNING, WorkflowExecutionStatus.COMPLETED
    expected = Counter(
        (each.life.enrollment, open_ if each.end is None else closed) for each in told if each.start
    )
    yield from _differences("workflow", expected, Counter((r.id, r.status) for r in found.runs))
    for run in found.runs:
        yield from (f"a task of {run.id} failed: {cause}" for cause in run.failures)


def _effects(each: _Told) -> Iterator[tuple[Call, str]]:
    if each.start is None:
        return
    yield each.start, "entered"
    yield from ((call, "fired") for call in each.orders)
    yield from ((call, "moved") for call in each.moves)
    if each.end is not None:
        yield each.end, _ENDS[each.end.name or ""]


def _differences(what: str, expected: Counter[_T], there: Counter[_T]) -> Iterator[str]:
    for each in sorted(expected.keys() | there.keys(), key=str):
        if expected[each] != there[each]:
            yield f"{what} {each}: {there[each]} times, not {expected[each]}"
