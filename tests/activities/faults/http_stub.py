"""A provider's HTTP server, over real TCP, that fails as it is told, and keeps what it takes.

It knows no provider: what a success looks like, and where a request says who it is for, the
`Adapter` says.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from tests.activities.faults.listening import Listening, ResetError, SilentError


@dataclass(frozen=True)
class Request:
    """One whole request; names of headers in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Reply:
    """One answer. `head` is what must have arrived for its status to be known."""

    status: int
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def head(self) -> bytes:
        has_body = self.status not in (204, 205, 304)
        fields = {"Content-Length": str(len(self.body) if has_body else 0), **self.headers}
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        return f"HTTP/1.1 {self.status} As Told\r\nConnection: close\r\n{lines}\r\n".encode()

    def __bytes__(self) -> bytes:
        return self.head + (self.body if self.status not in (204, 205, 304) else b"")


@dataclass(frozen=True)
class Fault:
    """One way to fail. `row` is its line in the docs; `takes`: the message is kept all the same.

    `of_request`: reset after so many of its bytes. `of_reply`: reset after so many of its
    bytes. Neither and no reply: silence.
    """

    row: str
    reply: Reply | None = None
    of_request: int | None = None
    of_reply: int | None = None
    takes: bool = False
    is_away: bool = False

    def __str__(self) -> str:
        status = f" {self.reply.status}" if self.reply is not None else ""
        cut = self.of_request if self.of_request is not None else self.of_reply
        at = f" at {cut}" if cut is not None else ""
        return f"{self.row}{status}{at}{', taken' if self.takes else ''}"


@dataclass(kw_only=True)
class HttpStub(Listening):
    """`readers`: who got a message, once for each that was taken. `fault` None: all is well."""

    accept: Callable[[Request], Reply]
    reader_of: Callable[[Request], str]
    key_of: Callable[[Request], str | None] = lambda request: None
    search: Callable[[Request, list[Request]], Reply] | None = None
    fault: Fault | None = None
    # After so long it takes the same key for a new one. `now` is the test's.
    forgets_after: timedelta = timedelta(hours=24)
    now: Callable[[], datetime] = lambda: datetime(2026, 11, 24, 9, tzinfo=UTC)
    size: int = 0  # of the latest whole request
    readers: list[str] = field(default_factory=list)
    taken_at: list[datetime] = field(default_factory=list)
    asked: list[Request] = field(default_factory=list)
    _taken: list[Request] = field(default_factory=list)
    _known: dict[str, datetime] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def failing(self, fault: Fault) -> AsyncIterator[None]:
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

    def forget(self) -> None:
        """As if nothing had ever been taken."""
        self.readers.clear()
        self.taken_at.clear()
        self._taken.clear()
        self._known.clear()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        fault = self.fault
        if fault is not None and fault.of_request is not None:
            first = await reader.readexactly(min(fault.of_request, 3))
            if first != b"GET":  # a search is too short to be cut where a message is
                await reader.readexactly(fault.of_request - len(first))
            raise ResetError
        request = await self._read(reader)
        reply = self._answer(request, fault)
        if reply is None:
            raise SilentError
        text = bytes(reply)
        if fault is not None and fault.of_reply is not None:
            writer.write(text[: fault.of_reply])
            await writer.drain()
            raise ResetError
        writer.write(text)

    async def _read(self, reader: asyncio.StreamReader) -> Request:
        head = await reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
        pairs = [line.partition(":") for line in lines]
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self.size = len(head) + len(body)
        method, target, _ = first.split(" ")
        request = Request(method, target, headers, body)
        self.asked.append(request)
        return request

    def _answer(self, request: Request, fault: Fault | None) -> Reply | None:
        if request.method == "GET":
            assert self.search is not None
            return self.search(request, self._taken)
        if fault is None or fault.takes:
            self._take(request)
        return self.accept(request) if fault is None else fault.reply

    def _take(self, request: Request) -> None:
        key, now = self.key_of(request), self.now()
        if key is not None:
            first = self._known.get(key)
            if first is not None and now - first < self.forgets_after:
                return
            self._known[key] = now
        self.readers.append(self.reader_of(request))
        self.taken_at.append(now)
        self._taken.append(request)
