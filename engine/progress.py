"""Where an enrollment stands, step by step, in words that people read.

Shown as current details in the Temporal UI, by the `progress` query, and by the API.
"""

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from engine import plan
from engine.definition import Step
from engine.enrollment import Pending, Settlement
from engine.expressions import StepAnchor, TraitAnchor
from engine.localtime import zone
from engine.machine import Machine
from engine.reasons import Ending, Reason


class StepState(StrEnum):
    """What a step is doing."""

    WAITING = "waiting"  # for an event, a step or a missing anchor
    DUE = "due"  # it has a time
    SENDING = "sending"
    SENT = "sent"
    NOT_SENT = "not_sent"
    UNKNOWN = "unknown"


class StepProgress(BaseModel):
    """One row: a step, its state, the time that goes with it, and why."""

    model_config = ConfigDict(frozen=True)

    step: str
    state: StepState
    at: datetime | None = None
    zone: str | None = None
    reason: Reason | None = None
    waiting_for: str | None = None


class Progress(BaseModel):
    """An enrollment as it stands."""

    model_config = ConfigDict(frozen=True)

    journey: str
    version: str
    paused: bool
    ending: Ending | None
    ended_at: datetime | None
    ends_at: datetime | None
    steps: tuple[StepProgress, ...]


def progress(machine: Machine) -> Progress:
    """Where the machine's enrollment stands; each step by its latest occurrence."""
    state = machine.state
    return Progress(
        journey=machine.journey.journey,
        version=machine.journey.version,
        paused=state.paused,
        ending=state.ended.ending if state.ended is not None else None,
        ended_at=state.ended.at if state.ended is not None else None,
        ends_at=plan.ends_at(machine.journey, machine.start, state),
        steps=tuple(_step(machine, step) for step in machine.journey.steps),
    )


def as_markdown(now: Progress) -> str:
    """A small table; the Temporal UI renders it."""
    head = f"**{now.journey}** · version `{now.version}`"
    if now.ending is not None:
        head += f" · {now.ending}" + (f" {_time(now.ended_at, None)}" if now.ended_at else "")
    elif now.paused:
        head += " · paused"
    rows = [
        f"| {row.step} | {row.state.replace('_', ' ')} | {_time(row.at, row.zone)} | {_why(row)} |"
        for row in now.steps
    ]
    return "\n".join([head, "", "| step | state | time | reason |", "|---|---|---|---|", *rows])


def local_text(at: datetime, zone_name: str) -> str:
    """`2026-11-25 09:00 Europe/Paris`."""
    tz = zone(zone_name)
    wall = at.astimezone(tz).replace(tzinfo=None)
    return f"{wall.isoformat(' ', 'minutes')} {zone_name}"  # a tenth of what strftime costs


def _step(machine: Machine, step: Step) -> StepProgress:
    pending = [p for p in machine.state.pending if p.step == step.id]
    settled = [s for s in machine.state.settled if s.step == step.id]
    if pending:
        return _pending(min(pending, key=lambda p: p.comes_up_at))
    if settled:
        return _settled(settled[-1])
    return StepProgress(step=step.id, state=StepState.WAITING, waiting_for=_waiting_for(step))


def _pending(pending: Pending) -> StepProgress:
    state = StepState.DUE if pending.taken_at is None else StepState.SENDING
    return StepProgress(
        step=pending.step,
        state=state,
        at=pending.comes_up_at,
        zone=pending.zone,
        reason=pending.held_by,
    )


def _settled(settlement: Settlement) -> StepProgress:
    return StepProgress(
        step=settlement.step,
        state=StepState(settlement.decision),
        at=settlement.at,
        zone=settlement.zone,
        reason=settlement.reason,
    )


def _waiting_for(step: Step) -> str:
    if step.after_event is not None:
        return " or ".join(f"event `{match.event}`" for match in step.after_event)
    anchor = step.at.anchor if step.at is not None else None
    if isinstance(anchor, StepAnchor):
        return f"step `{anchor.step}`"
    if isinstance(anchor, TraitAnchor):
        return f"`{anchor}`"
    return "its time"


def _time(at: datetime | None, zone_name: str | None) -> str:
    return "" if at is None else local_text(at, zone_name or "UTC")


def _why(row: StepProgress) -> str:
    if row.waiting_for is not None:
        return f"waiting for {row.waiting_for}"
    return row.reason or ""
