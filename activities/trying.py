"""A message as one customer would get it, for whoever writes it: worded, and sent to them.

Nothing is decided and nothing counts: there is no enrollment, no consent is asked for, no
row of a decision is written, and no address is remembered for it. The surprising fact: its
links lead nowhere. The one to unsubscribe by names nobody, so that a colleague who tries it,
or a scanner on the way, can't unsubscribe the customer whose data were used.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from secrets import token_hex
from typing import Any
from uuid import uuid4

from activities.case import Case
from activities.desk import Attempt
from activities.wording import Worded, word
from engine import gate
from engine.consent import ConsentState
from engine.definition import Journey, Step
from engine.enrollment import Delivery
from engine.gate import Go
from engine.orders import DeliverOrder, Report
from engine.policy import Policy
from engine.routing import zone_of
from rendering.links import Click, Link, Links
from rendering.messages import MessageSource
from store.journeys import Published
from store.tables import Customer, Enrollment

LABEL = "[test]"

# No token of ours has such a form, so whoever follows it is told that the link is not complete.
_NOWHERE = "u/this-is-a-test"


class _Nowhere(Links):
    """Makes links that do nothing, and leaves those of the message as they were written."""

    def __init__(self, public_url: str) -> None:
        super().__init__(public_url, [token_hex()])

    def url(self, link: Link) -> str:
        """The address to follow."""
        return link.url if isinstance(link, Click) else self.base + _NOWHERE


@dataclass(frozen=True)
class Trial:
    """What is tried: a message of a step, for a customer who is known or made up.

    `event` holds the properties of the event that enrolls.
    """

    journey: Journey
    step: Step
    message: str
    sources: Mapping[str, MessageSource]
    policy: Policy
    customer_id: str
    traits: Mapping[str, Any]
    event: Mapping[str, Any]


def word_trial(
    trial: Trial, channel: str, address: str, now: datetime, public_url: str
) -> tuple[str, Worded]:
    """Its key and what goes out. Raises RenderingError where the real one could not be worded."""
    enrollment_id = f"test-{uuid4()}"
    topic = trial.journey.topic_of(trial.step)
    zone = zone_of(trial.traits, None, trial.policy.timezone)[0]
    delivery = Delivery(
        step=trial.step.id, occurrence="test", at=now, due_at=now, until=now, zone=zone
    )
    order = DeliverOrder(
        journey=trial.journey.journey,
        version=trial.journey.version,
        delivery=delivery,
        report=Report(enrollment_id=enrollment_id, customer_id=trial.customer_id),
    )
    attempt = Attempt(order, now)
    go = Go(message=trial.message, channel=channel, address=address, topic=topic)
    worded = word(
        _case(trial, delivery, enrollment_id, channel, now),
        go,
        attempt,
        _Nowhere(public_url),
        label=LABEL,
    )
    return attempt.key, worded


def _case(
    trial: Trial, delivery: Delivery, enrollment_id: str, channel: str, now: datetime
) -> Case:
    """Rows that are in no store."""
    journey = trial.journey
    return Case(
        enrollment=Enrollment(
            id=enrollment_id,
            customer_id=trial.customer_id,
            journey=journey.journey,
            version=journey.version,
            start_event_id="test",
            start_at=now,
            entered_at=now,
            start_properties=dict(trial.event),
        ),
        customer=Customer(
            id=trial.customer_id,
            pseudonym=trial.customer_id,
            traits=dict(trial.traits),
            created_at=now,
            updated_at=now,
        ),
        traits=trial.traits,
        journey=journey,
        step=trial.step,
        published=Published(
            id=0,
            at=now,
            by="test",
            content_hash=enrollment_id,  # of its own: what is parsed is kept by it
            policy=trial.policy,
            journeys={journey.journey: journey},
            messages={
                journey.journey: {name: each.to_dict() for name, each in trial.sources.items()}
            },
            starting={},  # it is tried by itself
        ),
        message=None,
        occasion=gate.Occasion(
            journey=journey,
            step=trial.step,
            enrollment=enrollment_id,
            start_at=now,
            key=None,
            event=trial.event,
            delivery=delivery,
            channels={trial.message: (channel,)},
            start_event=trial.event,
        ),
        facts=gate.Customer(
            id=trial.customer_id,
            traits=trial.traits,
            last_activity_at=now,
            events=(),
            messages=(),
            said=lambda _channel, _topic: ConsentState.SUBSCRIBED,
            suppressed=lambda _channel, _address: False,
        ),
        zone=delivery.zone,
    )
