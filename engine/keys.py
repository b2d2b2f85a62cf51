"""Every identifier that must be the same when it is made twice, in one place.

Built from stable ids only: never from a time of processing, a counter in memory or an
attempt. Parts are percent-encoded, so no part can forge another, and `/` never appears
(it breaks links in the Temporal UI).
"""

import base64
import hashlib
import re
from urllib.parse import quote

_PLAIN_ID = re.compile(r"[\w.-]{1,64}", re.ASCII)

# A Temporal workflow id may have 1,000 bytes; the parts before it stay readable well below.
_MAX_KEY_PART = 200


def _part(text: str) -> str:
    # quote() leaves `~` alone; it is ours, for what must not be mistaken for a part.
    encoded = quote(text, safe="").replace("~", "%7E")
    if len(encoded) > _MAX_KEY_PART:
        return f"{encoded[:100]}~{_digest(text)}"
    return encoded


def _digest(text: str) -> str:
    """80 bits in lower-case base32: short enough to read, long enough never to collide."""
    return base64.b32encode(hashlib.sha256(text.encode()).digest()[:10]).decode().lower()


ANONYMOUS = "anonymous:"


def anonymous_customer(anonymous_id: str) -> str:
    """The customer that a Segment `anonymousId` is, until somebody is known by it.

    No app's own customer can have such an id: it is refused.
    """
    return f"{ANONYMOUS}{anonymous_id}"


def is_anonymous(customer_id: str) -> bool:
    """Whether nobody knows who this customer is."""
    return customer_id.startswith(ANONYMOUS)


_ERASED = "erased:"


def erased_customer(token: str) -> str:
    """The customer without a person to whom the numbers of somebody erased belong.

    No app's own customer can have such an id either.
    """
    return f"{_ERASED}{token}"


def is_ours(customer_id: str) -> bool:
    """Whether only Parcours itself gives ids like this one."""
    return customer_id.startswith((ANONYMOUS, _ERASED))


def is_erased(customer_id: str) -> bool:
    """Whether this is what is left of somebody who was erased."""
    return customer_id.startswith(_ERASED)


def pseudonym(customer_id: str) -> str:
    """What Temporal sees instead of the customer's id.

    The id itself, unless it looks like an address or is not `[\\w.-]{1,64}`: then a stable
    stand-in that only the store can resolve.
    """
    if _PLAIN_ID.fullmatch(customer_id) and not customer_id.startswith("anon-"):
        return customer_id
    return f"anon-{_digest(customer_id)}"


def enrollment_id(journey: str, customer_id: str, key: str | None = None, ordinal: int = 1) -> str:
    """The workflow id: `trial-onboarding:cust_42`, `abandoned-cart:cust_42:cart_9`.

    `ordinal` counts this customer's enrollments with the same journey and key; from the
    second on it is part of the id (`trial-onboarding:cust_42:~2`).
    """
    parts = [_part(journey), pseudonym(customer_id)]
    if key is not None:
        parts.append(_part(key))
    if ordinal > 1:
        parts.append(f"~{ordinal}")
    return ":".join(parts)


# The type of a broadcast's workflow, and the first part of its id. No journey may be called
# so: its enrollments would have the same type and the same ids.
BROADCAST = "broadcast"


def broadcast_workflow_id(name: str) -> str:
    """The workflow id of a broadcast: `broadcast:spring-sale`."""
    return f"{BROADCAST}:{name}"


def broadcast_enrollment_id(journey: str, customer_id: str, broadcast: str) -> str:
    """Of the row by which one message of a broadcast goes out: `win-back:cust_42:~spring-sale`.

    A broadcast's name begins with a letter, so this is no ordinal, and no key has a `~`.
    """
    return f"{_part(journey)}:{pseudonym(customer_id)}:~{_part(broadcast)}"


def broadcast_event_id(broadcast: str, customer_id: str) -> str:
    """By which it is known what a broadcast has done for a customer, however often it is told."""
    return f"{BROADCAST}:{broadcast}:{_digest(customer_id)}"


def message_key(enrollment: str, step: str, occurrence: str) -> str:
    """Unique in the store, the provider's idempotency key, and the stem of the `Message-ID`.

    At most 256 characters of ASCII, the smallest limit among the providers (Resend, Lob).
    """
    key = f"{enrollment}/{_part(step)}/{_part(occurrence)}"
    if len(key) <= 256:
        return key
    return f"{enrollment[:120]}/{_part(step)[:60]}/{_digest(key)}"


def message_id(key: str, domain: str) -> str:
    """The `Message-ID` header (RFC 5322, 3.6.4) of the mail with this message key."""
    return f"<{_digest(key)}.parcours@{domain}>"


def hook_id(key: str) -> str:
    """The `webhook-id` of the call with this message key: without the dots that end it there."""
    return f"msg_{_digest(key)}"
