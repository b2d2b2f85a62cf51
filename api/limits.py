"""How much one key may send: a token bucket a key, in this process, counted in events.

Decides when a sender must wait, and for how long; knows no request. The one surprising
fact: a request is let in by its first event alone, and the others may take the bucket into
debt. A batch larger than the whole bucket would otherwise be refused for ever, and a sender
that has waited as long as it was told could be refused again.
"""

import math
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime

from api.errors import RateLimitedError
from api.keyring import KnownKey

# What a full bucket holds, in seconds' worth. At the default rate that is 10,000 events, all
# that a Segment SDK queues while the API is away: it may hand them over at once.
BURST_S = 10

# Far more keys than an installation has. The one forgotten is that which was used longest
# ago, whose bucket is the fullest: it comes back full.
_MOST_BUCKETS = 10_000

# Seconds times rate, in floating point, may miss a whole event by less than this.
_TOLERANCE = 1e-6


@dataclass
class _Bucket:
    """`level` events are left at `at`; below 0 it is in debt."""

    level: float
    at: datetime


class Limits:
    """The buckets of one process. `default` is the rate of keys without one of their own.

    Rates are events per second, 0 is no limit. `now` is real time; set back, it fills nothing
    and holds nobody up.
    """

    def __init__(self, default: int) -> None:
        self._default = default
        self._buckets: OrderedDict[int, _Bucket] = OrderedDict()

    def take(self, key: KnownKey, events: int, now: datetime) -> None:
        """Let a request in and charge it, into debt if need be.

        Raises RateLimitedError, and charges nothing, if not even one event is left.
        """
        self._take(key, events, now, needed=1)

    def take_rest(self, key: KnownKey, events: int, now: datetime) -> None:
        """Charge what else was in a request that `take` let in for its first event.

        Raises RateLimitedError if another request took the bucket into debt meanwhile. With
        nobody else sending it never does.
        """
        if events > 0:
            self._take(key, events, now, needed=0)

    def _take(self, key: KnownKey, events: int, now: datetime, *, needed: int) -> None:
        rate = self._default if key.events_per_second is None else key.events_per_second
        if rate == 0:
            return
        bucket = self._filled(key.id, rate, now)
        if bucket.level < needed - _TOLERANCE:
            # Until one whole event is there, since the request then begins anew with `take`.
            wait_s = (1 - bucket.level) / rate
            raise RateLimitedError(key.name, rate, max(1, math.ceil(wait_s - _TOLERANCE / rate)))
        bucket.level -= events

    def _filled(self, key_id: int, rate: int, now: datetime) -> _Bucket:
        """The key's bucket as it is now."""
        most = rate * BURST_S
        bucket = self._buckets.setdefault(key_id, _Bucket(most, now))
        self._buckets.move_to_end(key_id)
        if len(self._buckets) > _MOST_BUCKETS:
            self._buckets.popitem(last=False)
        passed_s = max(0.0, (now - bucket.at).total_seconds())
        bucket.level = min(most, bucket.level + passed_s * rate)
        bucket.at = now
        return bucket
