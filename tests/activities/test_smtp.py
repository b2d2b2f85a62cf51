"""A mail by SMTP to a mail server that we did not write: what arrives there."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiosmtpd.smtp import SMTP

from activities.providers.outcome import Accepted
from activities.providers.smtp import SmtpProvider, SmtpServer
from tests.activities.faults.smtp_stub import SmtpFault, SmtpStub
from tests.activities.mails import MAIL, RAW, outcome_of


@dataclass
class Handler:
    """Takes everything, and keeps it."""

    mails: list[tuple[str, list[str], bytes]] = field(default_factory=list)

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Any) -> str:  # noqa: N802
        self.mails.append((envelope.mail_from, envelope.rcpt_tos, envelope.content))
        return "250 2.0.0 queued as 7F2A"


@asynccontextmanager
async def mail_server(handler: Handler) -> AsyncIterator[SmtpProvider]:
    """The provider, and the server it talks to."""
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(
        lambda: SMTP(handler, hostname="mx.example", loop=loop), "127.0.0.1", 0
    )
    port: int = listening.sockets[0].getsockname()[1]
    try:
        yield SmtpProvider(SmtpServer("127.0.0.1", port, starttls=False))
    finally:
        listening.close()
        await listening.wait_closed()


async def test_the_mail_arrives_as_it_was_stored() -> None:
    handler = Handler()
    async with mail_server(handler) as provider:
        answer = await provider.send(MAIL)
    assert answer == Accepted("2.0.0 queued as 7F2A")
    ((sender, recipients, content),) = handler.mails
    assert (sender, recipients) == ("ann@acme.example", ["bob@reader.example"])
    assert content == RAW


async def test_a_reply_to_the_mail_that_is_none_is_ambiguous() -> None:
    async with SmtpStub().opened() as stub:
        provider = SmtpProvider(SmtpServer("127.0.0.1", stub.port))
        async with stub.failing(SmtpFault("the mail", "hello?", takes=True)):
            assert await outcome_of(provider) == "ambiguous"
