"""Mail by SMTP: an answer lost after the data is ambiguous, for it knows no keys (RFC 1047).

What each reply means is in docs/providers.md. The one surprising fact: everything before the
data is safe to repeat, so only the wait for the reply to it is ever ambiguous.
"""

import asyncio
import re
import ssl
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

import aiosmtplib

from activities.providers.outcome import LIMIT, Accepted, Ambiguous, Mail, NotTaken, Refused

# The farewell that RFC 5321 (4.1.1.10) asks for; the mail is accepted, so nobody waits long.
_QUIT_S = 1.0

# 550, 551 and 553 are about the mailbox itself (RFC 5321, 4.2.3); 552 and 554 about this mail.
_BAD_MAILBOX = frozenset({550, 551, 553})

_ENHANCED = re.compile(r"5\.(?P<subject>\d{1,3})\.(?P<detail>\d{1,3})\b")
_BAD_SENDER = frozenset({"7", "8"})  # X.1.7 and X.1.8: the sender's address, not the recipient's


@dataclass(frozen=True)
class SmtpServer:
    """Where to hand mail over. `starttls` None: when the server offers it; `tls`: from the start.

    `hello` is the name we give ourselves (RFC 5321, 4.1.1.1).
    """

    host: str
    port: int
    username: str | None = None
    password: str | None = None
    tls: bool = False
    starttls: bool | None = None
    hello: str = "localhost"


class SmtpProvider:
    """Sends each mail over a connection of its own."""

    name = "smtp"
    remembers_keys_for: timedelta | None = None

    def __init__(self, server: SmtpServer, *, limit: timedelta = LIMIT) -> None:
        self._server = server
        self._limit = limit.total_seconds()

    async def send(self, mail: Mail) -> Accepted | Refused:
        """Only a 2xx after the data means sent, only a 5xx means refused (RFC 5321, 4.2.1)."""
        # The client limits each command; these are the limits of all of them together.
        limit = asyncio.get_running_loop().time() + self._limit
        client = self._client()
        try:
            try:
                async with asyncio.timeout_at(limit):
                    await client.connect()
                    await client.mail(mail.sender)
                    await client.rcpt(mail.recipient)
            except aiosmtplib.SMTPResponseException as error:
                return _refused_or_not_taken(error)
            except (aiosmtplib.SMTPException, OSError, ssl.SSLError) as error:
                raise NotTaken("the server broke off before the mail", repr(error)) from None
            try:
                async with asyncio.timeout_at(limit):
                    answer = await client.data(mail.raw)
            except aiosmtplib.SMTPResponseException as error:
                if error.code < 200:  # no reply of SMTP's: the client could not read it
                    raise Ambiguous("the reply to the mail can't be read", repr(error)) from None
                return _refused_or_not_taken(error)
            except (aiosmtplib.SMTPException, OSError) as error:
                raise Ambiguous("no reply to the mail", repr(error)) from None
            with suppress(aiosmtplib.SMTPException, OSError):
                await client.quit(timeout=_QUIT_S)
            return Accepted(provider_message_id=answer.message[:200] or None)
        finally:
            client.close()

    def _client(self) -> aiosmtplib.SMTP:
        server = self._server
        return aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            username=server.username,
            password=server.password,
            use_tls=server.tls,
            start_tls=server.starttls,
            local_hostname=server.hello,
            timeout=self._limit,
        )


def _refused_or_not_taken(error: aiosmtplib.SMTPResponseException) -> Refused:
    """5xx about the recipient or the mail is for good, everything else may pass.

    A server that refuses us (at its greeting, TLS, the log-in) or our sender has said nothing
    about this mail: a person mends that.
    """
    about_mail = isinstance(error, aiosmtplib.SMTPRecipientRefused | aiosmtplib.SMTPDataError)
    if about_mail and 500 <= error.code < 600:
        bad = isinstance(error, aiosmtplib.SMTPRecipientRefused) and _is_bad_address(error)
        return Refused(f"{error.code} {error.message}", bad_address=bad)
    raise NotTaken(f"answered {error.code}", error.message) from None


def _is_bad_address(error: aiosmtplib.SMTPRecipientRefused) -> bool:
    """Whether the mailbox is to blame, by the enhanced code (RFC 3463) where there is one.

    The same 550 also says "you may not relay" and "you are on a blocklist".
    """
    enhanced = _ENHANCED.match(error.message)
    if enhanced is None:
        return error.code in _BAD_MAILBOX
    return enhanced["subject"] == "1" and enhanced["detail"] not in _BAD_SENDER
