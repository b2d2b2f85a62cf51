"""From a verdict to a parcel ready to be claimed: one file a channel, what they share in `draft`.

Everything random in a message (the coupon's code) is made once, before the claim; whatever is
sent later is what was claimed.
"""

from dataclasses import dataclass

from activities.case import Case
from activities.desk import Attempt
from activities.offering import offer_of
from activities.providers.outcome import Parcel
from activities.wording.call import call_of
from activities.wording.draft import Draft, begin
from activities.wording.email import mail_of
from activities.wording.post import letter_of
from activities.wording.sms import sms_of
from engine.gate import Go
from rendering.links import Links
from store.tables import Offer

__all__ = ["Worded", "word"]


@dataclass(frozen=True)
class Worded:
    """A message ready to be claimed: the parcel, the offer in it, the hash of its text.

    A call has neither offer nor text.
    """

    parcel: Parcel
    offer: Offer | None = None
    content_hash: str | None = None


def word(
    case: Case,
    go: Go,
    attempt: Attempt,
    links: Links,
    shops_code: str | None = None,
    label: str | None = None,
) -> Worded:
    """Word what a step sends or calls. Raises RenderingError.

    `shops_code`: the coupon's, where a shop makes its own. `label` comes before a subject.
    """
    if case.step.call is not None:
        return Worded(call_of(case, go, attempt))
    offer = offer_of(case, attempt, shops_code)
    draft = begin(case, go, attempt, links, offer, label)
    return Worded(_worded(draft), draft.offer, draft.source.content_hash)


def _worded(draft: Draft) -> Parcel:
    match draft.go.channel:
        case "email":
            return mail_of(draft)
        case "sms":
            return sms_of(draft)
        case "post":
            return letter_of(draft)
        case other:
            raise ValueError(f"no message goes by the channel {other}")
