"""Mail by Amazon SES, API version 2 (docs.aws.amazon.com/ses/latest/APIReference-V2, SendEmail).

It takes our finished bytes, and puts a Message-ID and a date of its own into them. It knows no
idempotency keys and can't be asked for a message. The surprising fact: a status says little,
the type of the error says all; a suspended account and a bad mail are both a 400.
"""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import httpx

from activities.providers.http_api import Answer, HttpApi, is_taken
from activities.providers.outcome import LIMIT, Accepted, Mail, Refused
from activities.providers.sigv4 import Signer
from engine.carried_keys import carried, plain

_PATH = "/v2/email/outbound-emails"
_TOO_LARGE = 413
_REFUSING = frozenset({400, _TOO_LARGE})

# The types that are about the mail. All others are about us: an account or a configuration
# set that may not send, a sender that is not verified, a limit, a signature.
_ABOUT_THE_MAIL = frozenset({"MessageRejected", "BadRequestException"})
# MessageRejected too, as SES words it for senders, and in its sandbox for readers
# (docs.aws.amazon.com/ses/latest/dg/troubleshoot-error-messages.html).
_NOT_VERIFIED = "is not verified"

# Of a tag's value, which has letters, digits, `-` and `_` only.
_LONGEST_TAG = 256


@dataclass(frozen=True)
class SesAccount:
    """Who sends. `configuration_set` says where SES reports what becomes of the mails."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    region: str
    configuration_set: str | None = None
    base_url: str | None = None

    @property
    def url(self) -> str:
        return self.base_url or f"https://email.{self.region}.amazonaws.com"


class SesProvider:
    """Sends by `POST /v2/email/outbound-emails`. `now` is real time: SES refuses old signatures."""

    name = "ses"
    remembers_keys_for: timedelta | None = None

    def __init__(
        self,
        account: SesAccount,
        now: Callable[[], datetime],
        *,
        limit: timedelta = LIMIT,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._account = account
        self._now = now
        self._signer = Signer(
            account.access_key_id, account.secret_access_key, account.region, service="ses"
        )
        url = urlsplit(account.url)
        self._host = url.netloc
        self._path = url.path.rstrip("/") + _PATH
        origin = f"{url.scheme}://{url.netloc}"
        self._api = HttpApi(origin, {}, limit=limit, transport=transport)

    async def send(self, mail: Mail) -> Accepted | Refused:
        """Hand the mail over. Raises NotTaken or Ambiguous."""
        body = json.dumps(_body(mail, self._account)).encode()
        headers = {"Host": self._host, "Content-Type": "application/json"}
        signed = self._signer.sign("POST", self._path, headers, body, self._now())
        answer = await self._api.post_bytes(self._path, body, signed)
        if is_taken(answer, refusing=_REFUSING):
            return Accepted(provider_message_id=_id(answer))
        if answer.status != _TOO_LARGE and not _is_about_the_mail(answer):
            raise answer.not_taken()
        return Refused(answer.said)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._api.close()


def _is_about_the_mail(answer: Answer) -> bool:
    # `x-amzn-ErrorType: MessageRejected:http://…` or `"__type": "com.amazonaws…#MessageRejected"`
    said = answer.headers.get("x-amzn-ErrorType") or answer.fields().get("__type") or ""
    kind = str(said).partition(":")[0].rpartition("#")[2]
    return kind in _ABOUT_THE_MAIL and _NOT_VERIFIED not in answer.text


def _id(answer: Answer) -> str | None:
    """SES's own id of the mail; that it can't be read takes nothing from the 2xx."""
    found = answer.fields().get("MessageId")
    return found if isinstance(found, str) else None


def _body(mail: Mail, account: SesAccount) -> dict[str, object]:
    tags = carried(plain(mail.key), _LONGEST_TAG)
    body: dict[str, object] = {
        "Destination": {"ToAddresses": [mail.recipient]},
        "Content": {"Raw": {"Data": base64.b64encode(mail.raw).decode()}},
        "EmailTags": [{"Name": name, "Value": value} for name, value in tags.items()],
    }
    if account.configuration_set is not None:
        body["ConfigurationSetName"] = account.configuration_set
    return body
