"""A customer's coupon: its code, made with the message, and until when it is good.

The code is ours, or that of a shop that makes its own and is asked by webhook. The surprising
fact: the shop is asked before anything is claimed, always with the same id for the same
coupon; so a shop that knows an id it has answered makes one code, however often it is asked.
"""

import json
import re
import secrets
from datetime import datetime

from activities.case import Case
from activities.desk import Attempt, Desk, Trouble
from activities.providers.outcome import HookCall, ProviderTrouble
from engine.localtime import zone
from engine.offers import holds, valid_until
from engine.reasons import Reason
from store.tables import Offer

# 32 letters and digits that no one mistakes for another; 8 of them give 40 bits, so that no
# shop's till lets anyone guess one.
_CODE_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
_CODE_LENGTH = 8

# What a customer can type, and a template can show: visible, without space, as long as the
# longest that shops take.
_CODE = re.compile(r"[!-~]{1,64}")

# As Standard Webhooks names events.
_TYPE = "offer.requested"


async def shops_code(desk: Desk, attempt: Attempt, case: Case) -> str | None:
    """The code that the shop makes; None where codes are ours. Raises Trouble."""
    terms = case.terms
    if terms is None or terms.code_from is None:
        return None
    hook = case.policy.webhooks.get(terms.code_from)
    if hook is None:
        raise Trouble(
            Reason.TEMPLATE_ERROR, f"the policy has no webhook `{terms.code_from}` to make a code"
        )
    until = _until(attempt, case)
    payload = {
        "type": _TYPE,
        "journey": case.journey.journey,
        "step": case.step.id,
        "customer": {"id": case.customer.id},
        "percent": None if terms.percent is None else float(terms.percent),
        "amount": None if terms.amount is None else float(terms.amount),
        "free_shipping": terms.free_shipping is True,
        "currency": case.policy.currency,
        "valid_until": until.isoformat(),
    }
    call = HookCall(
        # Another last day is another coupon.
        key=f"{attempt.key}#{until:%Y-%m-%d}",
        hook=terms.code_from,
        url=hook.url,
        body=json.dumps(payload, separators=(",", ":")).encode(),
        transactional=case.topic is None,
        customer_id=case.customer.id,
    )
    return _code_in(await _asked(desk, call), terms.code_from)


async def _asked(desk: Desk, call: HookCall) -> object:
    if desk.shop is None:
        raise Trouble(Reason.PROVIDER_DOWN, "nobody is set up to call webhooks")
    try:
        return await desk.shop.ask(call)
    except ProviderTrouble as trouble:
        what = f"the webhook `{call.hook}` made no code: {trouble.what}"
        raise Trouble(Reason.PROVIDER_DOWN, what) from None


def _code_in(answer: object, hook: str) -> str:
    code = answer.get("code") if isinstance(answer, dict) else None
    if not isinstance(code, str) or not _CODE.fullmatch(code):
        raise Trouble(
            Reason.PROVIDER_DOWN,
            f'the webhook `{hook}` must answer {{"code": "…"}}: up to 64 letters, digits and '
            "signs, without space",
        )
    return code


def offer_of(case: Case, attempt: Attempt, code: str | None) -> Offer | None:
    """The message's coupon with the shop's code, or one of ours; None where it has no offer."""
    terms = case.terms
    if terms is None:
        return None
    return Offer(
        code=code or "".join(secrets.choice(_CODE_ALPHABET) for _ in range(_CODE_LENGTH)),
        customer_id=case.customer.id,
        enrollment_id=case.enrollment.id,
        journey=case.journey.journey,
        step=case.step.id,
        percent=terms.percent,
        amount=terms.amount,
        free_shipping=terms.free_shipping is True,
        currency=None if terms.amount is None else case.policy.currency,
        made_by=terms.code_from,
        valid_until_at=_until(attempt, case),
        message_key=attempt.key,
    )


def is_short(offer: Offer | None, attempt: Attempt, case: Case) -> bool:
    """Whether a message with this coupon, sent now, would give less time than it says."""
    terms = case.terms
    if offer is None or terms is None:
        return False
    tz = zone(case.zone)
    assert tz is not None  # `zone_of` gives only zones that exist
    return not holds(offer.valid_until_at, _goes_out(attempt, case), terms.valid, tz)


def _until(attempt: Attempt, case: Case) -> datetime:
    terms, tz = case.terms, zone(case.zone)
    assert terms is not None
    assert tz is not None  # `zone_of` gives only zones that exist
    return valid_until(_goes_out(attempt, case), terms.valid, tz)


def _goes_out(attempt: Attempt, case: Case) -> datetime:
    """When the message goes out: a decision of this morning may find its provider tonight."""
    return max(case.at, attempt.at)
