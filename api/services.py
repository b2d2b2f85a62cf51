"""What the API works with: handed in once by the entry point, and passed along from there.

There are no globals: two APIs in one process, as tests have them, don't know of each other.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from temporalio.client import Client

from api.keyring import Keyring
from api.limits import Limits
from api.metrics import Metrics
from api.refusals import Refusals
from engine.clock import Clock, journey_time
from engine.enrollment import Tolerances
from engine.matching import Evaluate
from engine.reached import ReadPhone, written_e164
from rendering import conditions
from settings import Settings
from store.database import Database

# Real time that a fast run leaves for what takes real time anyway: the server's timers are
# up to a second late, a busy machine more. At a day in four seconds, a step's day of grace
# would otherwise be over before its message is rendered.
_LEAST_REAL_GRACE = timedelta(seconds=30)
_REAL_HELD_AFTER = timedelta(seconds=10)


def wall_time() -> datetime:
    """The real time, aware UTC. The one clock of this room."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Services:
    """Everything the API needs. `temporal` None: accepted events wait in the outbox.

    `woken` tells the dispatcher of this process that there is something to carry. `wall`
    is the real clock; `clock` makes journey time of it, None being production's. `read_phone`
    knows how phone numbers are written, here only those that say their country. `keyring`,
    `limits` and `refusals` remember keys for this process, `metrics` counts for it.
    """

    database: Database
    settings: Settings
    temporal: Client | None = None
    temporal_ui_url: str | None = None
    clock: Clock | None = None
    wall: Callable[[], datetime] = wall_time
    evaluate: Evaluate = conditions.evaluate
    read_phone: ReadPhone = written_e164
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    keyring: Keyring = field(init=False)
    limits: Limits = field(init=False)
    refusals: Refusals = field(init=False)
    metrics: Metrics = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "keyring", Keyring(self.database))
        object.__setattr__(self, "limits", Limits(self.settings.rate_limit))
        object.__setattr__(self, "refusals", Refusals(self.database))
        object.__setattr__(self, "metrics", Metrics())

    def now(self) -> datetime:
        """Journey time."""
        return journey_time(self.clock, self.wall())

    @property
    def tolerances(self) -> Tolerances:
        """How much new enrollments bear of the real world's lag, in journey time."""
        if self.clock is None or self.clock.speed <= 1:
            return Tolerances()
        grace = _LEAST_REAL_GRACE * self.clock.speed
        return Tolerances(
            lateness=max(Tolerances().lateness, grace),
            held_after=_REAL_HELD_AFTER * self.clock.speed,
            least_grace=grace,
        )
