"""What happened, in sentences, for people at a terminal.

The reasons' sentences are the API's, so that a page and a terminal say the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.words import reason_in_words
from engine.reasons import Decision

if TYPE_CHECKING:
    from engine.lines import LifeLine, StepLine


def of_step(line: StepLine) -> str:
    """What became of the step."""
    match line.decision:
        case Decision.SENT:
            return f"sent by {line.channel}"
        case Decision.UNKNOWN:
            return f"perhaps sent by {line.channel}: the provider never said"
        case Decision.NOT_SENT:
            assert line.reason is not None  # nothing is left out without one
            return f"not sent. {reason_in_words(line.reason)}"


def of_life(line: LifeLine) -> str:
    """What became of the enrollment."""
    which = "" if line.key is None else f" ({line.key})"
    if line.ending is None:
        return f"entered the journey{which}"
    cause = "" if line.event is None else f" by `{line.event}`"
    return f"{line.ending}{which}{cause}"
