"""Journey time: what real time means to the customers' journeys.

In production the two are the same. A demo runs faster, a simulation on a real server
begins at another date; the whole stack then shares one `Clock`. The machine knows nothing
of it: it is handed journey time.
"""

from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict


class Clock(BaseModel):
    """`journey = journey_origin + (real − real_origin) × speed`; all aware UTC."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    real_origin: datetime
    journey_origin: datetime
    speed: float = 1.0

    def journey(self, real: datetime) -> datetime:
        """The journey time at that real time."""
        return self.journey_origin + (real - self.real_origin) * self.speed

    def real(self, journey: datetime) -> datetime:
        """The real time at that journey time."""
        return self.real_origin + (journey - self.journey_origin) / self.speed

    def real_span(self, span: timedelta) -> timedelta:
        """How long a span of journey time really takes."""
        return span / self.speed


def journey_time(clock: Clock | None, real: datetime) -> datetime:
    """Journey time, where None is production's clock: the real one."""
    return real if clock is None else clock.journey(real)


def real_span(clock: Clock | None, span: timedelta) -> timedelta:
    """How long a span of journey time really takes, under that clock."""
    return span if clock is None else clock.real_span(span)
