"""Trying to word a message for a customer who does not exist: does the template hold?

Decides nothing: it is the simulator's `Word`. It renders what `deliver` would, from the
same files, with sample offers and links. The surprising fact: style sheets are moved into
the elements (the slowest part by far) only for the first message of a language, since
whether that works hangs on the style sheet and not on the customer.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from engine.choices import Asked, asked_to_confirm
from engine.definition import Offer
from engine.gate import Customer, Go, Occasion, offer_for
from engine.localtime import shift, zone
from engine.matching import ConditionFailed
from engine.offers import SAMPLE_CODE
from engine.policy import Policy
from rendering.card import render_card
from rendering.errors import TemplateError
from rendering.messages import (
    MessageContext,
    MessageSource,
    render_email,
    render_text,
    spoken_policy,
    spoken_sender,
)
from rendering.senders import find_sender
from rendering.sms import render_sms
from rendering.sources import CARD, HTML, SUBJECT, TEXT

_SAMPLE_SITE = "https://parcours.example"


class SampleWording:
    """Words messages of the journeys given; `messages` maps a journey to its folders."""

    def __init__(self, messages: Mapping[str, Mapping[str, MessageSource]], policy: Policy) -> None:
        self._messages = messages
        self._policy = policy
        self._whole: set[tuple[str, str, str]] = set()  # worded to the end once

    def __call__(self, occasion: Occasion, customer: Customer, go: Go) -> None:
        """Raises ConditionFailed where the real message could not be rendered."""
        source = self._messages[occasion.journey.journey][go.message]
        context = self._context(occasion, customer, go)
        try:
            match go.channel:
                case "sms":
                    is_marketing = go.topic is not None
                    stop_text = self._policy.sms.stop_text if is_marketing else {}
                    render_sms(source, context, stop_text)
                case "post" if self._policy.post is None:
                    raise TemplateError("policy.yaml has no `post`", file=source.full_name(CARD))
                case "post":
                    render_card(source, context)
                case _:
                    self._word(source, context)
        except TemplateError as error:
            raise ConditionFailed(str(error)) from error

    def _word(self, source: MessageSource, context: MessageContext) -> None:
        which = (context.journey, source.name, source.find(HTML, context.locale) or "")
        if which not in self._whole:
            render_email(source, context)
            self._whole.add(which)
            return
        if not render_text(source, SUBJECT, context):
            raise TemplateError("the subject is empty", file=source.full_name(SUBJECT))
        render_text(source, HTML, context)
        if source.find(TEXT, context.locale) is not None:
            render_text(source, TEXT, context)

    def _context(self, occasion: Occasion, customer: Customer, go: Go) -> MessageContext:
        policy, step = self._policy, occasion.step
        said = customer.traits.get("locale")
        asked = asked_to_confirm(policy, occasion.event, occasion.start_event)
        return MessageContext(
            customer=customer.traits,
            event=occasion.event,
            start_event=occasion.start_event,
            journey=occasion.journey.journey,
            step=step.id,
            sender=spoken_sender(
                find_sender(step.sender, customer.traits, occasion.event, policy.sender)
            ),
            policy=spoken_policy(policy),
            links=sample_links(go.topic, asked),
            now=occasion.delivery.at,
            offer=sample_offer(
                offer_for(occasion.journey, step, customer.id),
                occasion.delivery.at,
                occasion.delivery.zone,
            ),
            locale=said if isinstance(said, str) else policy.locale,
            default_locale=policy.locale,
            timezone=occasion.delivery.zone,
        )


def sample_links(topic: str | None, asked: Asked | None = None) -> Mapping[str, str | None]:
    """Links that lead nowhere, where the real message has links."""
    return {
        "unsubscribe": None if topic is None else f"{_SAMPLE_SITE}/u/sample",
        "preferences": f"{_SAMPLE_SITE}/p/sample",
        "confirm": None if asked is None else f"{_SAMPLE_SITE}/s/sample",
    }


def sample_offer(terms: Offer | None, at: datetime, zone_name: str) -> Mapping[str, Any] | None:
    """What is offered so, with a code that no till takes."""
    if terms is None:
        return None
    tz = zone(zone_name)
    assert tz is not None  # whoever names it computes in zones that exist
    return {
        "code": SAMPLE_CODE,
        "percent": None if terms.percent is None else float(terms.percent),
        "amount": None if terms.amount is None else float(terms.amount),
        "free_shipping": terms.free_shipping is True,
        "expires_at": shift(at, terms.valid.terms, tz),
    }
