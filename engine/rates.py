"""When a message may go out on a channel that carries only so many a second.

Three moments of a channel say it all: from when a slot is free, and how far each of two lines
has been given out. A slot that comes within moments is taken and waited for; everyone else
gets a place in line, which is a time to ask again, spaced like the slots. The surprising fact:
a place is no slot. Whoever comes back finds transactional messages gone ahead, and if too
many have, gets another place; so these never wait behind a line, however long, and each of
them costs one other message one question more.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

# How far slots are given out ahead, and so how long a message of marketing that may go is
# waited with. Timers of one second come up together, at its end: with less than that second
# most of those in line would find no slot.
PATIENCE = timedelta(seconds=1.5)

# A transactional one finds slots given out for `PATIENCE` already, and fits in behind them. It
# leaves room for as many again; what is beyond waits in a line of its own.
TRANSACTIONAL_PATIENCE = 2 * PATIENCE

# From its slot to its provider a message passes a busy machine and a busy database, and those
# who were held up there would go together. So they are spread again, a little closer than the
# rate has them: after a stall all would else stay as late as its last one, for as long as there
# is a line. 3 % is far within the 10 that a provider's limit can be missed by in ten seconds.
CATCHING_UP = 0.97


@dataclass(frozen=True, slots=True)
class Lines:
    """What of a channel's time is given out: real time, of the clock that all share.

    `free_at` is the first moment that has no slot; the others are the ends of the two lines.
    """

    free_at: datetime
    transactional_at: datetime
    marketing_at: datetime


@dataclass(frozen=True, slots=True)
class Ask:
    """Somebody would send now. `waited`: they had a place.

    `left` is how much of the grace there is, and `lateness` what a worker may exceed it by:
    nobody is told to come back then, but who is there may still go.
    """

    transactional: bool
    waited: bool
    left: timedelta
    lateness: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Slot:
    """Send in `wait`, and not before."""

    wait: timedelta


@dataclass(frozen=True, slots=True)
class Place:
    """Ask again in `wait`."""

    wait: timedelta


Turn = Slot | Place


def take(lines: Lines, now: datetime, every: timedelta, ask: Ask) -> tuple[Lines, Turn | None]:
    """The turn of whoever asks at `now`, on a channel that sends once `every` so often.

    None if it would come too late; nothing is given out then.
    """
    slot = max(lines.free_at, now)
    if slot - now <= min(_patience(lines, now, ask), ask.left + ask.lateness):
        return replace(lines, free_at=slot + every), Slot(slot - now)
    if ask.transactional:
        place = max(lines.transactional_at, slot)
        longer = replace(lines, transactional_at=place + every)
    else:
        place = max(lines.marketing_at, lines.transactional_at, slot)
        longer = replace(lines, marketing_at=place + every)
    if place - now > ask.left:
        return lines, None
    return longer, Place(place - now)


def moment(last_at: datetime, now: datetime, every: timedelta) -> datetime:
    """When a message is handed over whose slot has come, and that may have been held up since.

    `last_at` is that moment of the one before. It is claimed already, so it waits no longer than
    any message may for its slot, whatever rate there was before.
    """
    return min(max(now, last_at + CATCHING_UP * every), now + TRANSACTIONAL_PATIENCE)


def _patience(lines: Lines, now: datetime, ask: Ask) -> timedelta:
    """How far ahead a slot may lie; less than zero where none may be taken at all."""
    if not ask.transactional and lines.transactional_at > now:
        return timedelta(-1)
    line_at = lines.transactional_at if ask.transactional else lines.marketing_at
    if line_at > now and not ask.waited:
        return timedelta(0)  # a slot that nobody came for, or a place behind the others
    return TRANSACTIONAL_PATIENCE if ask.transactional else PATIENCE
