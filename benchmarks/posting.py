"""Events on their way to an API in a process of its own, so many requests at a time."""

import asyncio
import json
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

IN_FLIGHT = 16


@contextmanager
def listening(url: str | None = None) -> Iterator[int]:
    """Our API on that store, or the empty one; yields its port."""
    with socket.create_server(("127.0.0.1", 0), backlog=IN_FLIGHT) as bound:
        command = [sys.executable, "-m", "benchmarks.listening", str(bound.fileno())]
        process = subprocess.Popen(
            command + ([url] if url is not None else []), pass_fds=[bound.fileno()]
        )
        try:
            yield bound.getsockname()[1]
        finally:
            process.terminate()
            process.wait()


async def post(port: int, key: str, requests: Sequence[Sequence[dict[str, Any]]]) -> None:
    """Send them over a few connections, each the next as soon as it is answered."""
    waiting = iter([_http(key, events) for events in requests])

    async def connection() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for request in waiting:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
            await reader.readexactly(length)
        writer.close()

    await asyncio.gather(*(connection() for _ in range(IN_FLIGHT)))


def _http(key: str, events: Sequence[dict[str, Any]]) -> bytes:
    path, told = ("batch", {"batch": events}) if len(events) > 1 else ("track", events[0])
    body = json.dumps(told).encode()
    head = (
        f"POST /v1/{path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
