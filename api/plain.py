"""The calls that concern no journey and say nothing new: most of all, so they are cheap.

Decides which those are, by what was locked and without reading a trait. The one surprising
fact: a customer of whom one call is not plain is taken the long way with all of them, so that
nobody's calls are taken out of their order.
"""

from collections.abc import Iterable, Mapping, Sequence

from api.reach import Locked
from engine.calls import Call, Track
from engine.localtime import zone
from engine.watching import Watched
from rendering.conditions import may_hold
from store.customers import Known
from store.tables import EventKind


def concerned_by(calls: Iterable[Call], locked: Locked, watched: Watched) -> frozenset[str]:
    """The ids of those of whom more must be known than `Known` tells."""
    concerned = set(locked.members)
    for call in calls:
        joins = any(locked.known[name].merged_into != call.customer_id for name in call.formerly)
        if joins or not _is_plain(call, locked.known[call.customer_id], watched):
            concerned.add(call.customer_id)
    # With whoever is taken the long way come all the names that any of their calls gives them.
    for call in calls:
        if call.customer_id in concerned:
            concerned.update(call.formerly)
    return frozenset(concerned)


def seen_by_plain(locked: Locked, fresh: Mapping[str, Sequence[Call]]) -> list[tuple[Known, Known]]:
    """Plain customers before and after these calls, which are no repeats."""
    seen: list[tuple[Known, Known]] = []
    for customer_id, calls in fresh.items():
        if customer_id in locked.rows:
            continue
        before = known = locked.known[customer_id]
        for call in calls:
            assert isinstance(call, Track)  # or it would not be plain
            known = known.seen(
                call.at, timezone=call.timezone is not None, locale=call.locale is not None
            )
        seen.append((before, known))
    return seen


def _may_concern(call: Track, watched: Watched) -> bool:
    """Whether a journey may want to know, as far as the event alone can tell."""
    if call.event not in watched.events:
        return False
    conditions = watched.where.get(call.event)
    if conditions is None:
        return True
    return any(may_hold(condition, call.properties) for condition in conditions)


def _is_plain(call: Call, known: Known, watched: Watched) -> bool:
    return (
        isinstance(call, Track)
        and not _may_concern(call, watched)
        and call.event not in watched.moving
        and call.kind != EventKind.SYSTEM  # who is told something has not used the product
        and not call.clamped
        and not call.historical  # what was erased is asked for
        and known.first_seen_at is not None
        and known.merged_into is None
        and call.timezone in (None, known.context_timezone)
        and call.locale in (None, known.context_locale)
        and (call.timezone is None or zone(call.timezone) is not None)  # else it is flagged
    )
