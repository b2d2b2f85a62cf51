"""How much of a request is read, and for how long: the same for every address.

Knows no key and no JSON; it counts bytes and looks at the clock. The one surprising fact:
whoever is answered before their body has arrived gets the answer at once, but the connection
is closed only when the rest has come, or too much of it. One that is closed with data unread
is reset by the operating system, and the reset takes the answer along.
"""

import asyncio
from datetime import timedelta

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Segment's limit for a batch, the largest request there is.
MOST_BYTES = 500 * 1024

# A full batch takes 25 s on a line of 20 KB/s; who is slower than that is holding us up.
PATIENCE = timedelta(seconds=30)

# Read and thrown away for the sake of the answer: more than anybody sends by mistake.
_MOST_DISCARDED = 16 * MOST_BYTES

_LONGEST_LENGTH = 18  # digits of a Content-Length; a number of more has no place to be read to


class BodyTooLargeError(HTTPException):
    """More than a request may hold. An HTTPException, for FastAPI lets only those pass."""

    def __init__(self) -> None:
        super().__init__(413, f"the most a request may hold is {MOST_BYTES // 1024} KB")


class BodyTooSlowError(HTTPException):
    """The body did not arrive in time (RFC 9110, section 15.5.9)."""

    def __init__(self, patience: timedelta) -> None:
        super().__init__(
            408, f"the body did not arrive within {patience.total_seconds():g} s: send it again"
        )


class RequestLimits:
    """ASGI middleware that holds every request to the limits. Raises into whoever reads."""

    def __init__(self, app: ASGIApp, patience: timedelta = PATIENCE) -> None:
        self._app = app
        self._patience = patience

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = _Body(Headers(scope=scope), receive, send, self._patience)
        await self._app(scope, body.receive, body.send)


class _Body:
    """One request's body on its way in, and its answer on the way out."""

    def __init__(self, headers: Headers, receive: Receive, send: Send, patience: timedelta) -> None:
        self._receive = receive
        self._send = send
        self._patience = patience
        self._deadline = asyncio.get_running_loop().time() + patience.total_seconds()
        self._announced = _announced(headers)
        self._is_whole = self._announced == 0 and "transfer-encoding" not in headers
        self._size = 0

    async def receive(self) -> Message:
        """The next part. Raises BodyTooLargeError or BodyTooSlowError."""
        if self._is_whole:
            return await self._receive()  # that the client has gone, whenever it goes
        if self._announced > MOST_BYTES:
            raise BodyTooLargeError
        try:
            message = await self._next(self._deadline)
        except TimeoutError:
            raise BodyTooSlowError(self._patience) from None
        if self._size > MOST_BYTES:
            raise BodyTooLargeError
        return message

    async def send(self, message: Message) -> None:
        """A part of the answer; the last one after what is left of the body."""
        if message["type"] == "http.response.start":
            # What is here already: most often all of it, and no reason to close anything.
            await self._discard(MOST_BYTES, until=0)
            if not self._is_whole:
                MutableHeaders(scope=message)["Connection"] = "close"
        if self._is_whole or message["type"] != "http.response.body" or message.get("more_body"):
            await self._send(message)
            return
        await self._send({**message, "more_body": True})
        await self._discard(_MOST_DISCARDED, until=self._deadline)
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _next(self, until: float) -> Message:
        async with asyncio.timeout_at(until):
            message = await self._receive()
        if message["type"] == "http.request":
            self._size += len(message.get("body", b""))
        self._is_whole = message["type"] != "http.request" or not message.get("more_body", False)
        return message

    async def _discard(self, most: int, until: float) -> None:
        try:
            while not self._is_whole and self._size < most:
                await self._next(until)
        except TimeoutError:
            pass  # the connection is closed with the rest unread


def _announced(headers: Headers) -> int:
    """The Content-Length, as far as it is one; without one, 0."""
    text = headers.get("content-length", "0")
    if not (text.isascii() and text.isdigit()):
        return 0
    return int(text) if len(text) <= _LONGEST_LENGTH else 10**_LONGEST_LENGTH
