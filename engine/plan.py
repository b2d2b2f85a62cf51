"""When a step comes up: from the journey and what is known, the next occurrence and its time.

Pure functions over `State`; the machine decides what to do with what they say. The one
surprising fact: an occurrence is named by *what* makes it come up (the anchor's value as
received, the last activity, the event's id), not by when, so a step that moves stays the
same occurrence only while its cause does.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from engine.definition import At, AfterIdle, Journey, Step
from engine.enrollment import Pending, Start, State
from engine.expressions import EventAnchor, StartAnchor, StepAnchor, TimeExpression, TraitAnchor, Unit
from engine.localtime import OutOfRange, next_opening, resolve, shift, zone
from engine.reasons import Reason
from engine.values import anchor_text, read_instant

_UNITS = {"daily": Unit.DAY, "weekly": Unit.WEEK, "monthly": Unit.MONTH, "yearly": Unit.YEAR}

# The longest each unit can be, so that a jump towards a bound never overshoots it.
_LONGEST = {
    Unit.DAY: timedelta(days=1, hours=1),
    Unit.WEEK: timedelta(weeks=1, hours=1),
    Unit.MONTH: timedelta(days=31, hours=1),
    Unit.YEAR: timedelta(days=366, hours=1),
}


def state_zone(state: State) -> ZoneInfo:
    """The customer's zone; routing saw to it that it exists."""
    return zone(state.facts.zone) or ZoneInfo("UTC")


def grace_end(step: Step, due_at: datetime, tz: ZoneInfo, least: timedelta) -> datetime:
    """The last moment at which an occurrence due then may go out."""
    return max(shift(due_at, step.grace.terms, tz), due_at + least)


def ends_at(journey: Journey, start: Start, state: State) -> datetime | None:
    """The journey's latest time, as far as it is known."""
    if journey.ends_at is None:
        return None
    anchor = _anchor_value(journey.ends_at, start, state)
    if anchor is None:
        return None
    return _resolve(journey.ends_at, anchor, state_zone(state))


def next_occurrence(step: Step, start: Start, state: State) -> Pending | Reason | None:
    """What the step waits for, by all that is known now.

    A `Pending` is its next occurrence; a `Reason`, that the step can never come up and is
    settled; None, that there is nothing to wait for yet (a missing anchor, no event).
    Steps after another step and steps after events begin with `after_step` and `after_event`.
    """
    match step.trigger:
        case At(time=time):
            return _next_at(step, time, start, state)
        case AfterIdle(idle=idle):
            return _next_idle(step, idle.terms, start, state)
        case _:
            return None


def after_step(step: Step, cause: str, sent_at: datetime, state: State) -> Pending | None:
    """The occurrence of a step whose time counts from another step, sent at `sent_at`.

    `cause` names the other step's occurrence. A periodic repeat goes on from its last due time.
    """
    assert step.at is not None
    tz = state_zone(state)
    if isinstance(step.repeat, str):
        settled = _settled_occurrences(step, state)
        bound = max([sent_at, *(s.due_at for s in state.settled if s.step == step.id and s.due_at)])
        for due_at in _series(step, step.at, sent_at, tz, _UNITS[step.repeat], bound):
            occurrence = f"{cause}/{due_at.astimezone(tz).date().isoformat()}"
            if occurrence not in settled:
                return _pending(step, occurrence, due_at, sent_at, state, anchor_at=sent_at)
        return None
    due_at = _resolve(step.at, sent_at, tz)
    if due_at is None:
        return None
    return _pending(step, cause, due_at, sent_at, state, anchor_at=sent_at)


def step_occurrence(anchor_step: str, anchor_occurrence: str) -> str:
    """The name of an occurrence that another step's occurrence causes."""
    return f"{anchor_step}@{anchor_occurrence}"


def after_event(step: Step, event: str, event_id: str, at: datetime, state: State) -> Pending | None:
    """The occurrence that an event fires."""
    assert step.after_event is not None
    wait = next((m.wait for m in step.after_event if m.event == event), step.after_event[0].wait)
    try:
        due_at = shift(at, wait.terms, state_zone(state))
    except OutOfRange:
        return None
    pending = _pending(step, event_id, due_at, at, state, anchor_at=at)
    return pending.model_copy(update={"event_id": event_id, "event": event})


def moved(pending: Pending, step: Step, state: State) -> Pending:
    """The same occurrence of a step after a step or an event, in the customer's new zone."""
    if pending.anchor_at is None:
        return pending
    if pending.event_id is not None:
        new = after_event(step, pending.event or "", pending.event_id, pending.anchor_at, state)
    else:
        cause = pending.occurrence.rsplit("/", 1)[0] if isinstance(step.repeat, str) else pending.occurrence
        new = after_step(step, cause, pending.anchor_at, state)
    return pending if new is None else new.model_copy(update={"ready_at": pending.ready_at})


def idle_from(step: Step, last_activity_at: datetime, ready_at: datetime, state: State) -> Pending | None:
    """The idle occurrence that begins with this activity."""
    assert step.after_idle is not None
    tz = state_zone(state)
    try:
        due_at = shift(last_activity_at, step.after_idle.terms, tz)
    except OutOfRange:
        return None
    occurrence = last_activity_at.astimezone(UTC).isoformat()
    settled = occurrence in _settled_occurrences(step, state)
    if settled:  # the spell had its message: look again when a new one could be over
        due_at = max(due_at, shift(ready_at, step.after_idle.terms, tz))
    pending = _pending(step, occurrence, due_at, ready_at, state)
    return pending.model_copy(
        update={"idle_since": last_activity_at, "spell_settled": settled}
    )


def is_done(step: Step, journey: Journey, state: State) -> bool:
    """Whether the step is settled for good: nothing that can still happen would bring it up."""
    if step.repeat is not None:
        return False
    mine = [s for s in state.settled if s.step == step.id]
    if not mine:
        return False
    anchor = step.at.anchor if step.at is not None else None
    last = mine[-1]
    if isinstance(anchor, TraitAnchor):
        return last.reason is not Reason.EXPIRED
    if isinstance(anchor, StepAnchor) and last.reason is Reason.ANCHOR_NOT_SENT:
        return is_done(journey.step(anchor.step), journey, state)
    return True


def _settled_occurrences(step: Step, state: State) -> set[str]:
    return {s.occurrence for s in state.settled if s.step == step.id}


def _next_at(step: Step, time: TimeExpression, start: Start, state: State) -> Pending | Reason | None:
    if isinstance(time.anchor, StepAnchor):
        return None
    raw = _raw_anchor(time, start, state)
    anchor = _anchor_value(time, start, state)
    if anchor is None:
        return Reason.ANCHOR_MISSING if isinstance(time.anchor, EventAnchor) else None
    tz = state_zone(state)
    settled = _settled_occurrences(step, state)
    if isinstance(step.repeat, str):
        return _next_periodic(step, time, anchor, start, state)
    due_at = _resolve(time, anchor, tz)
    occurrence = "start" if isinstance(time.anchor, StartAnchor) else anchor_text(raw)
    if due_at is None:  # beyond the calendar: as good as unreadable
        return Reason.ANCHOR_MISSING if not isinstance(time.anchor, TraitAnchor) else None
    pending = _pending(step, occurrence, due_at, state.changed_at, state)
    if occurrence in settled:
        return None
    if step.repeat is True and pending.due_at < _exists_from(time, start, state):
        return None
    return pending


def _next_periodic(
    step: Step, time: TimeExpression, anchor: datetime, start: Start, state: State
) -> Pending | None:
    """The first occurrence of daily … yearly that exists and has not been settled."""
    assert isinstance(step.repeat, str)
    tz = state_zone(state)
    unit = _UNITS[step.repeat]
    mine = [s for s in state.settled if s.step == step.id]
    settled = {s.occurrence for s in mine}
    bound = _exists_from(time, start, state)
    if mine and (last_due := mine[-1].due_at) is not None:
        bound = max(bound, last_due)
    for due_at in _series(step, time, anchor, tz, unit, bound):
        occurrence = due_at.astimezone(tz).date().isoformat()
        if occurrence not in settled:
            return _pending(step, occurrence, due_at, state.changed_at, state)
    return None


def _series(
    step: Step, time: TimeExpression, anchor: datetime, tz: ZoneInfo, unit: Unit, bound: datetime
) -> Iterator[datetime]:
    """Due times of a repeat from `bound` on, in order, until the calendar ends."""
    try:
        first = resolve(time, anchor, tz)
        # One window may hold an opening back by days: begin early, and skip what is before.
        k = max(0, (bound - first) // _LONGEST[unit] - 2)
        while True:
            due_at = _open(step, resolve(time, anchor, tz, repeats=k, unit=unit), tz)
            if due_at >= bound:
                yield due_at
            k += 1
    except (OutOfRange, OverflowError):
        return


def _next_idle(step: Step, terms: Iterable[object], start: Start, state: State) -> Pending | None:
    last = max(start.at, state.facts.last_activity_at or start.at)
    if step.repeat is None and _settled_occurrences(step, state):
        return None
    return idle_from(step, last, state.changed_at, state)


def _raw_anchor(time: TimeExpression, start: Start, state: State) -> object:
    match time.anchor:
        case EventAnchor(path=path):
            return start.values.get(path)
        case TraitAnchor(path=path):
            return state.facts.traits.get(path)
        case _:
            return None


def _anchor_value(time: TimeExpression, start: Start, state: State) -> datetime | None:
    if isinstance(time.anchor, StartAnchor):
        return start.at
    return read_instant(_raw_anchor(time, start, state), state_zone(state))


def _exists_from(time: TimeExpression, start: Start, state: State) -> datetime:
    """Occurrences of a repeat before this do not exist (design, "Time", rule 4)."""
    if isinstance(time.anchor, TraitAnchor):
        return max(start.at, state.arrived_at.get(time.anchor.path, start.at))
    return start.at


def _resolve(time: TimeExpression, anchor: datetime, tz: ZoneInfo) -> datetime | None:
    try:
        return resolve(time, anchor, tz)
    except OutOfRange:
        return None


def _open(step: Step, due_at: datetime, tz: ZoneInfo) -> datetime:
    if step.between is None and step.days is None:
        return due_at
    return next_opening(due_at, tz, step.between, step.days)


def _pending(
    step: Step,
    occurrence: str,
    due_at: datetime,
    ready_at: datetime,
    state: State,
    anchor_at: datetime | None = None,
) -> Pending:
    tz = state_zone(state)
    return Pending(
        step=step.id,
        occurrence=occurrence,
        due_at=_open(step, due_at, tz),
        ready_at=ready_at,
        zone=tz.key,
        anchor_at=anchor_at,
    )
