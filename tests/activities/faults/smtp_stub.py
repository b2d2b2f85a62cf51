"""A mail server, over real TCP, that fails at the stage it is told, and keeps what it takes.

Written on the bare socket, because a library's server never resets in the middle of a line.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.activities.faults.listening import Listening, ResetError, SilentError

STAGES = (
    "the greeting",
    "EHLO",
    "STARTTLS",
    "the log-in",
    "MAIL FROM",
    "RCPT TO",
    "DATA",
    "the mail",
)
# By the first letter, which is all that may have come of a command when it is cut off.
_VERBS = {"E": "EHLO", "H": "EHLO", "S": "STARTTLS", "A": "the log-in"}
_VERBS |= {"M": "MAIL FROM", "R": "RCPT TO", "D": "DATA", "Q": "QUIT"}
_YES = {"the greeting": "220 mx.example", "DATA": "354 go on", "the log-in": "235 welcome"}


@dataclass(frozen=True)
class SmtpFault:
    """One way to fail: at `stage`, or (`of_request`) wherever so many bytes have come.

    `says` is a whole reply, `reset` or `no reply`. `takes`: the mail is kept all the same.
    """

    stage: str = ""
    says: str = ""
    of_request: int | None = None
    takes: bool = False
    is_away: bool = False

    @property
    def row(self) -> str:
        return f"any {self.says[0]}xx" if self.says[:1].isdigit() else self.says or "reset"


@dataclass(kw_only=True)
class SmtpStub(Listening):
    """`readers`: who got a mail, once for each that was taken. `fault` None: all is well."""

    fault: SmtpFault | None = None
    size: int = 0  # of the latest whole session, up to the mail's end
    stage: str = ""  # where the latest session was
    readers: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def failing(self, fault: SmtpFault) -> AsyncIterator[None]:
        """Fail in this way meanwhile."""
        self.fault = fault
        if fault.is_away:
            await self.close()
        try:
            yield
        finally:
            if fault.is_away:
                await self.open()
            self.fault = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines = _Counted(reader, self.fault)
        reader_of_mail = ""
        self.stage = "the greeting"
        lines.check()
        self._say(writer)
        while True:
            line = await self._next(lines)
            if self.stage == "QUIT":
                writer.write(b"221 bye\r\n")
                return
            if self.stage == "RCPT TO":
                reader_of_mail = re.findall("<(.+?)>", line)[0]
            if self.stage == "the mail":
                self._take(reader_of_mail)
                self.size = lines.count
            await writer.drain()
            self._say(writer)

    async def _next(self, lines: "_Counted") -> str:
        """The client's next words, and their stage, which is known before they are whole."""
        if self.stage == "DATA" and not self._fails_here():
            self.stage = "the mail"
            return await lines.until(b"\r\n.\r\n")
        self.stage = _VERBS[await lines.first()]
        return await lines.until(b"\r\n")

    def _take(self, recipient: str) -> None:
        fault = self.fault
        refuses = fault is not None and (fault.stage == "the mail" and not fault.takes)
        if not refuses:
            self.readers.append(recipient)

    def _fails_here(self) -> bool:
        return self.fault is not None and self.fault.stage == self.stage

    def _say(self, writer: asyncio.StreamWriter) -> None:
        fault = self.fault
        if fault is not None and self._fails_here():
            if fault.says == "reset":
                raise ResetError
            if fault.says == "no reply":
                raise SilentError
            writer.write(f"{fault.says}\r\n".encode())
            return
        writer.write(f"{self._yes()}\r\n".encode())

    def _yes(self) -> str:
        if self.stage == "EHLO":
            offers = {"STARTTLS": "STARTTLS", "the log-in": "AUTH PLAIN"}
            offer = offers.get(self.fault.stage) if self.fault is not None else None
            return "250 mx.example" if offer is None else f"250-mx.example\r\n250 {offer}"
        return _YES.get(self.stage, "250 yes")


class _Counted:
    """What the client says, up to where the fault cuts it off."""

    def __init__(self, reader: asyncio.StreamReader, fault: SmtpFault | None) -> None:
        self._reader = reader
        self._limit = None if fault is None else fault.of_request
        self._held = b""
        self.count = 0

    def check(self) -> None:
        if self._limit is not None and self.count >= self._limit:
            raise ResetError

    async def first(self) -> str:
        while not self._held:
            await self._more()
        return self._held[:1].decode("latin-1").upper()

    async def until(self, end: bytes) -> str:
        while end not in self._held:
            await self._more()
        self.check()
        found, _, self._held = self._held.partition(end)
        return found.decode("latin-1")

    async def _more(self) -> None:
        self.check()
        left = 65_536 if self._limit is None else self._limit - self.count
        part = await self._reader.read(left)
        if not part:
            raise ConnectionResetError
        self.count += len(part)
        self._held += part
