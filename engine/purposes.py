"""What else than being written to a customer may agree to, or not: being observed as a reader.

Decides whether it may be kept that this customer opened a message or followed a link. Each
purpose is a topic of the ledger under a reserved name; topics of a policy have no dots, so
none can be mistaken for one. The one surprising fact: the two default opposite ways. A click
is kept unless the customer said no; an opening only if they said yes to precisely that (the
CNIL asks a separate consent for pixels), and "yes to everything" is no such yes.
"""

from collections.abc import Sequence

from engine.consent import Word, agrees_to
from engine.policy import Policy

OPENS = "tracking.opens"
CLICKS = "tracking.clicks"
PURPOSES = (OPENS, CLICKS)


def may_track_clicks(policy: Policy, topic: str | None, said: Sequence[Word]) -> bool:
    """Whether links in a message of this topic (None: transactional) may tell who followed them.

    `said` is everything the customer said, oldest first.
    """
    if not policy.tracking.clicks or agrees_to(said, CLICKS) is False:
        return False
    return _is_tracked(policy, topic)


def may_track_opens(policy: Policy, topic: str | None, said: Sequence[Word]) -> bool:
    """Whether a message of this topic (None: transactional) may tell that it was opened."""
    if not policy.tracking.opens or agrees_to(said, OPENS) is not True:
        return False
    return _is_tracked(policy, topic)


def _is_tracked(policy: Policy, topic: str | None) -> bool:
    known = policy.topics.get(topic) if topic is not None else None
    return known is None or known.tracking
