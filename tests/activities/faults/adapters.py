"""What only one provider's row of the fault matrix knows: one `Adapter` each, and no more.

A provider of another channel joins with its own: its column in docs/providers.md, how it is
built, what it hands over, what a success looks like, who a request is for.
"""

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from activities.providers.lob import LobProvider
from activities.providers.postmark import PostmarkProvider
from activities.providers.resend import ResendProvider
from activities.providers.sendgrid import SendGridProvider
from activities.providers.ses import SesAccount, SesProvider
from activities.providers.twilio import TwilioProvider
from activities.providers.webhook import WebhookProvider
from tests.activities.faults.http_stub import HttpStub, Reply, Request
from tests.activities.mails import MAIL
from tests.activities.parcels import CALL, LETTER, SMS


@dataclass(frozen=True)
class Adapter:
    """One provider over HTTP. `item`: what it hands over, for a server at this address."""

    name: str
    build: Callable[[str, timedelta], Any]
    success: Reply
    reader_of: Callable[[Request], str]
    key_of: Callable[[Request], str | None] = lambda request: None
    search: Callable[[Request, Sequence[Request]], Reply] | None = None
    item: Callable[[str], Any] = lambda url: MAIL

    def stub(self) -> HttpStub:
        return HttpStub(
            accept=lambda request: self.success,
            reader_of=self.reader_of,
            key_of=self.key_of,
            search=self.search,
        )

    def __str__(self) -> str:
        return self.name


def _body(request: Request) -> Any:
    return json.loads(request.body)


def _as_json(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


def _found_by_metadata(request: Request, taken: Sequence[Request]) -> Reply:
    """Postmark's search: messages of this stream whose metadata has this value."""
    asked = {name: value for name, (value,) in parse_qs(urlsplit(request.target).query).items()}
    bodies = [_body(each) for each in taken]
    found = [
        {"MessageID": f"m-{number}", "Metadata": body["Metadata"]}
        for number, body in enumerate(bodies)
        if body["MessageStream"] == asked["messagestream"]
        and body["To"] == asked["recipient"]
        and body["Metadata"]["message-key"] == asked["metadata_message-key"]
    ]
    return Reply(200, _as_json(TotalCount=len(found), Messages=found[: int(asked["count"])]))


def _now() -> datetime:
    return datetime(2026, 11, 24, 9, tzinfo=UTC)


_WHSEC = "whsec_" + base64.b64encode(b"k" * 32).decode()

RESEND = Adapter(
    name="resend",
    build=lambda url, limit: ResendProvider("re_secret", url, limit=limit),
    success=Reply(200, _as_json(id="49a3999c-0ce1-4ea6-ab68-afcd6dc2e794")),
    reader_of=lambda request: str(_body(request)["to"][0]),
    key_of=lambda request: request.headers["idempotency-key"],
)
POSTMARK = Adapter(
    name="postmark",
    build=lambda url, limit: PostmarkProvider("secret", "broadcast", url, limit=limit),
    success=Reply(200, _as_json(ErrorCode=0, Message="OK", MessageID="b7bc2f4a-e38e-4336")),
    reader_of=lambda request: str(_body(request)["To"]),
    search=_found_by_metadata,
)
SENDGRID = Adapter(
    name="sendgrid",
    build=lambda url, limit: SendGridProvider("SG.secret", url, limit=limit),
    success=Reply(202, b"", {"X-Message-Id": "14c5d75ce93"}),
    reader_of=lambda request: str(_body(request)["personalizations"][0]["to"][0]["email"]),
)
SES = Adapter(
    name="ses",
    build=lambda url, limit: SesProvider(
        SesAccount("AKIDEXAMPLE", "secret", "eu-west-1", "parcours", url), _now, limit=limit
    ),
    success=Reply(200, _as_json(MessageId="010f0000-0000")),
    reader_of=lambda request: str(_body(request)["Destination"]["ToAddresses"][0]),
)

TWILIO = Adapter(
    name="twilio",
    build=lambda url, limit: TwilioProvider("AC1", "secret", "+15005550006", url, limit=limit),
    success=Reply(201, _as_json(sid="SM1")),
    reader_of=lambda request: parse_qs(request.body.decode())["To"][0],
    item=lambda url: SMS,
)
LOB = Adapter(
    name="lob",
    build=lambda url, limit: LobProvider("test_1", url, limit=limit),
    success=Reply(200, _as_json(id="ltr_1")),
    reader_of=lambda request: str(_body(request)["to"]["name"]),
    key_of=lambda request: request.headers["idempotency-key"],
    item=lambda url: LETTER,
)
WEBHOOK = Adapter(
    name="webhook",
    build=lambda url, limit: WebhookProvider(
        {"crm": _WHSEC}, _now, allow_private=True, limit=limit
    ),
    success=Reply(200, b""),
    reader_of=lambda request: request.headers["webhook-id"],
    key_of=lambda request: request.headers["webhook-id"],
    item=lambda url: replace(CALL, url=f"{url}/hook"),
)

MAILERS = [RESEND, POSTMARK, SENDGRID, SES]
ADAPTERS = [*MAILERS, TWILIO, LOB, WEBHOOK]
