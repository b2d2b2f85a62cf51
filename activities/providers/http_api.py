"""What is the same for every provider that is asked by HTTP: one question, one answer.

Knows no provider and no kind of message. It decides what an answer says whoever gives it:
taken, about the message, not about the message, or nobody knows. The surprising fact: once the
status is here, the rest of the answer can't change what became of the message, so half a body
of a success is a success.
"""

import asyncio
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from activities.providers.outcome import LIMIT, Ambiguous, NotTaken

# A server that does not even take the connection is down; then nothing was sent. As long again
# may be spent waiting for a free one, so that neither is mistaken for a lost answer.
_CONNECT_SHARE = 1 / 3

# Answers have some hundred bytes; whoever goes on after these is no provider.
_MAX_ANSWER = 64 * 1024

# What is kept of an answer's text, for the person who looks at the message.
_QUOTED = 200

# The longest pause that is believed. No grace is longer, and a date gone wrong may say anything.
_MAX_PAUSE = timedelta(days=30)

# What failed before a byte of the request went out, or can't ever go out.
_NEVER_ASKED = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.LocalProtocolError,
    httpx.UnsupportedProtocol,
)


@dataclass(frozen=True)
class Answer:
    """What came back: `text` up to where it broke off, `whole` if it did not."""

    status: int
    headers: httpx.Headers
    text: str
    whole: bool = True

    @property
    def said(self) -> str:
        """In one line, for the row; it may quote the customer."""
        return f"{self.status} {self.text[:_QUOTED]}".strip()

    def fields(self) -> dict[str, Any]:
        """The JSON object in it; empty if there is none."""
        try:
            found = json.loads(self.text)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    def not_taken(self) -> NotTaken:
        """It says that nothing was sent, and that another attempt is worth while."""
        what = f"answered {self.status}"
        return NotTaken(what, self.text[:_QUOTED], retry_after=retry_after(self.headers))

    def ambiguous(self) -> Ambiguous:
        """It does not say whether anything was sent."""
        return Ambiguous(f"answered {self.status}", self.text[:_QUOTED])


class HttpApi:
    """One provider's API. Each question takes `limit` at most, however many waits it has."""

    def __init__(
        self,
        base_url: str,
        headers: Mapping[str, str],
        *,
        limit: timedelta = LIMIT,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._limit = limit.total_seconds()
        connect = self._limit * _CONNECT_SHARE
        timeout = httpx.Timeout(self._limit, connect=connect, pool=connect)
        # A redirect would turn a POST into a GET, or carry our key to somebody else.
        self._client = httpx.AsyncClient(
            base_url=base_url,
            headers=headers,
            timeout=timeout,
            transport=transport,
            follow_redirects=False,
        )

    async def post(
        self, path: str, body: object, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Ask with a JSON body. Raises NotTaken or Ambiguous if there is no answer."""
        return await self._ask(self._client.build_request("POST", path, json=body, headers=headers))

    async def post_bytes(self, path: str, content: bytes, headers: Mapping[str, str]) -> Answer:
        """Ask with these very bytes. Raises NotTaken or Ambiguous if there is no answer."""
        request = self._client.build_request("POST", path, content=content, headers=headers)
        return await self._ask(request)

    async def get(self, path: str, params: Mapping[str, str | int]) -> Answer:
        """Ask without changing anything. Raises NotTaken or Ambiguous if there is no answer."""
        return await self._ask(self._client.build_request("GET", path, params=dict(params)))

    async def close(self) -> None:
        """Let go of the connections."""
        await self._client.aclose()

    async def _ask(self, request: httpx.Request) -> Answer:
        reading: _Reading | None = None
        try:
            async with asyncio.timeout(self._limit):
                response = await self._client.send(request, stream=True)
                reading = _Reading(response)
                await reading.read()
        except _NEVER_ASKED as error:
            raise NotTaken("no connection", repr(error)) from None
        except (httpx.TransportError, httpx.DecodingError, TimeoutError) as error:
            if reading is None:
                raise Ambiguous("no answer", repr(error)) from None
        finally:
            if reading is not None:
                await reading.response.aclose()
        assert reading is not None
        return reading.answer()


class _Reading:
    """An answer on its way in."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._body = bytearray()
        self._whole = False

    async def read(self) -> None:
        async for part in self.response.aiter_bytes():
            self._body += part
            if len(self._body) > _MAX_ANSWER:
                return
        self._whole = True

    def answer(self) -> Answer:
        text = self._body[:_MAX_ANSWER].decode("utf-8", "replace")
        return Answer(self.response.status_code, self.response.headers, text, self._whole)


# Not followed: it says where to ask, and that this was not it (RFC 9110, 15.4).
_ELSEWHERE = frozenset({301, 302, 307, 308})

# By its meaning another request like it is under way, or was: nobody knows which.
_CONFLICT = 409


def is_taken(answer: Answer, *, refusing: Collection[int]) -> bool:
    """Whether the provider has the message; if not, it is the message that it has judged.

    `refusing` are the statuses by which this provider judges a message. Raises NotTaken or
    Ambiguous for all others: a wrong key or address of the API, a limit, a proxy's answer say
    nothing about the message, which goes out once that is mended.
    """
    status = answer.status
    if 200 <= status < 300:
        return True
    if status in _ELSEWHERE:
        raise answer.not_taken()
    if status == 503 and retry_after(answer.headers) is not None:
        raise answer.not_taken()  # who says when to come back has not begun (RFC 9110, 15.6.4)
    if not 400 <= status < 500 or status == _CONFLICT:
        raise answer.ambiguous()
    if status not in refusing or not answer.whole:
        raise answer.not_taken()
    return False


def retry_after(headers: httpx.Headers) -> timedelta | None:
    """How long the server asks us to wait (RFC 9110, 10.2.3): in seconds or until a date.

    A date counts from the server's own, so that its clock need not be ours.
    """
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdecimal():
        seconds = int(value) if len(value) < 10 else 10**9
        return min(timedelta(seconds=seconds), _MAX_PAUSE)
    until, now = _date(value), _date(headers.get("Date", ""))
    if until is None or now is None:
        return None
    return min(max(until - now, timedelta(0)), _MAX_PAUSE)


def _date(value: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(value)
    except ValueError:
        return None
    return found if found.tzinfo is not None else None
