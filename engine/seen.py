"""A customer as of one instant: their own traits, what is computed of them, and their segments.

Decides nothing; `engine.computed` does. The surprising fact: nothing is kept of the values
themselves, for time alone changes them. What is kept is what they are computed from, and here
they are, at any instant.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from engine.computed import Computations, State
from engine.matching import Evaluate


@dataclass(frozen=True)
class Seen:
    """`own` are the traits that were told, a company's among them; `state` is by the same `by`."""

    by: Computations
    state: State
    own: Mapping[str, Any]
    at: datetime
    zone: ZoneInfo
    evaluate: Evaluate

    @property
    def computed(self) -> dict[str, Any]:
        """The computed traits that there are."""
        return self.by.values(self.state, self.at, self.zone)

    @cached_property
    def traits(self) -> Mapping[str, Any]:
        """All traits, as conditions and messages see them."""
        return self.by.known(self.own, self.state, self.at, self.zone)

    @cached_property
    def segments(self) -> frozenset[str]:
        """Those that the customer is in."""
        return self.by.inside(self.state, self.own, self.at, self.zone, self.evaluate)
