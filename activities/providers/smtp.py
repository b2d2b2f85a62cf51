"""Mail by SMTP. It knows no idempotency keys (RFC 1047): an answer lost after the data is ambiguous."""

import ssl
from dataclasses import dataclass
from datetime import timedelta

import aiosmtplib

from activities.providers.outcome import Accepted, Ambiguous, Mail, NotTaken, Refused

# Below the workflow's limit for an attempt, so that we learn what happened ourselves.
TIMEOUT_S = 30.0


@dataclass(frozen=True)
class SmtpServer:
    """Where to hand mail over. `starttls` None: when the server offers it; `tls`: from the start."""

    host: str
    port: int
    username: str | None = None
    password: str | None = None
    tls: bool = False
    starttls: bool | None = None


class SmtpProvider:
    """Sends each mail over a connection of its own."""

    name = "smtp"
    remembers_keys_for: timedelta | None = None

    def __init__(self, server: SmtpServer) -> None:
        self._server = server

    async def send(self, mail: Mail) -> Accepted | Refused:
        """RFC 5321: only a 2xx after the data means sent, only a 5xx means refused."""
        client = await self._connect()
        try:
            try:
                await client.mail(mail.sender)
                await client.rcpt(mail.recipient)
            except aiosmtplib.SMTPResponseException as error:
                return _refused_or_not_taken(error, bad_address=_is_rcpt(error))
            except (aiosmtplib.SMTPException, OSError) as error:
                raise NotTaken(f"the SMTP server broke off: {error}") from error
            try:
                answer = await client.data(mail.raw)
            except aiosmtplib.SMTPResponseException as error:
                if error.code <= 0:  # the client's own code for a lost connection
                    raise Ambiguous(f"no answer to the data: {error}") from error
                return _refused_or_not_taken(error, bad_address=False)
            except (aiosmtplib.SMTPException, OSError) as error:
                raise Ambiguous(f"no answer to the data: {error}") from error
            return Accepted(provider_message_id=answer.message[:200] or None)
        finally:
            client.close()

    async def _connect(self) -> aiosmtplib.SMTP:
        server = self._server
        client = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            username=server.username,
            password=server.password,
            use_tls=server.tls,
            start_tls=server.starttls,
            timeout=TIMEOUT_S,
        )
        try:
            await client.connect()
        except (aiosmtplib.SMTPException, OSError, ssl.SSLError) as error:
            client.close()
            raise NotTaken(f"no connection to {server.host}:{server.port}: {error}") from error
        return client


def _is_rcpt(error: aiosmtplib.SMTPResponseException) -> bool:
    return isinstance(error, aiosmtplib.SMTPRecipientRefused)


def _refused_or_not_taken(error: aiosmtplib.SMTPResponseException, *, bad_address: bool) -> Refused:
    """5xx is for good (RFC 5321, 4.2.1), everything else may pass."""
    detail = f"{error.code} {error.message}"
    if 500 <= error.code < 600:
        # 550, 551 and 553 are about the mailbox itself; 552 and 554 about this mail.
        return Refused(detail, bad_address=bad_address and error.code in (550, 551, 553))
    raise NotTaken(detail) from error
