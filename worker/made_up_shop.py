"""A shop that makes coupon codes, where there is none: for rehearsals.

As a good shop does, it answers the same code to the same question, however often it is asked.
"""

import hashlib

from activities.providers.outcome import HookCall

_PREFIX = "SHOP-"
_LENGTH = 12  # 48 bits: no two coupons of a rehearsal have one code


class MadeUpShop:
    """Answers every call of a webhook with a code."""

    async def ask(self, call: HookCall) -> object:
        """The code for this question."""
        digest = hashlib.sha256(call.key.encode()).hexdigest()
        return {"code": f"{_PREFIX}{digest[:_LENGTH].upper()}"}
