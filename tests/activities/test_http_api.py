"""One question to a provider over HTTP, whoever it is: how long, how much, and no further."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest

from activities.providers.http_api import HttpApi, is_taken, retry_after
from activities.providers.outcome import Ambiguous, NotTaken
from tests.activities.playing import Played, answering

DATE = {"Date": "Tue, 24 Nov 2026 09:00:00 GMT"}


@pytest.mark.parametrize(
    ("headers", "pause"),
    [
        ({"Retry-After": "30"}, timedelta(seconds=30)),
        ({"Retry-After": " 0 "}, timedelta(0)),
        ({"Retry-After": "9" * 30}, timedelta(days=30)),
        ({"Retry-After": "Tue, 24 Nov 2026 09:02:00 GMT", **DATE}, timedelta(minutes=2)),
        ({"Retry-After": "Tue, 24 Nov 2026 08:00:00 GMT", **DATE}, timedelta(0)),
        ({"Retry-After": "Tue, 24 Nov 9999 08:00:00 GMT", **DATE}, timedelta(days=30)),
        ({"Retry-After": "Tue, 24 Nov 2026 09:02:00 GMT"}, None),
        ({"Retry-After": "Tue, 24 Nov 2026 09:02:00", **DATE}, None),
        ({"Retry-After": "soon", **DATE}, None),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "1.5"}, None),
        ({"Retry-After": "٣"}, None),
        ({"Retry-After": ""}, None),
        ({}, None),
    ],
)
def test_how_long_to_wait_is_what_the_server_says(
    headers: dict[str, str], pause: timedelta | None
) -> None:
    encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
    assert retry_after(httpx.Headers(encoded)) == pause


def api(transport: httpx.AsyncBaseTransport, limit: timedelta = timedelta(seconds=30)) -> HttpApi:
    return HttpApi("https://api.example", {}, limit=limit, transport=transport)


async def test_a_redirect_is_not_followed() -> None:
    played = answering(307, headers={"Location": "https://elsewhere.example/"})
    answer = await api(played).post("/send", {})
    with pytest.raises(NotTaken):
        is_taken(answer, refusing=())
    assert len(played.asked) == 1


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (httpx.ConnectError, NotTaken),
        (httpx.ConnectTimeout, NotTaken),
        (httpx.PoolTimeout, NotTaken),
        (httpx.ProxyError, NotTaken),
        (httpx.LocalProtocolError, NotTaken),
        (httpx.WriteError, Ambiguous),
        (httpx.WriteTimeout, Ambiguous),
        (httpx.ReadError, Ambiguous),
        (httpx.ReadTimeout, Ambiguous),
        (httpx.RemoteProtocolError, Ambiguous),
        (TimeoutError, Ambiguous),
    ],
)
async def test_what_breaks_once_it_was_asked_is_ambiguous(
    error: type[Exception], outcome: type[Exception]
) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise error("broke off")

    with pytest.raises(outcome):
        await api(Played(answer)).post("/send", {})


class Slow(httpx.AsyncByteStream):
    """A body that begins and never ends."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b'{"id": '
        await asyncio.Event().wait()


class Endless(httpx.AsyncByteStream):
    """A body that goes on for ever; `given` is how much of it was read."""

    given = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            self.given += 1024
            yield b"x" * 1024


async def test_a_body_that_never_ends_changes_nothing_about_its_status() -> None:
    played = Played(lambda request: httpx.Response(200, stream=Slow()))
    answer = await api(played, timedelta(milliseconds=100)).post("/send", {})
    assert (answer.status, answer.text, answer.whole) == (200, '{"id": ', False)
    assert is_taken(answer, refusing=())


async def test_no_more_of_an_answer_is_read_than_any_provider_says() -> None:
    body = Endless()
    answer = await api(Played(lambda request: httpx.Response(400, stream=body))).post("/send", {})
    assert not answer.whole
    assert len(answer.text) == 64 * 1024
    assert body.given < 100_000


async def test_a_body_that_can_not_be_unpacked_changes_nothing_about_its_status() -> None:
    bad = answering(200, headers={"Content-Encoding": "gzip"}, stream=httpx.ByteStream(b"no gzip"))
    assert is_taken(await api(bad).post("/send", {}), refusing=())


async def test_what_is_not_text_can_be_quoted() -> None:
    answer = await api(answering(400, content=b"\xff\xfe" * 500)).post("/send", {})
    assert answer.said.startswith("400 �")
    assert len(answer.said) <= 204
    assert answer.fields() == {}
