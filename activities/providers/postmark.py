"""Mail by Postmark's HTTP API (postmarkapp.com/developer/api/email-api).

It knows no idempotency keys, but can be asked for a message by the metadata it was sent with
(postmarkapp.com/developer/api/messages-api). The surprising fact: nearly everything it has
against a request is a 422, and only the `ErrorCode` in it says whether the mail is to blame
or the account (postmarkapp.com/developer/api/overview#error-codes).
"""

from datetime import timedelta

import httpx

from activities.providers.http_api import Answer, HttpApi, is_taken
from activities.providers.outcome import LIMIT, Accepted, Mail, Refused
from activities.providers.parts import take_apart
from engine.carried_keys import carried, key_carried

_TOO_LARGE = 413
_REFUSING = frozenset({_TOO_LARGE, 422})

# What is wrong with the mail itself; every other code is about us or our account.
_INVALID, _INACTIVE = 300, 406
_ABOUT_THE_MAIL = frozenset({_INVALID, _INACTIVE, 402, 403, 411})
# Planned maintenance: it has not looked at the request.
_MAINTENANCE = 100

# Of a value in its metadata (postmarkapp.com/support/article/1125-custom-metadata-faq).
_LONGEST_VALUE = 80

# A page of its search. What shares the beginning of a key are the steps of one enrollment.
_SEARCHED = 500


class PostmarkProvider:
    """Sends by `POST /email`, in one message stream of the server that the token is of."""

    name = "postmark"
    remembers_keys_for: timedelta | None = None

    def __init__(
        self,
        server_token: str,
        message_stream: str,
        base_url: str,
        *,
        limit: timedelta = LIMIT,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._stream = message_stream
        headers = {"X-Postmark-Server-Token": server_token, "Accept": "application/json"}
        self._api = HttpApi(base_url, headers, limit=limit, transport=transport)

    async def send(self, mail: Mail) -> Accepted | Refused:
        """Hand the mail over. Raises NotTaken or Ambiguous."""
        answer = await self._api.post("/email", _body(mail, self._stream))
        if _code(answer) == _MAINTENANCE and answer.status >= 400:
            raise answer.not_taken()
        if is_taken(answer, refusing=_REFUSING):
            return Accepted(provider_message_id=_id(answer.fields()))
        if answer.status != _TOO_LARGE and _code(answer) not in _ABOUT_THE_MAIL:
            raise answer.not_taken()
        return Refused(answer.said, bad_address=_is_bad_address(answer))

    async def find(self, mail: Mail) -> Accepted | None:
        """The mail among what this stream has taken. None is no proof: the search lags behind."""
        wanted = carried(mail.key, _LONGEST_VALUE)
        params: dict[str, str | int] = {
            "count": _SEARCHED,
            "offset": 0,
            "messagestream": self._stream,
            "recipient": mail.recipient,
            "metadata_message-key": wanted["message-key"],
        }
        answer = await self._api.get("/messages/outbound", params)
        if answer.status != 200 or not answer.whole:
            raise answer.not_taken()
        listed = answer.fields().get("Messages")
        for message in listed if isinstance(listed, list) else []:
            if isinstance(message, dict) and key_carried(message.get("Metadata") or {}) == mail.key:
                return Accepted(provider_message_id=_id(message))
        return None

    async def close(self) -> None:
        """Let go of the connections."""
        await self._api.close()


def _code(answer: Answer) -> object:
    return answer.fields().get("ErrorCode")


def _is_bad_address(answer: Answer) -> bool:
    """300 is about any field; whether it is the recipient, only its text tells."""
    code = _code(answer)
    return code == _INACTIVE or (code == _INVALID and "'To'" in answer.text)


def _id(fields: dict[str, object]) -> str | None:
    """Postmark's own id of the mail; that it can't be read takes nothing from the 2xx."""
    found = fields.get("MessageID")
    return found if isinstance(found, str) else None


def _body(mail: Mail, stream: str) -> dict[str, object]:
    parts = take_apart(mail)
    headers = [{"Name": name, "Value": value} for name, value in parts.headers.items()]
    # Without this it gives the mail a Message-ID of its own.
    headers.append({"Name": "X-PM-KeepID", "Value": "true"})
    body: dict[str, object] = {
        "From": str(parts.sender),
        "To": mail.recipient,
        "Subject": parts.subject,
        "Headers": headers,
        "Metadata": carried(mail.key, _LONGEST_VALUE),
        "MessageStream": stream,
        # Our own links tell clicks, and whom not to count.
        "TrackOpens": False,
        "TrackLinks": "None",
    }
    if parts.reply_to is not None:
        body["ReplyTo"] = str(parts.reply_to)
    if parts.text is not None:
        body["TextBody"] = parts.text
    if parts.html is not None:
        body["HtmlBody"] = parts.html
    return body
