"""What an event did, or why it did nothing: for the person who asks.

Kept with the event, and only where there is something to tell: of most events there is
nothing but that no journey waits for them.
"""

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict

from engine.effects import NotEnrolled


class Did(StrEnum):
    """What an event did to an enrollment."""

    ENTERED = "entered"
    EXITED = "exited"
    CONVERTED = "converted"
    FIRED = "fired"  # steps that wait for it
    MOVED = "moved"  # a trait or the zone that times count from


class Flag(StrEnum):
    """What was odd about an event that was accepted all the same."""

    CLAMPED = "clamped"
    UNKNOWN_ZONE = "unknown_zone"

    @property
    def sentence(self) -> str:
        """For the person who asks."""
        return _SENTENCES[self]


_SENTENCES = {
    Flag.CLAMPED: "It said that it happened in the future: the time of its arrival counts.",
    Flag.UNKNOWN_ZONE: "It named a time zone that does not exist: another one counts.",
}


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Deed(_Value):
    """One thing an event did; `steps` are those it fired."""

    did: Did
    journey: str
    enrollment: str
    steps: tuple[str, ...] = ()


class Disposition(_Value):
    """Everything there is to tell of an event. `refused` says of journeys why it started none."""

    did: tuple[Deed, ...] = ()
    refused: dict[str, NotEnrolled] = {}
    where_failed: tuple[str, ...] = ()  # the conditions that could not be evaluated
    flags: tuple[Flag, ...] = ()

    def kept(self) -> dict[str, Any] | None:
        """What is kept of it; None if there is nothing to tell."""
        return self.model_dump(mode="json", exclude_defaults=True) or None

    def and_then(self, later: "Disposition") -> "Disposition":
        """Both, of an event that was looked at twice: on arrival, and when its sender was known."""
        return Disposition(
            did=tuple(dict.fromkeys((*self.did, *later.did))),
            refused={**self.refused, **later.refused},
            where_failed=tuple(dict.fromkeys((*self.where_failed, *later.where_failed))),
            flags=tuple(dict.fromkeys((*self.flags, *later.flags))),
        )
