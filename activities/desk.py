"""What `deliver` works with (`Desk`), one attempt at one order, and the one thing it raises.

Knows no table and decides nothing. The surprising fact: an attempt has two times. `now` is
real, for claims and keys; `at` is journey time, for deadlines. In production they are one.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Protocol

from activities.providers.outcome import AnyProvider, HookCall
from activities.staging import PRODUCTION, Staging
from engine.clock import journey_time
from engine.keys import message_key
from engine.orders import DeliverOrder
from engine.reasons import Reason
from rendering.links import Links
from store.database import Database


class Shop(Protocol):
    """Makes coupon codes of its own."""

    async def ask(self, call: HookCall) -> object:
        """The JSON it answers. Raises ProviderTrouble."""
        ...


# How often a transactional message may go out that a provider without keys may have: once
# more. Better twice than never, but not at every attempt of a day-long outage.
_COPIES = 2


@dataclass(frozen=True)
class Desk:
    """What `deliver` works with. Providers by channel; `links` makes those of messages.

    `copies`: how often a transactional message may be handed to a provider that knows no
    keys, when nobody can say whether it took it; 1 leaves each such case to a person.
    `shop` calls the webhooks that make coupon codes; None: nobody does.
    `rates`: messages a second, of those channels that carry only so many.
    """

    database: Database
    providers: Mapping[str, AnyProvider]
    links: Links
    copies: int = _COPIES
    shop: Shop | None = None
    rates: Mapping[str, float] = field(default_factory=dict)
    staging: Staging = PRODUCTION

    def provider(self, channel: str) -> AnyProvider:
        """Who carries this channel. Raises Trouble if nobody does."""
        try:
            return self.providers[channel]
        except KeyError:
            raise Trouble(Reason.PROVIDER_DOWN, f"nobody is set up to carry {channel}") from None

    def every(self, channel: str) -> timedelta | None:
        """How far apart two messages of this channel are at least; None if that is all the same."""
        rate = self.rates.get(channel)
        return None if rate is None else timedelta(seconds=1 / rate)


@dataclass(frozen=True)
class Attempt:
    """One attempt at one order, begun at `now` (real time)."""

    order: DeliverOrder
    now: datetime
    _begun_s: float = field(default_factory=time.monotonic, compare=False, repr=False)

    @cached_property
    def key(self) -> str:
        """The message key: of the row, and for the provider."""
        delivery = self.order.delivery
        return message_key(self.order.report.enrollment_id, delivery.step, delivery.occurrence)

    @cached_property
    def at(self) -> datetime:
        """When it began, in journey time."""
        return journey_time(self.order.clock, self.now)

    @property
    def deadline(self) -> datetime:
        """The last moment (journey time) at which the message may still go out."""
        return self.order.delivery.until + self.order.tolerances.lateness

    @property
    def passed(self) -> timedelta:
        """How long it has been going on, in real time: it may have had to wait."""
        return timedelta(seconds=time.monotonic() - self._begun_s)

    @property
    def is_past_deadline(self) -> bool:
        return self.at > self.deadline


class Trouble(Exception):  # noqa: N818 - told by name
    """It can't be settled now, and will be tried again, not before `retry_after` if given.

    The text ends up in the Temporal UI, so it never quotes a customer's data.
    """

    def __init__(self, reason: Reason, what: str, retry_after: timedelta | None = None) -> None:
        super().__init__(what)
        self.reason = reason
        self.retry_after = retry_after
