"""One request as bytes, straight into the application: what no HTTP client would let through.

The one surprising fact: a Content-Length is only a header here, so it may lie; and a body that
does not end is one whose sender has gone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp, Message


@dataclass(frozen=True)
class Shot:
    """A request. `path` is decoded, as a server hands it on; `is_cut`: the sender goes away."""

    path: str
    headers: tuple[tuple[bytes, bytes], ...]
    parts: tuple[bytes, ...]
    is_cut: bool = False
    method: str = "POST"


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    type: str
    body: bytes


async def ask(app: ASGIApp, shot: Shot) -> Answer:
    """The application's answer; what it raises is raised."""
    coming = _messages(shot)
    sent: list[Message] = []

    async def receive() -> Message:
        return next(coming, {"type": "http.disconnect"})

    async def send(message: Message) -> None:
        sent.append(message)

    await app(_scope(shot), receive, send)
    start, *parts = sent
    headers = dict(start["headers"])
    return Answer(
        status=start["status"],
        type=headers[b"content-type"].decode().partition(";")[0],
        body=b"".join(part["body"] for part in parts),
    )


def _messages(shot: Shot) -> Any:
    parts: Sequence[bytes] = shot.parts or (b"",)
    for part in parts[:-1]:
        yield {"type": "http.request", "body": part, "more_body": True}
    yield {"type": "http.request", "body": parts[-1], "more_body": shot.is_cut}


def _scope(shot: Shot) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": shot.method,
        "scheme": "http",
        "path": shot.path,
        "raw_path": shot.path.encode("utf-8", "surrogatepass"),
        "root_path": "",
        "query_string": b"",
        "headers": shot.headers,
        "client": ("192.0.2.1", 1),  # an address of RFC 5737
        "server": ("parcours.test", 80),
    }
