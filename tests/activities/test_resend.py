"""Resend's API, played by a handler: what we ask, and what we make of every answer."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import httpx
import pytest

from activities.providers.outcome import Accepted, NotTaken
from activities.providers.resend import ResendProvider
from tests.activities.documented import Line, documented
from tests.activities.mails import MAIL, outcome_of

Handler = Callable[[httpx.Request], httpx.Response]

# As Resend words it (resend.com/docs/api-reference/errors), where that decides.
BODIES = {
    "200": {"id": "49a3999c-0ce1-4ea6-ab68-afcd6dc2e794"},
    "422": {"statusCode": 422, "name": "invalid_from_address", "message": "Invalid `from` field."},
}


@asynccontextmanager
async def resend(handler: Handler) -> AsyncIterator[ResendProvider]:
    transport = httpx.MockTransport(handler)
    client = httpx.AsyncClient(transport=transport, base_url="https://api.resend.example")
    provider = ResendProvider("re_secret", "https://api.resend.example", client)
    yield provider
    await provider.close()


def answering(says: str) -> Handler:
    def answer(request: httpx.Request) -> httpx.Response:
        if says == "no connection":
            raise httpx.ConnectError("refused", request=request)
        if says == "no answer":
            raise httpx.ReadTimeout("too late", request=request)
        return httpx.Response(int(says), json=BODIES.get(says, {"message": "to bob@reader…"}))

    return answer


@pytest.mark.parametrize("line", documented("Resend"), ids=str)
async def test_every_answer_means_what_the_page_says(line: Line) -> None:
    async with resend(answering(line.says)) as provider:
        assert await outcome_of(provider) == line.outcome


def test_the_page_tells_of_every_kind_of_answer() -> None:
    outcomes = {line.outcome for line in documented("Resend")}
    assert outcomes == {"accepted", "refused", "not taken", "ambiguous"}


@pytest.mark.parametrize(
    "error", [httpx.WriteError, httpx.RemoteProtocolError, httpx.WriteTimeout, TimeoutError]
)
async def test_whatever_breaks_after_the_connection_is_ambiguous(error: type[Exception]) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise error("broke off")

    async with resend(answer) as provider:
        assert await outcome_of(provider) == "ambiguous"


async def test_an_address_that_resend_finds_invalid_is_suppressed() -> None:
    body = {"statusCode": 422, "name": "validation_error", "message": "Invalid `to` field."}
    async with resend(lambda request: httpx.Response(422, json=body)) as provider:
        assert await outcome_of(provider) == "refused, address suppressed"


async def test_the_request_is_the_finished_mail_with_its_key() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json={"id": "e-1"})

    async with resend(answer) as provider:
        assert await provider.send(MAIL) == Accepted("e-1")
        await provider.send(MAIL)
    first, second = asked
    assert first.url.path == "/emails"
    assert first.headers["Authorization"] == "Bearer re_secret"
    assert first.headers["Idempotency-Key"] == MAIL.key
    assert first.content == second.content
    assert json.loads(first.content) == {
        "from": '"Ann, of Acme" <ann@acme.example>',
        "to": ["bob@reader.example"],
        "subject": "Ça va ?",
        "reply_to": "support@acme.example",
        "text": "Hello\n",
        "html": "<p>Hello</p>\n",
        "headers": {
            "Message-ID": "<abc.parcours@acme.example>",
            "List-Unsubscribe": "<https://acme.example/u/x>",
        },
    }


@pytest.mark.parametrize("body", [b"", b"[]", b"not json", b'{"id": 7}'])
async def test_a_success_that_can_not_be_read_is_a_success(body: bytes) -> None:
    async with resend(lambda request: httpx.Response(200, content=body)) as provider:
        assert await provider.send(MAIL) == Accepted(None)


@pytest.mark.parametrize(
    ("header", "pause"),
    [("30", timedelta(seconds=30)), ("", None), ("soon", None), ("-5", None), ("9" * 30, None)],
)
async def test_how_long_to_wait_is_what_resend_says(header: str, pause: timedelta | None) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(429, headers={"Retry-After": header})

    async with resend(answer) as provider:
        with pytest.raises(NotTaken) as trouble:
            await provider.send(MAIL)
        assert trouble.value.retry_after == pause


def test_a_key_is_trusted_for_less_than_resend_keeps_it() -> None:
    assert ResendProvider.remembers_keys_for is not None
    assert ResendProvider.remembers_keys_for < timedelta(hours=24)
