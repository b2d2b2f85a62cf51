"""Mail by Resend's HTTP API (resend.com/docs/api-reference/emails/send-email).

It honours `Idempotency-Key` for 24 hours (resend.com/docs/dashboard/emails/idempotency-keys),
so an ambiguous send is repeated with the same key and body. Which answer means what is in
docs/providers.md, after resend.com/docs/api-reference/errors.
"""

from datetime import timedelta

import httpx

from activities.providers.http_api import Answer, HttpApi, is_taken
from activities.providers.outcome import LIMIT, Accepted, Mail, Refused
from activities.providers.parts import take_apart

# An hour less than the 24 it promises, for requests on their way and clocks that differ.
_REMEMBERS = timedelta(hours=23)

# A field is wrong, the mail is too large, or was found to be unsafe. 409 is not one of them:
# the same key is still under way, or came with another body, which ours never does.
_REFUSING = frozenset({400, 413, 422, 451})


class ResendProvider:
    """Sends by `POST /emails`."""

    name = "resend"

    def __init__(
        self,
        api_key: str,
        base_url: str,
        *,
        remembers_keys_for: timedelta = _REMEMBERS,
        limit: timedelta = LIMIT,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.remembers_keys_for: timedelta | None = remembers_keys_for
        headers = {"Authorization": f"Bearer {api_key}"}
        self._api = HttpApi(base_url, headers, limit=limit, transport=transport)

    async def send(self, mail: Mail) -> Accepted | Refused:
        """Hand the mail over. Raises NotTaken or Ambiguous."""
        answer = await self._api.post("/emails", _body(mail), {"Idempotency-Key": mail.key})
        if is_taken(answer, refusing=_REFUSING):
            return Accepted(provider_message_id=_id(answer))
        return Refused(answer.said, bad_address="`to`" in answer.text)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._api.close()


def _id(answer: Answer) -> str | None:
    """Resend's own id of the mail; that it can't be read takes nothing from the 2xx."""
    found = answer.fields().get("id")
    return found if isinstance(found, str) else None


def _body(mail: Mail) -> dict[str, object]:
    parts = take_apart(mail)
    body: dict[str, object] = {
        "from": str(parts.sender),
        "to": [mail.recipient],
        "subject": parts.subject,
        "headers": dict(parts.headers),
    }
    if parts.reply_to is not None:
        body["reply_to"] = str(parts.reply_to)
    if parts.text is not None:
        body["text"] = parts.text
    if parts.html is not None:
        body["html"] = parts.html
    return body
