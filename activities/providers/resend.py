"""Mail by Resend's HTTP API (resend.com/docs/api-reference/emails/send-email).

It honours `Idempotency-Key` for 24 hours (resend.com/docs/dashboard/emails/idempotency-keys),
so an ambiguous send is repeated with the same key and body. Which answer means what is in
docs/providers.md, after resend.com/docs/api-reference/errors.
"""

import asyncio
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage

import httpx

from activities.providers.outcome import LIMIT, Accepted, Ambiguous, Mail, NotTaken, Refused

# A server that does not even take the connection is down; then nothing was sent.
_CONNECT_S = 10.0

# Not about this mail: a wrong key, a limit, a server too busy to begin. It goes out once that
# is mended.
_PASSING = frozenset({401, 403, 408, 425, 429})

# Headers that the API sets from its own fields; all others go along as they are.
_OWN_FIELDS = frozenset(
    {"from", "to", "subject", "reply-to", "mime-version", "content-type", "date"}
)


class ResendProvider:
    """Sends by `POST /emails`."""

    name = "resend"
    # An hour less than the 24 it promises, for requests on their way and clocks that differ.
    remembers_keys_for: timedelta | None = timedelta(hours=23)

    def __init__(
        self, api_key: str, base_url: str, client: httpx.AsyncClient | None = None
    ) -> None:
        self._headers = {"Authorization": f"Bearer {api_key}"}
        timeout = httpx.Timeout(LIMIT.total_seconds(), connect=_CONNECT_S)
        self._client = client or httpx.AsyncClient(base_url=base_url, timeout=timeout)

    async def send(self, mail: Mail) -> Accepted | Refused:
        """Hand the mail over. Raises NotTaken or Ambiguous."""
        headers = {**self._headers, "Idempotency-Key": mail.key}
        try:
            # httpx limits each wait of its own; this is the limit of them all.
            async with asyncio.timeout(LIMIT.total_seconds()):
                response = await self._client.post("/emails", json=_body(mail), headers=headers)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise NotTaken("no connection", repr(error)) from None
        except (httpx.TransportError, TimeoutError) as error:
            raise Ambiguous("no answer", repr(error)) from None
        return _read(response)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._client.aclose()


def _read(response: httpx.Response) -> Accepted | Refused:
    status, text = response.status_code, response.text[:200]
    if response.is_success:
        return Accepted(provider_message_id=_id(response))
    if status in _PASSING:
        raise NotTaken(f"answered {status}", text, retry_after=_retry_after(response))
    # 409: the same key is still under way, or came with another body, which ours never does.
    if 400 <= status < 500 and status != 409:
        return Refused(f"{status} {text}", bad_address="`to`" in text)
    raise Ambiguous(f"answered {status}", text)


def _id(response: httpx.Response) -> str | None:
    """Resend's own id of the mail; that it can't be read takes nothing from the 2xx."""
    try:
        found = response.json()["id"]
    except (ValueError, TypeError, KeyError):
        return None
    return found if isinstance(found, str) else None


def _retry_after(response: httpx.Response) -> timedelta | None:
    """In seconds, as Resend sends it; nothing else is understood."""
    value = response.headers.get("Retry-After", "")
    return timedelta(seconds=int(value)) if value.isdecimal() and len(value) < 7 else None


def _body(mail: Mail) -> dict[str, object]:
    """The finished mail in the API's fields."""
    parsed = message_from_bytes(mail.raw, policy=policy.default)
    assert isinstance(parsed, EmailMessage)
    body: dict[str, object] = {
        "from": str(parsed["From"]),
        "to": [mail.recipient],
        "subject": str(parsed["Subject"]),
        "headers": {
            name: str(value) for name, value in parsed.items() if name.lower() not in _OWN_FIELDS
        },
    }
    if parsed["Reply-To"] is not None:
        body["reply_to"] = str(parsed["Reply-To"])
    for kind in ("plain", "html"):
        part = parsed.get_body((kind,))
        if part is not None:
            body["text" if kind == "plain" else "html"] = part.get_content().replace("\r\n", "\n")
    return body
