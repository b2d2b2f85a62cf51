"""Messages and contexts for the tests of `rendering`, with only what a test cares about."""

from datetime import UTC, datetime
from typing import Any

from rendering.messages import MessageContext, RenderedEmail, render_email, render_text
from rendering.sources import MessageSource


def context(customer: dict[str, Any] | None = None, **given: Any) -> MessageContext:
    values: dict[str, Any] = {
        "customer": customer or {},
        "event": {},
        "start_event": {},
        "journey": "trial-onboarding",
        "step": "thanks",
        "sender": {"name": "Ann", "email": "ann@acme.example"},
        "policy": {"postal_address": "1 rue de Rivoli, Paris"},
        "links": {
            "unsubscribe": "https://acme.example/u?a=1&b=2",
            "preferences": None,
            "confirm": None,
        },
        "now": datetime(2026, 11, 23, 9, tzinfo=UTC),
    }
    return MessageContext(**{**values, **given})


def message(layouts: dict[str, str] | None = None, /, **files: str) -> MessageSource:
    """`email_html="…"` is the file `email.html`; `fr__sms_txt` is `fr/sms.txt`."""
    paths = {
        name.replace("__", "/").replace("_html", ".html").replace("_txt", ".txt"): text
        for name, text in files.items()
    }
    return MessageSource("thanks", paths, layouts or {})


def words(text: str, customer: dict[str, Any] | None = None, **given: Any) -> str:
    """What an SMS with this text says."""
    return render_text(message(sms_txt=text), "sms.txt", context(customer, **given))


def html(text: str, customer: dict[str, Any] | None = None, **given: Any) -> str:
    return email(text, customer, **given).html


def email(text: str, customer: dict[str, Any] | None = None, **given: Any) -> RenderedEmail:
    return render_email(message(subject_txt="Hello", email_html=text), context(customer, **given))
