"""One parcel of each channel beside mail, and the one word that says what became of it."""

from typing import Any

from activities.providers.outcome import (
    Accepted,
    Ambiguous,
    AnyProvider,
    HookCall,
    Letter,
    ProviderTrouble,
    Sms,
)
from engine.policy import LetterKind
from engine.postal import PostalAddress

BOB = PostalAddress(
    name="Bob Reader",
    street="12 Rue Neuve\nBât. C",
    city="Lyon",
    postcode="69005",
    country="FR",
)
SHOP = PostalAddress(name="Atelier", street="1 Main St", city="Reno", region="NV", country="US")
SMS = Sms("trial:c1/tip/start", None, "+33612345678", "Ça va, bob ?", "c1")
LETTER = Letter("trial:c1/tip/start", LetterKind.LETTER, SHOP, BOB, "<p>Hi</p>", False, "c1")
CALL = HookCall(
    "trial:c1/crm/start", "crm", "https://crm.example/hook?a=1", b'{"name":"bob"}', True, "c1"
)


async def outcome_of(provider: AnyProvider, parcel: Any) -> str:
    """As docs/providers.md words it. What is not settled must quote nobody."""
    try:
        answer = await provider.send(parcel)
    except ProviderTrouble as trouble:
        quoted = " quoting the reader" if "bob" in str(trouble).lower() else ""
        return ("ambiguous" if isinstance(trouble, Ambiguous) else "not taken") + quoted
    if isinstance(answer, Accepted):
        return "accepted"
    return "refused, address suppressed" if answer.bad_address else "refused"
