"""The links that a message may speak of (`links.…` in templates), each for its one reader.

Decides which message has which. The surprising fact: a transactional message has no link to
unsubscribe by, since one can't, but the one to the preference page like any other.
"""

from collections.abc import Mapping

from activities.case import Case
from engine.choices import asked_to_confirm
from engine.gate import Go
from rendering.links import Confirm, Links, Preferences, Unsubscribe


def links_of(case: Case, go: Go, links: Links) -> Mapping[str, str | None]:
    """By name; None where the message has no such link."""
    who = case.customer.id
    asked = asked_to_confirm(case.policy, case.occasion.event, case.enrollment.start_properties)
    return {
        "unsubscribe": None if go.topic is None else links.url(Unsubscribe(who, go.topic)),
        "preferences": links.url(Preferences(who)),
        "confirm": None if asked is None else links.url(Confirm(who, asked.topic, asked.channel)),
    }
