"""What became of a message after it was sent, as its provider tells, and which word counts.

Providers tell late, twice and in any order, so a status only moves forward: whoever hears
"delivered" after "bounced" keeps the bounce.
"""

from enum import StrEnum


class DeliveryStatus(StrEnum):
    """The latest word about a message that went out, in the order in which they move."""

    DELAYED = "delayed"  # the other side puts it off; the provider goes on trying
    ON_ITS_WAY = "on_its_way"  # in the post, or with the carrier
    DELIVERED = "delivered"
    FAILED = "failed"  # the provider gave up, or dropped it
    BOUNCED = "bounced"  # the other side refused it; a letter came back
    COMPLAINED = "complained"


_RANK = {status: rank for rank, status in enumerate(DeliveryStatus)}


def moves_forward(old: DeliveryStatus | None, new: DeliveryStatus) -> bool:
    """Whether the new word replaces the old one."""
    return old is None or _RANK[new] > _RANK[old]
