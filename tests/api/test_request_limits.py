"""How much of a request is read, for how long, and what becomes of the rest."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from starlette.types import Message, Receive, Scope, Send

from api.app import create_app
from api.request_limits import MOST_BYTES, BodyTooLargeError, BodyTooSlowError, RequestLimits
from api.services import Services
from tests.api.given import kept_events

AT = "/v1/track"


async def read_whole(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that reads its body, and answers with its size."""
    size, is_more = 0, True
    while is_more:
        message = await receive()
        size += len(message.get("body", b""))
        is_more = message.get("more_body", False)
    await answer_at_once(scope, receive, send, str(size).encode())


async def answer_at_once(scope: Scope, receive: Receive, send: Send, body: bytes = b"no") -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


def request(**headers: str) -> dict[str, Any]:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http", "headers": raw}


class Sender:
    """Sends those parts, then nothing more; keeps what it is answered."""

    def __init__(self, *parts: bytes, ends: bool = False) -> None:
        self.left = [
            {"type": "http.request", "body": part, "more_body": not ends or place < len(parts) - 1}
            for place, part in enumerate(parts)
        ]
        self.told: list[Message] = []

    async def receive(self) -> Message:
        if not self.left:
            await asyncio.Event().wait()
        return self.left.pop(0)

    async def send(self, message: Message) -> None:
        self.told.append(message)


async def parts_of(body: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(body), 65_536):
        yield body[at : at + 65_536]


@pytest.mark.parametrize("path", [AT, "/v1/batch", "/v1/journeys/trial/enroll", "/u/x"])
async def test_a_body_that_is_too_large_is_refused_however_it_comes(
    client: httpx.AsyncClient, services: Services, path: str
) -> None:
    body = b'{"userId": "c1"}' + b" " * MOST_BYTES
    for content in (body, parts_of(body)):
        answer = await client.post(path, content=content, headers={"Content-Type": "text/plain"})
        if path == "/u/x":  # refused for its token, without a look at the body
            assert answer.status_code == 404
        else:
            assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
        assert answer.headers.get("connection") in {None, "close"}
    assert await kept_events(services.database) == []


async def test_a_body_that_does_not_come_is_given_up() -> None:
    sender = Sender(b"half")
    limited = RequestLimits(read_whole, patience=timedelta(milliseconds=20))
    with pytest.raises(BodyTooSlowError) as raised:
        await limited(request(content_length="9"), sender.receive, sender.send)
    assert raised.value.status_code == 408


async def test_who_is_answered_early_has_the_answer_before_the_rest_is_waited_for() -> None:
    sender = Sender(b"half")
    limited = RequestLimits(answer_at_once, patience=timedelta(milliseconds=20))
    await limited(request(content_length="9"), sender.receive, sender.send)
    start, answer, end = sender.told
    assert (b"connection", b"close") in start["headers"]
    assert (answer["body"], answer["more_body"]) == (b"no", True)
    assert (end["body"], end["more_body"]) == (b"", False)


async def test_the_rest_of_a_body_is_read_to_its_end_and_no_further_than_a_limit() -> None:
    limited = RequestLimits(answer_at_once)
    short = Sender(*[b"x" * 65_536] * 3, ends=True)
    await limited(request(transfer_encoding="chunked"), short.receive, short.send)
    assert not short.left
    assert (b"connection", b"close") not in short.told[0]["headers"]
    endless = Sender(*[b"x" * 65_536] * 1000)
    await limited(request(transfer_encoding="chunked"), endless.receive, endless.send)
    assert endless.left
    assert (b"connection", b"close") in endless.told[0]["headers"]


@pytest.mark.parametrize("length", ["-1", "abc", "", "²"])
async def test_a_length_that_is_none_says_nothing(length: str) -> None:
    sender = Sender(b"ab", b"c", ends=True)
    scope = {"type": "http", "headers": [(b"content-length", length.encode("latin-1"))]}
    await RequestLimits(read_whole)(
        {**scope, "headers": [*scope["headers"], (b"transfer-encoding", b"chunked")]},
        sender.receive,
        sender.send,
    )
    assert sender.told[-1]["body"] == b"3"


async def test_a_length_beyond_all_numbers_is_too_large() -> None:
    sender = Sender(b"ab", ends=True)
    with pytest.raises(BodyTooLargeError):
        await RequestLimits(read_whole)(
            request(content_length="9" * 5000), sender.receive, sender.send
        )


async def test_whoever_goes_away_in_the_middle_has_sent_nothing(
    services: Services, key: str
) -> None:
    sender = Sender(json.dumps({"userId": "c1", "event": "e"}).encode())
    sender.left.append({"type": "http.disconnect"})
    scope = {
        **request(authorization=f"Bearer {key}", transfer_encoding="chunked"),
        "method": "POST",
        "path": AT,
        "query_string": b"",
        "root_path": "",
    }
    await create_app(services)(scope, sender.receive, sender.send)
    assert sender.told[0]["status"] == 400
    assert await kept_events(services.database) == []
