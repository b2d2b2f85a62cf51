"""The API as a process of its own, and how much memory it takes (Linux only)."""

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

from tests.api.given import SECRET
from tests.cli.running import environment
from tests.lint.checkout import ROOT
from tests.temporal import free_port

# A start takes two seconds, and the machine may be busy.
_START_S = 60.0


@dataclass(frozen=True)
class Memory:
    """In MB. `peak` is the most since it was asked last."""

    now: float
    peak: float


@dataclass(frozen=True)
class Served:
    """A running API."""

    port: int
    pid: int

    def memory(self) -> Memory:
        """What it holds, and held at most since this was asked last."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        found = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
        now, peak = (int(found[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM"))
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")  # proc(5): forgets the peak
        return Memory(now, peak)

    async def post(
        self, path: str, body: bytes | AsyncIterable[bytes], key: str | None, *more: str
    ) -> tuple[int, str]:
        """The status and the code of the answer; `more` are header lines.

        The answer is waited for while the body is still being sent.
        """
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        lines = [f"POST {path} HTTP/1.1", "Host: parcours.test", *more]
        if key is not None:
            lines.append(f"Authorization: Bearer {key}")
        is_announced = any(line.startswith("Content-Length") for line in more)
        if not isinstance(body, bytes):
            lines.append("Transfer-Encoding: chunked")
        elif not is_announced:
            lines.append(f"Content-Length: {len(body)}")
        writer.write("\r\n".join([*lines, "", ""]).encode())
        sending = asyncio.create_task(_send(writer, body))
        try:
            return await _answer(reader)
        finally:
            sending.cancel()
            await asyncio.wait([sending])
            writer.close()
            with contextlib.suppress(ConnectionError):  # closed on the other side, data unread
                await writer.wait_closed()


async def _send(writer: asyncio.StreamWriter, body: bytes | AsyncIterable[bytes]) -> None:
    try:
        if isinstance(body, bytes):
            writer.write(body)
            await writer.drain()
            return
        async for part in body:
            writer.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
            await writer.drain()
    except ConnectionError:
        pass  # it has heard enough; what it answered is read elsewhere


async def _answer(reader: asyncio.StreamReader) -> tuple[int, str]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
    told = json.loads(await reader.readexactly(length))
    return int(head.split()[1]), told.get("code", "")


@contextmanager
def served(database_url: str, log: Path) -> Iterator[Served]:
    """`parcours api` over a migrated store, with no Temporal to be found; stopped at the end."""
    port = free_port()
    settings = environment(
        PARCOURS_DATABASE_URL=database_url,
        PARCOURS_SECRET_KEY=SECRET,
        PARCOURS_API_PORT=str(port),
        PARCOURS_TEMPORAL_ADDRESS=f"127.0.0.1:{free_port()}",
    )
    with log.open("wb") as told:
        process = subprocess.Popen(
            [sys.executable, "-m", "cli", "api"], cwd=ROOT, env=settings, stdout=told, stderr=told
        )
        try:
            _await(port, process, log)
            yield Served(port, process.pid)
        finally:
            process.terminate()
            process.wait(timeout=_START_S)


def _await(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    give_up_at = time.monotonic() + _START_S
    while time.monotonic() < give_up_at:
        assert process.poll() is None, log.read_text()
        connection = HTTPConnection("127.0.0.1", port)
        try:
            connection.request("GET", "/healthz")
            assert connection.getresponse().status == 200
            return
        except ConnectionRefusedError:
            time.sleep(0.05)
        finally:
            connection.close()
    raise AssertionError(f"the API did not start: {log.read_text()}")
