"""What a `call:` step tells the app: JSON, written once, so that every attempt has its bytes."""

import json

from activities.case import Case
from activities.desk import Attempt
from activities.providers.outcome import HookCall
from engine.gate import Go

# As Standard Webhooks names events (github.com/standard-webhooks, "Payload structure").
_TYPE = "journey.call"


def call_of(case: Case, go: Go, attempt: Attempt) -> HookCall:
    """The call of one step, for one customer."""
    payload = {
        "type": _TYPE,
        "call": go.message,
        "journey": case.journey.journey,
        "step": case.step.id,
        "enrollment": case.enrollment.id,
        "occurrence": attempt.order.delivery.occurrence,
        "customer": {"id": case.customer.id, "traits": dict(case.traits)},
        "event": dict(case.occasion.event),
        "occurred_at": case.at.isoformat(),
    }
    return HookCall(
        key=attempt.key,
        hook=go.message,
        url=go.address,
        body=json.dumps(payload, separators=(",", ":")).encode(),
        transactional=go.topic is None,
        customer_id=case.customer.id,
    )
