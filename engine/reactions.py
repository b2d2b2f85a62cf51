"""What customers do with the messages they got: follow a link in one, use the coupon of one.

Decides which message is meant and whether this can have happened, and what the events carry by
which journeys hear of it, wherever it happens. For the simulator it keeps what went out. The
surprising fact: a link may be followed and nothing come of it, as in production, where it is
asked each time whether a click may be kept (`engine.purposes`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from engine.calls import FollowLink, Reaction, Track, UseCoupon
from engine.consent import Word
from engine.definition import Offer
from engine.events import BuiltInEvent
from engine.gate import Go, Occasion, offer_for
from engine.keys import message_key
from engine.localtime import zone
from engine.offers import SAMPLE_CODE, valid_until
from engine.policy import Policy
from engine.purposes import may_track_clicks

# A text message has its links as they were written, and of a printed card nobody hears.
_TELLS_OF_CLICKS = "email"


class CannotReact(Exception):  # noqa: N818 - an answer about a play, told by name
    """Nothing went out to which the customer could react so."""

    def __init__(self, reaction: Reaction, why: str) -> None:
        super().__init__(why)
        self.reaction = reaction


@dataclass(frozen=True, kw_only=True)
class Got:
    """A message that went out to a customer at `at`. `key` is that of its enrollment."""

    message_key: str
    enrollment: str
    journey: str
    step: str
    key: str | None
    at: datetime
    message: str | None
    channel: str | None
    topic: str | None
    has_coupon: bool


def meant(reaction: Reaction, got: Iterable[Got]) -> Got:
    """The message that is reacted to: the newest of its step. Raises CannotReact."""
    is_click = isinstance(reaction, FollowLink)
    step, key = reaction.step, reaction.key
    sent = [each for each in got if (each.journey, each.step) == (reaction.journey, step)]
    mine = [each for each in sent if key in (None, each.key)]
    if not mine:
        whose = "" if key is None else f" for `{key}`"
        what = "clicked" if is_click else "redeemed"
        why = f"nothing was sent that could be {what}: by then `{step}` had not gone out{whose}"
        raise CannotReact(reaction, why)
    if len(keys := list(dict.fromkeys(str(each.key) for each in mine))) > 1:
        told = " and ".join(f"`{each}`" for each in keys)
        raise CannotReact(reaction, f"`{step}` went out for {told}: say which, `key: {keys[-1]}`")
    newest = max(each.at for each in mine)
    found, *others = (each for each in mine if each.at == newest)
    if others:
        why = f"`{step}` went out more than once at one moment, and nothing tells these apart"
        raise CannotReact(reaction, why)
    if is_click and found.channel != _TELLS_OF_CLICKS:
        why = f"`{step}` went out by {found.channel}, where nobody learns what is clicked"
        raise CannotReact(reaction, why)
    if not is_click and not found.has_coupon:
        raise CannotReact(reaction, f"`{step}` went out as `{found.message}`, without a coupon")
    return found


# --- What the events carry ----------------------------------------------------------------


def of_message(
    *,
    message: str | None,
    journey: str,
    step: str,
    topic: str | None,
    channel: str | None,
    kind: str,
    url: str | None,
) -> dict[str, Any]:
    """The properties of what became of a message; `kind` in the words of providers' reports."""
    return {
        "message": message,
        "journey": journey,
        "step": step,
        "topic": topic,
        "channel": channel,
        "kind": kind,
        "url": url,
    }


def of_coupon(
    *,
    code: str,
    journey: str,
    step: str,
    percent: Decimal | None,
    amount: Decimal | None,
    free_shipping: bool,
    currency: str | None,
    order: str | None,
) -> dict[str, Any]:
    """The properties of a coupon's use."""
    return {
        "code": code,
        "journey": journey,
        "step": step,
        "percent": None if percent is None else float(percent),
        "amount": None if amount is None else float(amount),
        "free_shipping": free_shipping,
        "currency": currency,
        "order": order,
    }


# --- What the simulator keeps --------------------------------------------------------------


@dataclass
class _Coupon:
    terms: Offer
    currency: str | None
    good_until: datetime
    is_used: bool = False
    used_for: str | None = None


@dataclass
class Inbox:
    """What went out to a customer who is played, and what has come of it."""

    got: list[Got] = field(default_factory=list)
    coupons: dict[str, _Coupon] = field(default_factory=dict)  # by the message's key

    def put(self, occasion: Occasion, customer_id: str, go: Go, policy: Policy) -> None:
        """Take in a message that went out, with its coupon if it has one."""
        delivery, journey = occasion.delivery, occasion.journey
        key = message_key(occasion.enrollment, delivery.step, delivery.occurrence)
        terms = offer_for(journey, occasion.step, customer_id)
        if terms is not None:
            tz = zone(delivery.zone)
            assert tz is not None  # the machine computes in zones that exist
            currency = None if terms.amount is None else policy.currency
            until = valid_until(delivery.at, terms.valid, tz)
            self.coupons[key] = _Coupon(terms, currency, until)
        self.got.append(
            Got(
                message_key=key,
                enrollment=occasion.enrollment,
                journey=journey.journey,
                step=delivery.step,
                key=occasion.key,
                at=delivery.at,
                message=go.message,
                channel=go.channel,
                topic=go.topic,
                has_coupon=terms is not None,
            )
        )

    def absorb(self, other: "Inbox") -> None:
        """Take in all of another's."""
        self.got += other.got
        self.coupons |= other.coupons

    def follow(
        self, link: FollowLink, policy: Policy, said: Sequence[Word]
    ) -> tuple[Got, Track] | None:
        """What is clicked, and the event that says so; None if nobody may keep it.

        Raises CannotReact.
        """
        got = meant(link, self.got)
        if got.topic is None or not may_track_clicks(policy, got.topic, said):
            return None
        properties = of_message(
            message=got.message,
            journey=got.journey,
            step=got.step,
            topic=got.topic,
            channel=got.channel,
            kind="clicked",
            url=link.url,
        )
        return got, _event(link, BuiltInEvent.MESSAGE_CLICKED, properties)

    def use(self, use: UseCoupon) -> Track | None:
        """The event that says that the coupon was used; None if it says what is known.

        Raises CannotReact.
        """
        got = meant(use, self.got)
        coupon = self.coupons[got.message_key]
        if coupon.is_used:
            if use.order is not None and use.order == coupon.used_for:
                return None
            raise CannotReact(use, f"the coupon of `{use.step}` was used before")
        if coupon.good_until < use.at:
            until = f"{coupon.good_until:%Y-%m-%d %H:%M} UTC"
            raise CannotReact(use, f"the coupon of `{use.step}` was good until {until}")
        coupon.is_used, coupon.used_for = True, use.order
        terms = coupon.terms
        properties = of_coupon(
            code=SAMPLE_CODE,
            journey=got.journey,
            step=got.step,
            percent=terms.percent,
            amount=terms.amount,
            free_shipping=terms.free_shipping is True,
            currency=coupon.currency,
            order=use.order,
        )
        return _event(use, BuiltInEvent.OFFER_REDEEMED, properties)


def _event(reaction: Reaction, name: BuiltInEvent, properties: dict[str, Any]) -> Track:
    return Track(
        customer_id=reaction.customer_id,
        at=reaction.at,
        message_id=reaction.message_id,
        event=name,
        properties=properties,
        kind="system",
    )
