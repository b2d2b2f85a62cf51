"""What a step's message may be and make: the versions compared, and the coupon in one.

Knows what may be written of them; which one a customer is drawn for is `gate`'s to say.
"""

from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from engine.fields import DurationText, Frozen


class Offer(Frozen):
    """A coupon code made for this customer: exactly one of `percent`, `amount`, `free_shipping`.

    `code_from` names the webhook of a shop that makes its own codes.
    """

    percent: Annotated[Decimal, Field(gt=0, le=100)] | None = None
    amount: Annotated[Decimal, Field(gt=0)] | None = None
    free_shipping: Literal[True] | None = None
    valid: DurationText
    code_from: str | None = None

    @model_validator(mode="after")
    def _one_of(self) -> Self:
        if self.valid.is_zero:
            raise ValueError("`valid` needs some time, such as `5 days`")
        if [self.percent, self.amount, self.free_shipping].count(None) != 2:
            raise ValueError(
                "an offer has exactly one of `percent`, `amount` and `free_shipping: true`"
            )
        return self


class Variant(Frozen):
    """One of several messages a step may send, drawn by a stable hash in proportion to `weight`.

    An offer of its own counts instead of the step's.
    """

    send: str
    weight: int = Field(default=1, ge=1)
    offer: Offer | None = None
