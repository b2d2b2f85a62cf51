"""Mail by SendGrid's HTTP API (twilio.com/docs/sendgrid/api-reference/mail-send).

It knows no idempotency keys, and finding a message again is an extra that most accounts have
not bought, so an answer that is lost stays lost. Which answer means what is in
docs/providers.md, after twilio.com/docs/sendgrid/api-reference/mail-send/errors.
"""

from datetime import timedelta
from email.headerregistry import Address

import httpx

from activities.providers.http_api import Answer, HttpApi, is_taken
from activities.providers.outcome import LIMIT, Accepted, Mail, Refused
from activities.providers.parts import Parts, take_apart
from engine.carried_keys import carried

# Something is wrong with a field, or the mail is too large. 401 and 403 are about the key, the
# credits and the sender's identity.
_REFUSING = frozenset({400, 413})

# Of all custom arguments together; a key has 256 characters at most.
_LONGEST_ARGUMENT = 10_000

_RECIPIENT_FIELD = "personalizations.0.to.0.email"


class SendGridProvider:
    """Sends by `POST /v3/mail/send`."""

    name = "sendgrid"
    remembers_keys_for: timedelta | None = None

    def __init__(
        self,
        api_key: str,
        base_url: str,
        *,
        limit: timedelta = LIMIT,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        headers = {"Authorization": f"Bearer {api_key}", "Accept": "application/json"}
        self._api = HttpApi(base_url, headers, limit=limit, transport=transport)

    async def send(self, mail: Mail) -> Accepted | Refused:
        """Hand the mail over. Raises NotTaken or Ambiguous."""
        answer = await self._api.post("/v3/mail/send", _body(mail))
        if is_taken(answer, refusing=_REFUSING):
            return Accepted(provider_message_id=answer.headers.get("X-Message-Id"))
        return Refused(answer.said, bad_address=_RECIPIENT_FIELD in _fields_at_fault(answer))

    async def close(self) -> None:
        """Let go of the connections."""
        await self._api.close()


def _fields_at_fault(answer: Answer) -> list[object]:
    errors = answer.fields().get("errors")
    listed = errors if isinstance(errors, list) else []
    return [error.get("field") for error in listed if isinstance(error, dict)]


def _body(mail: Mail) -> dict[str, object]:
    parts = take_apart(mail)
    body: dict[str, object] = {
        "personalizations": [{"to": [{"email": mail.recipient}]}],
        "from": _person(parts.sender),
        "subject": parts.subject,
        "content": _content(parts),
        "headers": dict(parts.headers),
        "custom_args": carried(mail.key, _LONGEST_ARGUMENT),
        # Our own links tell clicks, and whom not to count; our own footer says how to leave.
        "tracking_settings": {
            "click_tracking": {"enable": False, "enable_text": False},
            "open_tracking": {"enable": False},
            "subscription_tracking": {"enable": False},
            "ganalytics": {"enable": False},
        },
    }
    if parts.reply_to is not None:
        body["reply_to"] = _person(parts.reply_to)
    return body


def _person(address: Address) -> dict[str, str]:
    named = {"name": address.display_name} if address.display_name else {}
    return {"email": address.addr_spec, **named}


def _content(parts: Parts) -> list[dict[str, str]]:
    """Plain text first, as SendGrid demands."""
    texts = (("text/plain", parts.text), ("text/html", parts.html))
    return [{"type": kind, "value": text} for kind, text in texts if text is not None]
