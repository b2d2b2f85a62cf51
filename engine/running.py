"""An enrollment that is being played, and what is due in it: what the store has in production.

Decides nothing. The surprising fact: of each enrollment only the next step is told, though its
machine knows them all. The store knows no more, and a simulation must not know better.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from engine import caps
from engine.caps import Upcoming
from engine.effects import Enrolled
from engine.enrollment import Delivery
from engine.machine import Machine

# Journey → message folder → its channels.
Channels = Mapping[str, Mapping[str, tuple[str, ...]]]


@dataclass
class Running:
    """An enrollment being played: what routing knows of it, and its machine."""

    enrolled: Enrolled
    machine: Machine
    properties: Mapping[str, Any]
    told: int = 0  # settlements already turned into lines
    wake_at: datetime | None = None


def due_beside(
    delivery: Delivery,
    mine: Running,
    running: Iterable[Running],
    channels: Channels,
    customer_id: str,
) -> tuple[Upcoming, ...]:
    """What else is due to a customer while `mine` delivers."""
    found = (_next_of(each, mine, delivery, channels, customer_id) for each in running)
    return tuple(each for each in found if each is not None)


def _next_of(
    each: Running, mine: Running, delivery: Delivery, channels: Channels, customer_id: str
) -> Upcoming | None:
    journey, machine = each.enrolled.journey, each.machine
    wake = machine.preview(delivery) if each is mine else machine.wakeup(delivery.at)
    if wake is None or wake.step is None:
        return None
    step = journey.step(wake.step)
    if each is mine and caps.waits_for(journey, step, journey.step(delivery.step)):
        return None
    by = caps.channels_of(step, channels.get(journey.journey, {}))
    return caps.upcoming(journey, step, each.enrolled.id, wake.at, by, customer_id)
