"""`where` conditions as ingestion evaluates them: they may fail, and never fail the event.

An error in a `where` is no match, and is flagged in the event's disposition.
"""

from collections.abc import Mapping
from typing import Any

from engine.matching import ConditionFailed, Evaluate, History
from rendering.errors import RenderingError


class NotedConditions:
    """Evaluates as `evaluate` does, and keeps the texts of those that failed."""

    def __init__(self, evaluate: Evaluate) -> None:
        self._evaluate = evaluate
        self._failed: dict[str, None] = {}

    def __call__(
        self,
        text: str,
        traits: Mapping[str, Any],
        properties: Mapping[str, Any],
        history: History | None,
    ) -> bool:
        """Raises ConditionFailed, whatever went wrong with the condition."""
        try:
            return self._evaluate(text, traits, properties, history)
        except ConditionFailed:
            self._failed[text] = None
            raise
        except RenderingError as error:  # a text that this process can't compile
            self._failed[text] = None
            raise ConditionFailed(str(error)) from error

    def taken(self) -> list[str]:
        """Those that failed since this was last asked."""
        failed, self._failed = list(self._failed), {}
        return failed
