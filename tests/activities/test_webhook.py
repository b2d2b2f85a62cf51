"""Calls of the app's webhooks: against a handler, and against receivers that misbehave."""

import asyncio
import base64
import hashlib
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from activities.providers.outcome import Accepted, NotTaken
from activities.providers.webhook import WebhookProvider
from tests.activities.documented import Line, documented
from tests.activities.parcels import CALL, outcome_of

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
LIMIT = timedelta(seconds=0.3)

Handler = Callable[[httpx.Request], httpx.Response]
Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def hooks(handler: Handler, now: Callable[[], datetime] = lambda: NOW) -> WebhookProvider:
    return WebhookProvider({"crm": SECRET}, now, transport=httpx.MockTransport(handler))


def answering(says: str) -> Handler:
    def answer(request: httpx.Request) -> httpx.Response:
        if says == "no connection":
            raise httpx.ConnectError("refused", request=request)
        if says == "no answer":
            raise httpx.ReadTimeout("too late", request=request)
        return httpx.Response(int(says), headers={"Location": "https://x.example"}, text="bob")

    return answer


@pytest.mark.parametrize("line", documented("Webhooks"), ids=str)
async def test_every_answer_means_what_the_page_says(line: Line) -> None:
    assert await outcome_of(hooks(answering(line.says)), CALL) == line.outcome


def test_the_page_tells_of_every_kind_of_answer() -> None:
    outcomes = {line.outcome for line in documented("Webhooks")}
    assert outcomes == {"accepted", "refused", "not taken", "ambiguous"}


async def asked_by(*parcels: object, now: Callable[[], datetime]) -> list[httpx.Request]:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200)

    provider = hooks(answer, now)
    for _ in parcels:
        assert await provider.send(CALL) == Accepted()
    return asked


async def test_the_receiver_can_check_it_with_the_library_of_the_standard() -> None:
    [request] = await asked_by(CALL, now=lambda: datetime.now(UTC))
    assert str(request.url) == CALL.url
    assert request.content == CALL.body
    assert request.headers["Content-Type"] == "application/json"
    assert Webhook(SECRET).verify(request.content, dict(request.headers)) == {"name": "bob"}
    for forged in (b'{"name":"eve"}', b"{}"):
        with pytest.raises(WebhookVerificationError):
            Webhook(SECRET).verify(forged, dict(request.headers))


async def test_the_signature_is_over_id_time_and_body() -> None:
    [request] = await asked_by(CALL, now=lambda: NOW)
    call_id, stamp = request.headers["webhook-id"], request.headers["webhook-timestamp"]
    assert stamp == str(int(NOW.timestamp()))
    signed = b".".join((call_id.encode(), stamp.encode(), CALL.body))
    made = hmac.new(base64.b64decode(SECRET.removeprefix("whsec_")), signed, hashlib.sha256)
    assert request.headers["webhook-signature"] == f"v1,{base64.b64encode(made.digest()).decode()}"


async def test_a_repeat_has_the_same_id_and_body_and_a_time_of_its_own() -> None:
    times = iter([NOW, NOW + timedelta(hours=1)])
    first, second = await asked_by(CALL, CALL, now=lambda: next(times))
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert "." not in first.headers["webhook-id"]
    assert first.content == second.content
    assert first.headers["webhook-timestamp"] != second.headers["webhook-timestamp"]


async def test_a_webhook_without_a_secret_is_not_called() -> None:
    provider = hooks(answering("200"))
    with pytest.raises(NotTaken, match="no secret is set for the webhook `other`"):
        await provider.send(replace(CALL, hook="other"))


# --- Receivers of flesh and blood ---------------------------------------------------------


@asynccontextmanager
async def receiver(behaves: Behaviour) -> AsyncIterator[str]:
    """A server on this machine; its address."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
            await reader.readexactly(length)
            await behaves(reader, writer)
        except OSError:
            pass  # the caller has had enough, as it should
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        host, port = server.sockets[0].getsockname()[:2]
        yield f"http://{host}:{port}/hook"


def answers(raw: bytes) -> Behaviour:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)
        await writer.drain()

    return behave


async def stay_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()  # until the caller hangs up


async def talk_for_ever(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        writer.write(b"x" * 65_536)
        await writer.drain()


@pytest.mark.parametrize(
    ("behaves", "expected"),
    [
        (answers(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), "accepted"),
        (answers(b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\nhalf"), "accepted"),
        (answers(b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 500 Oh\r\n\r\n"), "accepted"),
        (talk_for_ever, "accepted"),
        (stay_silent, "ambiguous"),
        (answers(b""), "ambiguous"),
        (answers(b"SMTP ready\r\n"), "ambiguous"),
        (answers(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n"), "not taken"),
    ],
    ids=["well", "half", "twice", "endless", "silent", "closed", "nonsense", "elsewhere"],
)
async def test_a_receiver_that_misbehaves_is_told_from_one_that_has_it(
    behaves: Behaviour, expected: str
) -> None:
    provider = WebhookProvider({"crm": SECRET}, lambda: NOW, allow_private=True, limit=LIMIT)
    async with receiver(behaves) as url:
        assert await outcome_of(provider, replace(CALL, url=url)) == expected
    await provider.close()


async def test_this_machine_is_not_called_unless_that_is_allowed() -> None:
    provider = WebhookProvider({"crm": SECRET}, lambda: NOW, limit=LIMIT)
    async with receiver(answers(b"HTTP/1.1 200 OK\r\n\r\n")) as url:
        with pytest.raises(NotTaken, match="leads to an address that is not called"):
            await provider.send(replace(CALL, url=url))
    await provider.close()


async def test_nobody_listening_is_no_connection() -> None:
    async with receiver(stay_silent) as url:
        pass
    provider = WebhookProvider({"crm": SECRET}, lambda: NOW, allow_private=True, limit=LIMIT)
    assert await outcome_of(provider, replace(CALL, url=url)) == "not taken"
    await provider.close()
