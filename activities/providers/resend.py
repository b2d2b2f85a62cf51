"""Mail by Resend's HTTP API (resend.com/docs/api-reference/emails/send-email).

It honours `Idempotency-Key` for 24 hours (resend.com/docs/dashboard/emails/idempotency-keys),
so an ambiguous send is repeated with the same key and body.
"""

from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage

import httpx

from activities.providers.outcome import Accepted, Ambiguous, Mail, NotTaken, Refused

# Below the workflow's limit for an attempt, so that we learn what happened ourselves.
TIMEOUT_S = 30.0

# Headers that the API sets from its own fields; all others go along as they are.
_OWN_FIELDS = frozenset(
    {"from", "to", "subject", "reply-to", "mime-version", "content-type", "date"}
)


class ResendProvider:
    """Sends by `POST /emails`."""

    name = "resend"
    remembers_keys_for: timedelta | None = timedelta(hours=24)

    def __init__(
        self, api_key: str, base_url: str, client: httpx.AsyncClient | None = None
    ) -> None:
        self._headers = {"Authorization": f"Bearer {api_key}"}
        self._client = client or httpx.AsyncClient(base_url=base_url, timeout=TIMEOUT_S)

    async def send(self, mail: Mail) -> Accepted | Refused:
        """2xx is sent; 4xx is refused but for the ones that pass; the rest is unclear."""
        headers = {**self._headers, "Idempotency-Key": mail.key}
        try:
            response = await self._client.post("/emails", json=_body(mail), headers=headers)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise NotTaken(f"no connection to Resend: {error!r}") from error
        except httpx.HTTPError as error:
            raise Ambiguous(f"no answer from Resend: {error!r}") from error
        return _read(response)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._client.aclose()


def _read(response: httpx.Response) -> Accepted | Refused:
    detail = f"{response.status_code} {response.text[:200]}"
    if response.is_success:
        try:
            return Accepted(provider_message_id=response.json().get("id"))
        except (ValueError, AttributeError):
            raise Ambiguous(f"Resend's answer can't be read: {detail}") from None
    if response.status_code == 409:
        # The same key with another body, or still under way: ours never changes, so the latter.
        raise Ambiguous(f"Resend is still busy with this key: {detail}")
    if response.status_code in (401, 403, 408, 425, 429):
        # Not about this mail: a wrong key or a limit; it goes out once that is mended.
        raise NotTaken(detail, retry_after=_retry_after(response))
    if 400 <= response.status_code < 500:
        return Refused(detail, bad_address="`to`" in response.text)
    raise Ambiguous(detail)


def _retry_after(response: httpx.Response) -> timedelta | None:
    try:
        return timedelta(seconds=float(response.headers["Retry-After"]))
    except (KeyError, ValueError):
        return None


def _body(mail: Mail) -> dict[str, object]:
    """The finished mail in the API's fields."""
    parsed = message_from_bytes(mail.raw, policy=policy.default)
    assert isinstance(parsed, EmailMessage)
    body: dict[str, object] = {
        "from": str(parsed["From"]),
        "to": [mail.recipient],
        "subject": mail.subject,
        "headers": {
            name: str(value) for name, value in parsed.items() if name.lower() not in _OWN_FIELDS
        },
    }
    if parsed["Reply-To"] is not None:
        body["reply_to"] = str(parsed["Reply-To"])
    for kind in ("plain", "html"):
        part = parsed.get_body((kind,))
        if part is not None:
            body["text" if kind == "plain" else "html"] = part.get_content()
    return body
