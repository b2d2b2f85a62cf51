"""Draws that are the same every time they are made: holdout and variants.

A stable hash of who and what, never a random number, so a retry, a replay and the
simulator all draw alike.
"""

import hashlib
from collections.abc import Mapping


def fraction(*parts: str) -> float:
    """A number in [0, 1) that depends on nothing but the parts, evenly spread."""
    text = "\x1f".join(parts)  # a separator that no name contains
    # 53 bits are what a float holds exactly; with more the largest would round up to 1.
    return (int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) >> 11) / 2**53


def held_out(share: float, scope: str, customer_id: str) -> bool:
    """Whether the customer is among the `share` that gets nothing but is measured.

    `scope` is the journey's name, or `""` for the policy's holdout over all journeys.
    """
    return fraction("holdout", scope, customer_id) < share


def draw(weights: Mapping[str, int], *parts: str) -> str:
    """One of the names, in proportion to its weight; the mapping's order does not matter."""
    point = fraction("variant", *parts) * sum(weights.values())
    for name in sorted(weights):  # JSON on its way through Temporal may sort keys
        point -= weights[name]
        if point < 0:
            return name
    return max(weights)  # only by rounding at the far end
