"""Traits with a time for each: of two that set the same one, the later in event time counts."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from store.tables import Company, Customer


def merge_traits(holder: Customer | Company, traits: Mapping[str, Any], at: datetime) -> bool:
    """Set a locked holder's traits as of `at` (event time); None clears one.

    A trait already set or cleared later than `at` keeps what it has. Answers whether
    anything changed.
    """
    stamp = at.astimezone(UTC).isoformat(timespec="microseconds")  # sorts as text
    return _merge(holder, {name: (value, stamp) for name, value in traits.items()})


def absorb_traits(holder: Customer, other: Customer) -> bool:
    """Take in another's traits, each as of its own time."""
    theirs = {name: (other.traits.get(name), at) for name, at in other.trait_times.items()}
    return _merge(holder, theirs)


def _merge(holder: Customer | Company, told: Mapping[str, tuple[Any, str]]) -> bool:
    held, times = dict(holder.traits), dict(holder.trait_times)
    for name, (value, stamp) in told.items():
        if stamp < times.get(name, ""):
            continue
        times[name] = stamp
        if value is None:
            held.pop(name, None)
        else:
            held[name] = value
    changed = held != holder.traits
    # New dicts, for a change inside the old one would not be noticed and not be written; and
    # none where nothing is new, for the same would be written again.
    if changed:
        holder.traits = held
    if times != holder.trait_times:
        holder.trait_times = times
    return changed
