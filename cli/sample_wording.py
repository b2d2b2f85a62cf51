"""Trying to word a message for a customer who does not exist: does the template hold?

Decides nothing: it is the simulator's `Word`. It renders what `deliver` would, from the
same files, with sample offers and links. The surprising fact: style sheets are moved into
the elements (the slowest part by far) only for the first message of a language, since
whether that works hangs on the style sheet and not on the customer.
"""

from collections.abc import Mapping
from typing import Any

from engine.definition import Step
from engine.gate import Customer, Go, Occasion
from engine.localtime import shift, zone
from engine.matching import ConditionFailed
from engine.policy import Policy
from rendering.errors import TemplateError
from rendering.messages import MessageContext, MessageSource, render_email, render_text
from rendering.senders import compile_sender
from rendering.sources import HTML, SUBJECT, TEXT

_SAMPLE_CODE = "SAMPLE42"
_SAMPLE_LINK = "https://parcours.example/u/sample"


class SampleWording:
    """Words messages of the journeys given; `messages` maps a journey to its folders."""

    def __init__(self, messages: Mapping[str, Mapping[str, MessageSource]], policy: Policy) -> None:
        self._messages = messages
        self._policy = policy
        self._whole: set[tuple[str, str, str]] = set()  # worded to the end once

    def __call__(self, occasion: Occasion, customer: Customer, go: Go) -> None:
        """Raises ConditionFailed where the real message could not be rendered."""
        if go.channel != "email":
            return
        source = self._messages[occasion.journey.journey][go.message]
        try:
            self._word(source, self._context(occasion, customer, go))
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
        return MessageContext(
            customer=customer.traits,
            event=occasion.event,
            start_event=occasion.start_event,
            journey=occasion.journey.journey,
            step=step.id,
            sender=self._sender(step, customer, occasion),
            policy={"postal_address": policy.postal_address},
            links={"unsubscribe": _SAMPLE_LINK if go.topic is not None else None,
                   "preferences": None, "confirm": None},
            now=occasion.delivery.at,
            offer=_offer(occasion),
            locale=said if isinstance(said, str) else policy.locale,
            default_locale=policy.locale,
            timezone=occasion.delivery.zone,
        )  # fmt: skip

    def _sender(
        self, step: Step, customer: Customer, occasion: Occasion
    ) -> Mapping[str, str | None]:
        usual = self._policy.sender
        named = None
        if step.sender is not None:
            named = compile_sender(step.sender).find(customer.traits, occasion.event)
        if named is None:
            return {"name": usual.name, "email": usual.email, "reply_to": usual.reply_to}
        return {"name": named.name or usual.name, "email": named.email, "reply_to": None}


def _offer(occasion: Occasion) -> Mapping[str, Any] | None:
    terms = occasion.step.offer
    if terms is None:
        return None
    tz = zone(occasion.delivery.zone)
    assert tz is not None  # the machine computes in zones that exist
    return {
        "code": _SAMPLE_CODE,
        "percent": None if terms.percent is None else float(terms.percent),
        "amount": None if terms.amount is None else float(terms.amount),
        "expires_at": shift(occasion.delivery.at, terms.valid.terms, tz),
    }
