"""What reaches a running enrollment from outside, as the machine's inputs.

Signals and Updates come from our API and from people in the Temporal UI, whose dialogs send
nothing, a bare word, or an object. So everything is accepted, read here, and never raises
in a handler: an exception there would wedge the run for good.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from pydantic import ValidationError
from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError

from engine.definition import Journey
from engine.enrollment import (
    RULES_VERSION,
    Adopt,
    End,
    Input,
    Notice,
    Pause,
    Resume,
    Retry,
    SendNow,
    Skip,
)
from engine.machine import Illegal, Machine
from engine.orders import Carried, EnrollmentInput
from engine.reasons import Ending

# A definition is some kilobytes and shared by all enrollments of its version; far more
# versions than a team has open at once.
_CACHED_DEFINITIONS = 1_000


@dataclass(frozen=True)
class Order:
    """A person's Update: what it asks for, and who asked, if our API says so."""

    told: Input
    by: str | None


def read_input(args: Sequence[RawValue]) -> tuple[EnrollmentInput, Machine, Carried | None]:
    """The run's input and its machine; the definition is decoded once per process.

    Raises ApplicationError for what is no enrollment of ours, and RuntimeError, which makes
    Temporal try again until a worker that knows them comes, for rules that are newer.
    """
    try:
        given = workflow.payload_converter().from_payload(args[0].payload, EnrollmentInput)
        journey = _journey(
            given.version, workflow.payload_converter().to_payload(given.definition).data
        )
    except (IndexError, ValidationError) as error:
        raise ApplicationError(f"not an enrollment's input: {error}", non_retryable=True) from error
    if given.journey != workflow.info().workflow_type:
        raise ApplicationError(
            f"the type is `{workflow.info().workflow_type}`, the journey `{given.journey}`",
            non_retryable=True,
        )
    if given.rules_version > RULES_VERSION:
        raise RuntimeError(
            f"rules {given.rules_version} are newer than this worker's {RULES_VERSION}"
        )
    machine = Machine(
        journey,
        given.start,
        given.facts,
        tolerances=given.tolerances,
        state=given.carried.state if given.carried is not None else None,
    )
    # The definition is kept once, in the journey: thousands of enrollments sleep in memory.
    light = given.model_copy(update={"definition": {}, "carried": None})
    return light, machine, given.carried


def pinned_again(given: EnrollmentInput, journey: Journey, carried: Carried) -> EnrollmentInput:
    """The input of the run that continues this one."""
    definition = json.loads(journey.pinned)
    return given.model_copy(
        update={"definition": definition, "version": journey.version, "carried": carried}
    )


@lru_cache(maxsize=_CACHED_DEFINITIONS)
def _journey(version: str, pinned: bytes) -> Journey:
    return Journey.model_validate_json(pinned)


def read_notice(args: tuple[Any, ...]) -> Notice | None:
    """The signal's notice; None for anything that is not one."""
    try:
        return Notice.model_validate(args[0]) if args else None
    except ValidationError:
        return None


def read_retry(args: tuple[Any, ...], at: datetime) -> Retry | None:
    """The signal's `{"step": "tip"}`, or the bare word; None for anything else."""
    try:
        return Retry(at=at, step=_word(args[0], "step")) if args else None
    except Illegal:
        return None


def read_order(name: str, arg: Any, at: datetime) -> Order:
    """The Update `name` with its argument. Raises Illegal, in words for the person."""
    given = arg if isinstance(arg, dict) else {}
    by = given.get("by")
    match name:
        case "pause":
            told: Input = Pause(at=at)
        case "resume":
            told = Resume(at=at)
        case "skip":
            told = Skip(at=at, step=_word(arg, "step"))
        case "send_now":
            told = SendNow(at=at, step=_word(arg, "step"))
        case "exit":
            reason = _word(arg, "reason", default="by hand")
            told = End(at=at, ending=Ending.EXITED, by=reason)
        case "adopt":
            definition = given.get("definition")
            if not isinstance(definition, dict):
                raise Illegal("`adopt` needs an object with the `definition` to go on under")
            told = Adopt(at=at, definition=definition)
        case _:
            raise Illegal(f"there is no update `{name}`")
    return Order(told=told, by=by if isinstance(by, str) else None)


def _word(arg: Any, field: str, default: str | None = None) -> str:
    """The argument itself if it is text, else the field of that name."""
    value = arg.get(field) if isinstance(arg, dict) else arg
    if isinstance(value, str) and value:
        return value
    if default is not None:
        return default
    raise Illegal(f'say which {field}: "tip", or {{"{field}": "tip"}}')
