"""The tests' own guard: nothing leaves this machine."""

import asyncio
import socket

import pytest

from tests.conftest import NetworkClosed

# TEST-NET-1 of RFC 5737: an address that is nobody's.
ELSEWHERE = "192.0.2.1"


def test_a_test_cannot_connect_elsewhere() -> None:
    with socket.socket() as client, pytest.raises(NetworkClosed):
        client.connect((ELSEWHERE, 80))


def test_a_test_cannot_look_up_a_name() -> None:
    with pytest.raises(NetworkClosed):
        socket.getaddrinfo("parcours.example.com", 443)


async def test_asyncio_cannot_connect_elsewhere() -> None:
    with pytest.raises(NetworkClosed):
        await asyncio.open_connection(ELSEWHERE, 80)


async def test_this_machine_stays_reachable() -> None:
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "localhost", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("localhost", port)
        assert await reader.read() == b""
        writer.close()
