"""A finished mail, and the one word that says what became of handing it over."""

from datetime import UTC, datetime
from typing import Any

from activities.providers.outcome import Accepted, Ambiguous, Mail, ProviderTrouble
from rendering.mail import build_mail
from rendering.messages import RenderedEmail

RAW = build_mail(
    RenderedEmail("Ça va ?", "<p>Hello</p>", "Hello\n", "en"),
    sender_name="Ann, of Acme",
    sender_email="ann@acme.example",
    recipient="bob@reader.example",
    reply_to="support@acme.example",
    message_id="<abc.parcours@acme.example>",
    date=datetime(2026, 11, 24, 9, tzinfo=UTC),
    headers={"List-Unsubscribe": "<https://acme.example/u/x>"},
)
MAIL = Mail(
    key="trial:c1/tip/start",
    sender="ann@acme.example",
    recipient="bob@reader.example",
    subject="Ça va ?",
    raw=RAW,
    customer_id="c1",
)


async def outcome_of(provider: Any, item: Any = MAIL) -> str:
    """As docs/providers.md words it. What is not settled must quote nobody's address."""
    try:
        answer = await provider.send(item)
    except ProviderTrouble as trouble:
        quoted = " quoting the reader" if "bob" in str(trouble) else ""
        return ("ambiguous" if isinstance(trouble, Ambiguous) else "not taken") + quoted
    if isinstance(answer, Accepted):
        return "accepted"
    return "refused, address suppressed" if answer.bad_address else "refused"
