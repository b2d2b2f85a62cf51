"""A number of which only the bounds are known, to ask a condition what holds for all of them.

What is computed on these has the bounds of what it would come to. A comparison answers where it
comes to the same for every number between them; so a condition that comes to an answer at all
comes to it for each of these numbers, if it only adds, subtracts, multiplies and compares:
whatever else could be done with a number takes this for none. The surprising fact: where an
answer hangs on the number, the comparison itself raises, since Python would take any other
answer for yes or no.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

_NUMBERS = int | float | Decimal


class Undecided(Exception):  # noqa: N818 - an answer, told by name
    """It hangs on which of the numbers it is."""


@dataclass(frozen=True, slots=True, eq=False)
class Between:
    """Any number from `low` to `high`, both included."""

    low: Any
    high: Any

    def __add__(self, other: object) -> "Between":
        return self._with(other, lambda low, high: (self.low + low, self.high + high))

    def __sub__(self, other: object) -> "Between":
        return self._with(other, lambda low, high: (self.low - high, self.high - low))

    def __rsub__(self, other: object) -> "Between":
        return self._with(other, lambda low, high: (low - self.high, high - self.low))

    def __mul__(self, other: object) -> "Between":
        def product(low: Any, high: Any) -> tuple[Any, Any]:
            corners = [mine * theirs for mine in (self.low, self.high) for theirs in (low, high)]
            return min(corners), max(corners)

        return self._with(other, product)

    __radd__, __rmul__ = __add__, __mul__

    def __float__(self) -> float:
        raise Undecided

    def __abs__(self) -> "Between":
        least = 0 if self.low <= 0 <= self.high else min(abs(self.low), abs(self.high))
        return Between(least, max(abs(self.low), abs(self.high)))

    def __lt__(self, other: object) -> bool:
        return self._is(other, lambda low, high: (self.high < low, self.low >= high))

    def __le__(self, other: object) -> bool:
        return self._is(other, lambda low, high: (self.high <= low, self.low > high))

    def __gt__(self, other: object) -> bool:
        return self._is(other, lambda low, high: (self.low > high, self.high <= low))

    def __ge__(self, other: object) -> bool:
        return self._is(other, lambda low, high: (self.low >= high, self.high < low))

    def __eq__(self, other: object) -> bool:
        def same(low: Any, high: Any) -> tuple[bool, bool]:
            return self.low == self.high == low == high, self.high < low or high < self.low

        return self._is(other, same)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = None  # type: ignore[assignment] # which of them it is nobody knows

    def __bool__(self) -> bool:
        return self != 0

    def _with(self, other: object, of: Callable[[Any, Any], tuple[Any, Any]]) -> "Between":
        found = _bounds(other)
        return NotImplemented if found is None else Between(*of(*found))

    def _is(self, other: object, of: Callable[[Any, Any], tuple[bool, bool]]) -> bool:
        """Raises Undecided unless it is so for all of them, or for none."""
        found = _bounds(other)
        if found is None:
            return NotImplemented  # type: ignore[no-any-return] # as Python asks for it
        for_all, for_none = of(*found)
        if not for_all and not for_none:
            raise Undecided
        return bool(for_all)


def _bounds(value: object) -> tuple[Any, Any] | None:
    if isinstance(value, Between):
        return value.low, value.high
    return (value, value) if isinstance(value, _NUMBERS) else None
