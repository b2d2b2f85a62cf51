"""Broadcasts as the engine has them: when each customer's time has come, and what crosses
between the pages that do the work and the workflow that has them done.

Decides when a customer is due and how long a page takes at a rate. Knows no customer, no
store and no clock. The surprising fact: somebody's hour may have passed already where they
are; they are due at once, for to leave them out would be to lose them.
"""

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict

from engine import localtime
from engine.clock import Clock

# As a journey's, but it begins with a letter: it stands where an ordinal could (`engine.keys`).
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_LONGEST_NAME = 64

_LOCAL = re.compile(r"(?:(\d{4}-\d{2}-\d{2}) )?([01]\d|2[0-3]):([0-5]\d)")

# Where every day of the calendar begins first (UTC+14).
_FIRST_ZONE = "Pacific/Kiritimati"

# A page is at least this much of the rate: to order one costs some 30 ms, so more of them
# would be overhead, and fewer would be bursts.
_PAGE_OF_RATE = timedelta(seconds=1)


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class BroadcastInput(_Value):
    """The one argument of the broadcast workflow. All the rest is in the store.

    `turn_at` is when the next page has its turn at the rate; carried from run to run.
    """

    name: str
    clock: Clock | None = None
    turn_at: datetime | None = None  # real time


class PageOrder(_Value):
    """Do the next page. With `stopped_by` stop the broadcast first: a person in Temporal did."""

    name: str
    clock: Clock | None = None
    stopped_by: str | None = None


class PageDone(_Value):
    """What became of a page: how the broadcast stands, and when to come again.

    `taken` were taken up or sent, which at the rate is `span` of real time. `again_at` is
    when there will be something to do (journey time); None: at once. `is_troubled`: nobody
    could be sent anything just now. `lines` tell how far it has got, for people.
    """

    state: str
    is_over: bool
    is_paused: bool = False
    taken: int = 0
    span: timedelta = timedelta(0)
    again_at: datetime | None = None
    is_troubled: bool = False
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class LocalTime:
    """A wall time of each customer's own: of the day `on`, or of the day on which it begins."""

    at: time
    on: date | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """`09:00`, or `2026-12-01 09:00`. Raises ValueError."""
        found = _LOCAL.fullmatch(text)
        if found is None:
            raise ValueError(f"`{text}` is no local time: write `09:00` or `2026-12-01 09:00`")
        day, hours, minutes = found.groups()
        return cls(time(int(hours), int(minutes)), date.fromisoformat(day) if day else None)

    def __str__(self) -> str:
        return f"{self.on} {self.at:%H:%M}" if self.on is not None else f"{self.at:%H:%M}"

    @property
    def first_instant(self) -> datetime | None:
        """When it comes first anywhere on Earth, if it is of a certain day."""
        zone = localtime.zone(_FIRST_ZONE)
        assert zone is not None  # tzdata has it
        return None if self.on is None else localtime.local(self.on, self.at, zone)


def check_name(name: str) -> None:
    """Raise ValueError unless a broadcast can be called so."""
    if len(name) > _LONGEST_NAME or not _NAME.fullmatch(name):
        raise ValueError(
            f"`{name}` is not a name: begin with a lower case letter, then lower case letters, "
            f"digits and hyphens, at most {_LONGEST_NAME}"
        )


def due_at(start_at: datetime, local_time: LocalTime | None, zone: ZoneInfo) -> datetime:
    """When a customer in that zone is due; never before the broadcast begins."""
    if local_time is None:
        return start_at
    day = local_time.on or start_at.astimezone(zone).date()
    return max(start_at, localtime.local(day, local_time.at, zone))


def page_size(per_second: float | None, most: int) -> int:
    """How many to take up at once: a second's worth of the rate, at least one."""
    if per_second is None:
        return most
    return max(1, min(most, round(per_second * _PAGE_OF_RATE.total_seconds())))


def span_of(taken: int, per_second: float | None) -> timedelta:
    """How long so many take at that rate."""
    return timedelta(0) if per_second is None else timedelta(seconds=taken / per_second)
