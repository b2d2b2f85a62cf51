"""A server of ours on this machine that can go away and come back, and close with a reset."""

import asyncio
import contextlib
import socket
import struct
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Self


class ResetError(Exception):
    """Close at once, with a reset: SO_LINGER 0, since a plain close lets the client read on."""


class SilentError(Exception):
    """Say nothing more, and keep the connection."""


@dataclass
class Listening(ABC):
    """Whoever connects is served by `serve`. It lasts until `close`, at one port."""

    port: int = 0
    _server: asyncio.Server | None = None
    _serving: set[asyncio.Task[None]] = field(default_factory=set)
    _gone: asyncio.Event = field(default_factory=asyncio.Event)

    @abstractmethod
    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Talk to one client. May raise ResetError or SilentError."""

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Self]:
        """Listen meanwhile."""
        await self.open()
        try:
            yield self
        finally:
            await self.close()

    async def open(self) -> None:
        """Listen, at the same port as before if there was one."""
        self._gone.clear()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening, so that connections are refused, and end those that there are."""
        assert self._server is not None
        self._server.close()
        self._gone.set()
        await asyncio.gather(*self._serving)
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await self.serve(reader, writer)
                await writer.drain()
        except ResetError:
            connection = writer.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        except SilentError:
            await self._gone.wait()
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
            self._serving.discard(task)
