"""What this process counts for Prometheus: events, refusals, what goes to Temporal, requests.

The registry belongs to one application, so two in a process don't add up. The one
surprising fact: nothing that comes from outside ever becomes a label. Kinds, codes,
outcomes, statuses and routes are ours; an address that no route has is `unmatched`.
"""

import math
from collections import Counter as Tally
from collections.abc import Iterable
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import Metric

from api.courier import Declined, Done, Hopeless, Outcome, Trouble
from engine.calls import Alias, Call, ChangeConsent, Group, Identify, Track
from store.outbox import Backlog
from store.tables import EventKind, OutboxKind, OutboxRow

CONTENT_TYPE = CONTENT_TYPE_LATEST

# At once when all is well, some seconds on a busy machine, up to hours after an outage.
_DISPATCH_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200)

# A call alone takes two to ten milliseconds, a full batch a second or two.
_REQUEST_S = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

# A lookup, as this is asked for every event. A call by hand makes none.
_KINDS: dict[type[Call], EventKind] = {
    Identify: EventKind.IDENTIFY,
    Group: EventKind.GROUP,
    Alias: EventKind.ALIAS,
    ChangeConsent: EventKind.SYSTEM,
}

_OUTCOMES: dict[type[Outcome], str] = {
    Done: "carried",
    Declined: "declined",
    Trouble: "trouble",
    Hopeless: "parked",
}


class Metrics:
    """The counters of one application."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._accepted = Counter(
            "parcours_events_accepted_total",
            "Events that were written down, by the call they came by.",
            ["kind"],
            registry=self._registry,
        )
        # Looked up once: a label costs as much as the counting.
        self._accepted_of: dict[str, Counter] = {
            kind: self._accepted.labels(kind.value) for kind in EventKind
        }
        self._duplicate = Counter(
            "parcours_events_duplicate_total",
            "Events that were known already, and had no second effect.",
            registry=self._registry,
        )
        self._refused = Counter(
            "parcours_calls_refused_total",
            "Calls, or whole requests, that were refused where events come in, by code.",
            ["code"],
            registry=self._registry,
        )
        self._pending = self._gauge("pending", "Rows that Temporal has yet to hear.")
        self._oldest = self._gauge("oldest_seconds", "How long the oldest of them has waited.")
        self._parked = self._gauge("parked", "Rows that were put aside for a person.")
        self._dispatch = Histogram(
            "parcours_dispatch_seconds",
            "From the writing of a row of the outbox to Temporal's answer.",
            buckets=_DISPATCH_S,
            registry=self._registry,
        )
        self._dispatched = Counter(
            "parcours_dispatched_total",
            "Attempts to carry a row to Temporal, by what came of them.",
            ["kind", "outcome"],
            registry=self._registry,
        )
        self._requests = Histogram(
            "parcours_request_seconds",
            "How long a request took, by route and status.",
            ["route", "status"],
            buckets=_REQUEST_S,
            registry=self._registry,
        )
        self._requests_of: dict[tuple[str, int], Histogram] = {}

    def accepted(self, calls: Iterable[Call], new: frozenset[str]) -> None:
        """A request's calls were accepted, of which these message ids were new."""
        kinds = [(call.message_id, kind) for call in calls if (kind := _kind(call)) is not None]
        if repeated := len(kinds) - len(new):
            self._duplicate.inc(repeated)
            kinds = list({each[0]: each for each in reversed(kinds) if each[0] in new}.values())
        for kind, count in Tally(kind for _, kind in kinds).items():
            self._accepted_of[kind].inc(count)

    def refused(self, code: str, calls: int = 1) -> None:
        """Calls, or one whole request, were refused; `code` is one of ours."""
        self._refused.labels(code).inc(calls)

    def dispatched(self, row: OutboxRow, outcome: Outcome, now: datetime) -> None:
        """An attempt to carry a row has landed."""
        self._dispatched.labels(row.kind.value, _OUTCOMES[type(outcome)]).inc()
        is_landed = isinstance(outcome, Done | Declined)
        if is_landed and row.kind is not OutboxKind.PACED:  # that waited for its turn
            self._dispatch.observe((now - row.created_at).total_seconds())

    def requested(self, route: str, status: int, seconds: float) -> None:
        """A request was answered."""
        known = self._requests_of.get((route, status))
        if known is None:
            known = self._requests.labels(route, str(status))
            self._requests_of[route, status] = known
        known.observe(seconds)

    def families(self) -> Iterable[Metric]:
        """All there is, as it stands."""
        return self._registry.collect()

    def text(self, backlog: Backlog | None, now: datetime) -> bytes:
        """Everything, as Prometheus reads it. Without a backlog its gauges are no numbers."""
        if backlog is None:
            pending, oldest, parked = math.nan, math.nan, math.nan
        else:
            waited = (now - backlog.oldest_at).total_seconds() if backlog.oldest_at else 0.0
            pending, oldest, parked = backlog.pending, max(0.0, waited), backlog.parked
        self._pending.set(pending)
        self._oldest.set(oldest)
        self._parked.set(parked)
        return generate_latest(self._registry)

    def _gauge(self, name: str, told: str) -> Gauge:
        return Gauge(f"parcours_outbox_{name}", told, registry=self._registry)


def _kind(call: Call) -> str | None:
    """What its event is kept as; None if it makes none."""
    return call.kind if isinstance(call, Track) else _KINDS.get(type(call))
