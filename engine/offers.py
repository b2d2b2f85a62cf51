"""How long a coupon is good: never for less than its step says, from the moment it goes out.

A message may wait for its provider after its code was made, and what is sent must stay what
was written down. So the last day counts whole, and then some: who retries within `_ROOM`
still keeps the promise. Later than that, the code is made anew with the message.
"""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from engine.expressions import Duration
from engine.localtime import set_wall_time, shift

# Attempts at a message within the hour are one outage; what comes later is worded again.
_ROOM = timedelta(hours=1)

# The code of every coupon of a simulation, which no till takes.
SAMPLE_CODE = "SAMPLE42"

_LAST_SECOND = time(23, 59, 59)
_SECOND = timedelta(seconds=1)


def valid_until(at: datetime, valid: Duration, zone: ZoneInfo) -> datetime:
    """The last moment of a coupon that goes out at `at`: the end of a local day.

    Raises OutOfRange.
    """
    latest = shift(at + _ROOM, valid.terms, zone)
    end = set_wall_time(latest, _LAST_SECOND, zone)
    if end < latest:  # within the last second of its day
        end = set_wall_time(latest + _SECOND, _LAST_SECOND, zone)
    return end


def holds(until: datetime, at: datetime, valid: Duration, zone: ZoneInfo) -> bool:
    """Whether a coupon good until then has all its time if it goes out then. Raises OutOfRange."""
    return shift(at, valid.terms, zone) <= until
