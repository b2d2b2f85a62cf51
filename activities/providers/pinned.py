"""Where a webhook may lead: the name is resolved once, and the address that was looked at is
the one that is called.

Decides which addresses are nobody's app. The surprising fact: looking at an address and then
calling the name is no check, since the name may lead elsewhere a moment later; so the
connection is made to the address, and only TLS and `Host` still say the name.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

import httpx

from activities.providers.outcome import NotTaken

# (host, port) → its addresses, as text. Raises OSError.
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

_Address = IPv4Address | IPv6Address

# What clouds tell their machines about themselves; the others' are link-local or private.
_METADATA = frozenset({ip_address("168.63.129.16"), ip_address("100.100.100.200")})
_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052: an IPv4 address in the last 32 bits


async def resolve(host: str, port: int) -> Sequence[str]:
    """By the system, as everybody else does."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(sockaddr[0]) for *_, sockaddr in found]


class PinnedTransport(httpx.AsyncBaseTransport):
    """Calls the first address of a name, if all of its addresses may be called."""

    def __init__(
        self,
        *,
        allow_private: bool,
        resolving: Resolve = resolve,
        inner: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._allow_private = allow_private
        self._resolve = resolving
        # No connection is kept: one to an address would serve another name at that address.
        limits = httpx.Limits(max_keepalive_connections=0)
        self._inner = inner or httpx.AsyncHTTPTransport(trust_env=False, limits=limits)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Raises NotTaken for an address that is not called, and what httpx raises."""
        url = request.url
        addresses = await self._addresses(url)
        if url.scheme != "https" and not all(_seen(each).is_loopback for each in addresses):
            raise NotTaken("the webhook's address is not https", str(url.host))
        for each in addresses:
            if not _may_be_called(each, allow_private=self._allow_private):
                raise NotTaken("the webhook's name leads to an address that is not called")
        pinned = httpx.Request(
            request.method,
            url.copy_with(host=str(addresses[0])),
            headers=request.headers,  # `Host` is among them, and says the name
            stream=request.stream,
            extensions={**request.extensions, "sni_hostname": url.host},
        )
        return await self._inner.handle_async_request(pinned)

    async def aclose(self) -> None:
        """Let go of the connections."""
        await self._inner.aclose()

    async def _addresses(self, url: httpx.URL) -> list[_Address]:
        port = url.port or (443 if url.scheme == "https" else 80)
        try:
            found = await self._resolve(url.host, port)
            # Without the zone of a link-local one, which is not called anyway.
            addresses = [ip_address(each.partition("%")[0]) for each in found]
        except (OSError, ValueError) as error:
            raise httpx.ConnectError(f"{type(error).__name__} while resolving") from None
        if not addresses:
            raise httpx.ConnectError("the name has no address")
        return addresses


def _seen(address: _Address) -> _Address:
    """The IPv4 address that an IPv6 one leads to, where it does."""
    if isinstance(address, IPv6Address):
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFFFFFF)
        return address.ipv4_mapped or address.sixtofour or address
    return address


def _may_be_called(address: _Address, *, allow_private: bool) -> bool:
    """Link-local ones and those of metadata services never are: no app is there."""
    seen = _seen(address)
    if seen in _METADATA or seen.is_link_local or seen.is_multicast or seen.is_unspecified:
        return False
    return seen.is_global or (allow_private and (seen.is_private or seen.is_loopback))
