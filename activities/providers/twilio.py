"""Text messages by Twilio (twilio.com/docs/messaging/api/message-resource).

It knows no idempotency keys, so an answer that is lost is ambiguous. What became of a message
is told to `/callbacks/twilio/status` later, under the id that is answered here. The
surprising fact: everything it has against a request is a 400, and only the `code` in it says
whether the message is to blame or the account (twilio.com/docs/api/errors).
"""

import base64
from datetime import timedelta
from urllib.parse import urlencode

import httpx

from activities.providers.http_api import Answer, HttpApi, is_taken
from activities.providers.outcome import LIMIT, Accepted, Refused, Sms

_REFUSING = frozenset({400})

# The number is none, or is a landline, a short code, or our own.
_BAD_NUMBER = frozenset({21211, 21265, 21266, 21614, 21635})
# They have answered STOP, and Twilio sends them nothing more.
_LEFT = 21610
# No text, or one of more than 1,600 characters.
_ABOUT_THE_TEXT = frozenset({21602, 21605, 21617})
# Every other code is about our account: its balance, its senders, the countries it may reach.

_SERVICE = "MG"  # how the id of a messaging service begins


class TwilioProvider:
    """Sends by `POST …/Messages.json`. `sender` is for messages that have none of their own."""

    name = "twilio"
    remembers_keys_for: timedelta | None = None

    def __init__(
        self,
        account_sid: str,
        auth_token: str,
        sender: str,
        base_url: str,
        *,
        status_url: str | None = None,
        limit: timedelta = LIMIT,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._path = f"/2010-04-01/Accounts/{account_sid}/Messages.json"
        self._sender = sender
        self._status_url = status_url
        credentials = base64.b64encode(f"{account_sid}:{auth_token}".encode()).decode()
        headers = {"Authorization": f"Basic {credentials}"}
        self._api = HttpApi(base_url, headers, limit=limit, transport=transport)

    async def send(self, sms: Sms) -> Accepted | Refused:
        """Hand the message over. Raises NotTaken or Ambiguous."""
        form = urlencode(self._form(sms)).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = await self._api.post_bytes(self._path, form, headers)
        if is_taken(answer, refusing=_REFUSING):
            return Accepted(provider_message_id=_sid(answer))
        code = answer.fields().get("code")
        if code in _BAD_NUMBER or code == _LEFT:
            return Refused(answer.said, bad_address=True)
        if code in _ABOUT_THE_TEXT:
            return Refused(answer.said)
        raise answer.not_taken()

    async def close(self) -> None:
        """Let go of the connections."""
        await self._api.close()

    def _form(self, sms: Sms) -> dict[str, str]:
        sender = sms.sender or self._sender
        form = {
            "To": sms.recipient,
            "MessagingServiceSid" if sender.startswith(_SERVICE) else "From": sender,
            "Body": sms.text,
        }
        if self._status_url is not None:
            form["StatusCallback"] = self._status_url
        return form


def _sid(answer: Answer) -> str | None:
    """Twilio's own id of the message; that it can't be read takes nothing from the 2xx."""
    found = answer.fields().get("sid")
    return found if isinstance(found, str) else None
