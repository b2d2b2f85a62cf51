"""What would this customer get? The whole engine played against a clock that is only a number.

Customers who have nothing to do with one another are played apart (`engine.clusters`); how
one cluster is played is `engine.player`'s.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from engine.calls import Played
from engine.clusters import clusters
from engine.lines import Line, in_order
from engine.person import Stage
from engine.player import Player

DEFAULT_SPAN = timedelta(days=400)  # past the last event: a year's journey, and then some


def simulate(stage: Stage, calls: Iterable[Played], until: datetime | None = None) -> list[Line]:
    """Every decision and every enrollment's life up to `until` (inclusive), in time order.

    Calls are sorted by time, ties in the order given. `until` defaults to the last call
    and 400 days. Raises CannotReact where nothing went out that they could react to so.
    """
    ordered = sorted(calls, key=lambda call: call.at)
    if not ordered:
        return []
    if until is None:
        until = ordered[-1].at + DEFAULT_SPAN
    lines: list[Line] = []
    for mine in clusters(ordered):
        lines += Player(stage).play(mine, until)
    return in_order(lines, list(dict.fromkeys(call.customer_id for call in ordered)))
