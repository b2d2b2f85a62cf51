"""Companies: what a customer has through the one they belong to, and what colleagues do.

A customer belongs to the company of the newest `group` call, by event time. Its traits are
`customer.company`, for conditions, templates and times. The one surprising fact: who joins
a company brings along what they did, and finds what its members did before, as far as it
happened since an enrollment began; so the order in which calls arrive decides nothing.
"""

from collections.abc import Mapping
from typing import Any

# The trait under which the company is found. A trait of the customer's own that is called
# so is seen only while they belong to none.
COMPANY = "company"


def known_traits(
    traits: Mapping[str, Any], company_id: str | None, company_traits: Mapping[str, Any] | None
) -> dict[str, Any]:
    """The customer's traits as everything that reads them sees them."""
    if company_id is None:
        return dict(traits)
    return {**traits, COMPANY: {"id": company_id, **(company_traits or {})}}


def looks_at_company(path: str) -> bool:
    """Whether the path of a trait leads into the company's."""
    return path == COMPANY or path.startswith(f"{COMPANY}.")
