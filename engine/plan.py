"""When a step comes up: from the journey and what is known, its occurrences and their times.

Pure functions over `State`; the machine decides what to do with what they say. The one
surprising fact: an occurrence is named by *what* makes it come up (the anchor's value as
received, the last activity, the event's id), not by when, so a step that moves stays the
same occurrence only while its cause does.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from engine import best_hour
from engine.anchors import anchor_value, exists_from, raw_anchor, resolved, state_zone
from engine.definition import AfterIdle, At, Journey, Step
from engine.enrollment import Pending, Settlement, Start, State
from engine.expressions import Duration, EventAnchor, StartAnchor, StepAnchor, TraitAnchor
from engine.localtime import OutOfRange, shift
from engine.reasons import Decision, Reason
from engine.repeats import opened, series
from engine.values import anchor_text

# So long after its moment at most goes out what may choose its hour.
_CHOICE = timedelta(days=1)

MISSING = "missing"  # the occurrence of a step whose date was not in the enrolling event


@dataclass(frozen=True)
class Refused:
    """An occurrence that can't come up, and is settled as not sent at that instant."""

    occurrence: str
    reason: Reason
    at: datetime


def ends_at(journey: Journey, start: Start, state: State) -> datetime | None:
    """The journey's latest time, as far as it is known."""
    if journey.ends_at is None:
        return None
    anchor = anchor_value(journey.ends_at, start, state)
    if anchor is None:
        return None
    return resolved(journey.ends_at, anchor, state_zone(state))


def planned(
    step: Step, journey: Journey, start: Start, state: State, since: datetime
) -> tuple[Pending | Refused, ...]:
    """The occurrences that the step has by all that is known, and that are not settled.

    None at all: there is nothing to wait for yet (no anchor, no event), or never again.
    `since` is what brought the question up; nothing that is new comes up before it. Steps
    after an event have those that `fired` gave them, in the customer's present zone.
    """
    until = ends_at(journey, start, state) if chooses(step) else None
    match step.trigger:
        case At(time=time) if isinstance(time.anchor, StepAnchor):
            return _after_step(step, journey.step(time.anchor.step), state, since, until)
        case At():
            return _at(step, start, state, since, until)
        case AfterIdle(idle=idle):
            pending = _after_idle(step, idle, start, state, since)
            return () if pending is None else (pending,)
        case _:
            return tuple(_fired_again(step, state, since))


def chooses(step: Step) -> bool:
    """Whether the step goes out at the best hour, so that hours and the end bear on its time."""
    return step.at is not None and step.at.best_hour


def fired(
    step: Step, event: str, event_id: str, at: datetime, since: datetime, state: State
) -> Pending | None:
    """The occurrence that an event at `at` fires; None if its time is beyond the calendar."""
    assert step.after_event is not None
    # An adopted version may not name the event any more: then the first one's wait is as good.
    wait = next((m.wait for m in step.after_event if m.event == event), step.after_event[0].wait)
    try:
        due_at = shift(at, wait.terms, state_zone(state))
    except OutOfRange:
        return None
    pending = _pending(step, event_id, due_at, since, state)
    return replace(pending, event_id=event_id, event=event, anchor_at=at)


def settlements(step: Step, state: State) -> list[Settlement]:
    """What was decided about the step, oldest first."""
    return [s for s in state.settled if s.step == step.id]


def is_done(step: Step, journey: Journey, state: State) -> bool:
    """Whether the step is settled for good: nothing that can still happen would bring it up."""
    if any(p.step == step.id for p in state.pending):
        return False
    mine = settlements(step, state)
    if any(s.reason is Reason.ANCHOR_MISSING for s in mine):
        return True
    anchor = step.at.anchor if step.at is not None else None
    if isinstance(anchor, StepAnchor) and (step.repeat is not None or _is_provisional(step, mine)):
        above = journey.step(anchor.step)
        if step.repeat is None and above.repeat is not None:
            return bool(mine)
        weekly_for_ever = isinstance(step.repeat, str) and any(
            s.decision is not Decision.NOT_SENT for s in settlements(above, state)
        )
        return is_done(above, journey, state) and not weekly_for_ever
    return step.repeat is None and bool(mine) and not _is_provisional(step, mine)


def _is_provisional(step: Step, mine: list[Settlement]) -> bool:
    """Whether what was decided last may be taken up again (design, "Time", rule 6).

    `expired` is, on a live anchor, and with it whatever hangs on such a step.
    """
    anchor = step.at.anchor if step.at is not None else None
    reason = mine[-1].reason if mine else None
    return (reason is Reason.EXPIRED and isinstance(anchor, TraitAnchor)) or (
        reason is Reason.ANCHOR_NOT_SENT and isinstance(anchor, StepAnchor)
    )


def _at(
    step: Step, start: Start, state: State, since: datetime, until: datetime | None
) -> tuple[Pending | Refused, ...]:
    """A step whose time counts from the start, the enrolling event or a trait."""
    assert step.at is not None
    mine = settlements(step, state)
    if step.repeat is None and mine and not _is_provisional(step, mine):
        return ()
    done = {s.occurrence for s in mine}
    anchor = anchor_value(step.at, start, state)
    due_at = resolved(step.at, anchor, state_zone(state)) if anchor is not None else None
    if anchor is None or due_at is None:  # beyond the calendar is as good as unreadable
        if isinstance(step.at.anchor, EventAnchor) and MISSING not in done:
            return (Refused(MISSING, Reason.ANCHOR_MISSING, since),)
        return ()
    first = exists_from(step.at, start, state)
    if isinstance(step.repeat, str):
        return _periodic(step, anchor, first, state, since, until)
    raw = raw_anchor(step.at, start, state)
    occurrence = "start" if isinstance(step.at.anchor, StartAnchor) else anchor_text(raw)
    pending = _pending(step, occurrence, due_at, since, state, until)
    begins = due_at if chooses(step) else pending.due_at
    if occurrence in done or (step.repeat is not None and begins < first):
        return ()
    return (pending,)


def _after_step(
    step: Step, above: Step, state: State, since: datetime, until: datetime | None
) -> tuple[Pending | Refused, ...]:
    """A step whose time counts from when another one, `above`, was sent.

    Without `repeat` it follows the first occurrence of the other, or, where that one may be
    taken up again, the latest; with `repeat: true` each; daily … yearly the latest sent.
    """
    mine = settlements(step, state)
    causes = settlements(above, state)
    if step.repeat is None:
        if any(s.reason is not Reason.ANCHOR_NOT_SENT for s in mine):
            return ()
        causes = causes[:1] if above.repeat is not None else causes[-1:]
    elif isinstance(step.repeat, str):
        sent = [s for s in causes if s.decision is not Decision.NOT_SENT]
        if sent:
            at = sent[-1].at
            return _periodic(step, at, at, state, max(since, at), until)
    done = {s.occurrence for s in mine}
    found = (_caused(step, cause, state, since, until) for cause in causes)
    return tuple(each for each in found if each is not None and each.occurrence not in done)


def _caused(
    step: Step, cause: Settlement, state: State, since: datetime, until: datetime | None
) -> Pending | Refused | None:
    assert step.at is not None
    occurrence = f"{cause.step}@{cause.occurrence}"
    if cause.decision is Decision.NOT_SENT:
        return Refused(occurrence, Reason.ANCHOR_NOT_SENT, cause.at)
    due_at = resolved(step.at, cause.at, state_zone(state))
    if due_at is None:
        return None
    return _pending(step, occurrence, due_at, max(since, cause.at), state, until)


def _periodic(
    step: Step,
    anchor: datetime,
    first: datetime,
    state: State,
    since: datetime,
    until: datetime | None,
) -> tuple[Pending, ...]:
    """The next of daily … yearly: one on each local date, from `first` or the last one on.

    One that chose its hour was due up to a day after the date that names it.
    """
    tz = state_zone(state)
    mine = settlements(step, state)
    done = {s.occurrence for s in mine}
    back = _CHOICE if chooses(step) else timedelta(0)
    bound = max([first, *(s.due_at - back for s in mine if s.due_at is not None)])
    for due_at in series(step, anchor, tz, bound):
        occurrence = due_at.astimezone(tz).date().isoformat()
        if occurrence not in done:
            return (_pending(step, occurrence, due_at, since, state, until),)
    return ()


def _after_idle(
    step: Step, idle: Duration, start: Start, state: State, since: datetime
) -> Pending | None:
    """The end of the idle spell that began with the last activity we know of.

    If that spell is settled, it is a check instead: no later one can be over before `idle`
    has passed since we last knew.
    """
    mine = settlements(step, state)
    if step.repeat is None and mine:
        return None
    last = max(start.at, state.facts.last_activity_at or start.at)
    spell = last.astimezone(UTC).isoformat()
    is_check = any(s.occurrence == spell for s in mine)
    counted_from = max(last, state.activity_known_at or last) if is_check else last
    try:
        due_at = shift(counted_from, idle.terms, state_zone(state))
    except OutOfRange:
        return None
    pending = _pending(step, spell, due_at, since, state)
    return replace(pending, idle_since=last, spell_settled=is_check)


def _fired_again(step: Step, state: State, since: datetime) -> Iterator[Pending]:
    """What events have fired, by the customer's present zone."""
    for p in state.pending:
        if p.step == step.id and p.event_id and p.event and p.anchor_at:
            ready_at = max(since, p.ready_at)
            if again := fired(step, p.event, p.event_id, p.anchor_at, ready_at, state):
                yield again


def _pending(
    step: Step,
    occurrence: str,
    due_at: datetime,
    ready_at: datetime,
    state: State,
    until: datetime | None = None,
) -> Pending:
    """An occurrence at that time, with its window, or at the best hour from then on."""
    tz = state_zone(state)
    if chooses(step):
        mine = (p for p in state.pending if (p.step, p.occurrence) == (step.id, occurrence))
        due_at = best_hour.chosen(
            due_at,
            state.facts.hours,
            tz,
            between=step.between,
            days=step.days,
            since=ready_at,
            kept=next((p.due_at for p in mine), None),
            ends_at=until,
        )
    return Pending(
        step=step.id,
        occurrence=occurrence,
        due_at=opened(step, due_at, tz),
        ready_at=ready_at,
        zone=tz.key,
    )
