"""A mail server of our own, that answers what it is told: what we make of every reply."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP

from activities.providers import smtp
from activities.providers.outcome import Accepted
from activities.providers.smtp import SmtpProvider, SmtpServer
from tests.activities.documented import Line, documented
from tests.activities.mails import MAIL, RAW, outcome_of
from tests.temporal import free_port


@dataclass
class Handler:
    """Says `says` at `stage`, and yes everywhere else; keeps what it was given."""

    says: str = ""
    stage: str = ""
    mails: list[tuple[str, list[str], bytes]] = field(default_factory=list)

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's names
        self, server: SMTP, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        return await self.reply("MAIL FROM", server)

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        envelope.rcpt_tos.append(address)
        return await self.reply("RCPT TO", server)

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Any) -> str:  # noqa: N802
        reply = await self.reply("the mail", server)
        self.mails.append((envelope.mail_from, envelope.rcpt_tos, envelope.content))
        return reply

    async def reply(self, stage: str, server: SMTP) -> str:
        if stage != self.stage:
            return "250 yes"
        if self.says == "connection lost":
            assert isinstance(server.transport, asyncio.WriteTransport)
            server.transport.abort()
        return f"{self.says} as told, bob@reader.example"


class Greeting(SMTP):
    """A server that refuses at its greeting."""

    async def _handle_client(self) -> None:
        await self.push(self.event_handler.says + " not today")
        assert self.transport is not None
        self.transport.close()


@asynccontextmanager
async def server(handler: Handler) -> AsyncIterator[SmtpProvider]:
    """The provider, and the server it talks to."""
    kind = Greeting if handler.stage == "the greeting" else SMTP
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(
        lambda: kind(handler, hostname="mx.example", loop=loop), "127.0.0.1", 0
    )
    port: int = listening.sockets[0].getsockname()[1]
    username, password = ("acme", "wrong") if handler.stage == "the log-in" else (None, None)
    try:
        yield SmtpProvider(SmtpServer("127.0.0.1", port, username, password, starttls=False))
    finally:
        listening.close()
        await listening.wait_closed()


@pytest.mark.parametrize("line", documented("SMTP"), ids=str)
async def test_every_reply_means_what_the_page_says(line: Line) -> None:
    if line.says == "no connection":
        provider = SmtpProvider(SmtpServer("127.0.0.1", free_port()))
        assert await outcome_of(provider) == line.outcome
        return
    async with server(Handler(line.says, line.stage)) as provider:
        assert await outcome_of(provider) == line.outcome


async def test_the_mail_arrives_as_it_was_stored() -> None:
    handler = Handler()
    async with server(handler) as provider:
        answer = await provider.send(MAIL)
    assert isinstance(answer, Accepted)
    ((sender, recipients, content),) = handler.mails
    assert (sender, recipients) == ("ann@acme.example", ["bob@reader.example"])
    assert content == RAW


async def test_a_server_that_never_replies_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "LIMIT", timedelta(milliseconds=300))
    stuck = asyncio.Event()

    class Stuck(Handler):
        async def reply(self, stage: str, server: SMTP) -> str:
            if stage == self.stage:
                await stuck.wait()
            return "250 yes"

    async with server(Stuck(stage="RCPT TO")) as provider:
        assert await outcome_of(provider) == "not taken"
        stuck.set()
    stuck.clear()
    async with server(Stuck(stage="the mail")) as provider:
        assert await outcome_of(provider) == "ambiguous"
        stuck.set()
