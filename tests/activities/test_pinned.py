"""Which addresses a webhook may lead to, and that the one looked at is the one called."""

from collections.abc import Sequence

import httpx
import pytest

from activities.providers.outcome import NotTaken
from activities.providers.pinned import PinnedTransport

PUBLIC = "93.184.215.14"


class Network:
    """Names and where they lead; keeps what was connected to."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = list(answers)
        self.called: list[httpx.Request] = []

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if not answer:
            raise OSError("no such name")
        return answer

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.called.append(request)
        return httpx.Response(200)

    def client(self, *, allow_private: bool = False) -> httpx.AsyncClient:
        inner = httpx.MockTransport(self.answer)
        pinned = PinnedTransport(allow_private=allow_private, resolving=self.resolve, inner=inner)
        return httpx.AsyncClient(transport=pinned)


async def is_called(*addresses: str, private: bool = False, scheme: str = "https") -> bool:
    network = Network(addresses)
    try:
        await network.client(allow_private=private).post(f"{scheme}://crm.example/hook")
    except NotTaken:
        assert network.called == []
        return False
    return True


@pytest.mark.parametrize("address", [PUBLIC, "2606:2800:21f:cb07:6820:80da:af6b:8b2c"])
async def test_public_addresses_are_called(address: str) -> None:
    assert await is_called(address)


@pytest.mark.parametrize(
    "address",
    [
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "127.0.0.1",
        "127.1.2.3",
        "::1",
        "fd12:3456::1",
        "::ffff:10.1.2.3",
        "::ffff:127.0.0.1",
        "2002:0a01:0203::1",
        "64:ff9b::10.1.2.3",
        "198.18.0.1",
        "240.0.0.1",
        "255.255.255.255",
    ],
)
async def test_private_addresses_are_not_called(address: str) -> None:
    assert not await is_called(address)


@pytest.mark.parametrize("address", ["10.1.2.3", "192.168.1.1", "127.0.0.1", "::1", "fd12::1"])
async def test_private_addresses_are_called_where_that_is_allowed(address: str) -> None:
    assert await is_called(address, private=True)


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "::ffff:169.254.169.254",
        "64:ff9b::169.254.169.254",
        "fe80::1%eth0",
        "168.63.129.16",
        "100.100.100.200",
        "224.0.0.1",
        "ff02::1",
        "0.0.0.0",
        "::",
    ],
)
async def test_metadata_services_are_never_called(address: str) -> None:
    assert not await is_called(address)
    assert not await is_called(address, private=True)


async def test_one_private_address_among_public_ones_is_enough_to_refuse() -> None:
    assert not await is_called(PUBLIC, "10.1.2.3")


async def test_a_name_that_leads_elsewhere_a_moment_later_is_called_where_it_led_first() -> None:
    network = Network([PUBLIC], ["127.0.0.1"])
    await network.client().post("https://crm.example:8443/hook?a=1", content=b"x")
    [request] = network.called
    assert str(request.url) == f"https://{PUBLIC}:8443/hook?a=1"
    assert request.headers["Host"] == "crm.example:8443"
    assert request.extensions["sni_hostname"] == "crm.example"


@pytest.mark.parametrize(
    ("address", "expected"),
    [(PUBLIC, False), ("10.1.2.3", False), ("127.0.0.1", True), ("::1", True)],
)
async def test_without_tls_only_this_machine_is_called(address: str, expected: bool) -> None:
    assert await is_called(address, private=True, scheme="http") is expected


@pytest.mark.parametrize("answer", [(), ("not an address",)])
async def test_a_name_that_leads_nowhere_is_no_connection(answer: tuple[str, ...]) -> None:
    with pytest.raises(httpx.ConnectError):
        await Network(answer).client().post("https://crm.example/hook")


async def test_what_is_not_called_is_not_told_by_its_address() -> None:
    with pytest.raises(NotTaken) as trouble:
        await Network(["10.1.2.3"]).client().post("https://crm.example/hook")
    assert "10.1.2.3" not in str(trouble.value)
