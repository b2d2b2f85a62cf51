"""How a comparison is told: the median over paired rounds, and how far they lie apart.

The two of a pair run one after the other, so that whatever else the machine is doing slows
both. A single number from a shared machine says little; a ratio says more, and its spread
says how much.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Ratio:
    """One ratio a round, and the bound it should keep; None: it is only told."""

    name: str
    values: Sequence[float]
    at_least: float | None = None
    at_most: float | None = None

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def __str__(self) -> str:
        spread = f"{min(self.values):.2f} … {max(self.values):.2f}"
        told = f"{self.name:<58} {self.median:5.2f}   ({spread}, {len(self.values)} rounds)"
        if self.at_least is not None:
            return f"{told}   at least {self.at_least}: {_verdict(self.median >= self.at_least)}"
        if self.at_most is not None:
            return f"{told}   at most {self.at_most}: {_verdict(self.median <= self.at_most)}"
        return told


def ratio_of(
    name: str,
    ours: Sequence[float],
    theirs: Sequence[float],
    at_least: float | None = None,
    at_most: float | None = None,
) -> Ratio:
    """The rounds of one divided by those of the other, pair by pair."""
    values = [mine / other for mine, other in zip(ours, theirs, strict=True)]
    return Ratio(name, values, at_least, at_most)


def _verdict(holds: bool) -> str:
    return "yes" if holds else "NO"
