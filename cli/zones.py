"""Which zone each customer was in at a time, from the calls: for showing local times.

Follows the traits and contexts as the calls tell them; decides by the engine's own rule.
"""

from bisect import bisect_right
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from engine.calls import Identify, Played, Track
from engine.routing import zone_of


class Zones:
    """Answers for the calls given, which are in time order."""

    def __init__(self, calls: Iterable[Played], default: str) -> None:
        self._default = default
        self._changes: dict[str, list[tuple[datetime, str]]] = {}
        traits: dict[str, dict[str, Any]] = {}
        contexts: dict[str, str] = {}
        for call in calls:
            if not isinstance(call, Identify | Track):
                continue
            mine = traits.setdefault(call.customer_id, {})
            if isinstance(call, Identify):
                mine.update(call.traits)
            if call.timezone is not None:
                contexts[call.customer_id] = call.timezone
            name, _ = zone_of(mine, contexts.get(call.customer_id), default)
            changes = self._changes.setdefault(call.customer_id, [])
            if not changes or changes[-1][1] != name:
                changes.append((call.at, name))

    def at(self, customer: str, when: datetime) -> str:
        """The zone's name."""
        changes = self._changes.get(customer, [])
        place = bisect_right(changes, when, key=lambda change: change[0])
        return changes[place - 1][1] if place else self._default
