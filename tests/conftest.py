"""What holds for every test: the pinned time zones, a closed network, no settings from outside.

It may know nothing of any room. The one surprising fact: the network is closed by an audit
hook, which sees every connection Python code makes, on any event loop but uvloop's, and
cannot be taken off again.
"""

import os
import sys
import zoneinfo
from ipaddress import ip_address

import pytest

# Zones come from the tzdata package, in this process and in those that tests start. A pytest
# plugin may have imported zoneinfo already, hence both lines.
os.environ["PYTHONTZPATH"] = ""
zoneinfo.reset_tzpath(to=())

_LOCAL_NAMES = frozenset({"", "localhost", "0.0.0.0", "::"})
_CONNECTING = frozenset({"socket.connect", "socket.sendto"})


class NetworkClosed(BaseException):
    """A test tried to leave this machine.

    Not an `Exception`, because code under test treats those as a provider's trouble and
    retries, which would hide the mistake.
    """


def _is_local(host: object) -> bool:
    if not isinstance(host, str | bytes):
        return host is None
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else host
    if name in _LOCAL_NAMES:
        return True
    try:
        return ip_address(name.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _close_network(event: str, args: tuple[object, ...]) -> None:
    if event in _CONNECTING:
        address = args[1]
        # A Unix socket's address is a path, not a (host, port, …) tuple.
        host = address[0] if isinstance(address, tuple) and address else None
    elif event == "socket.getaddrinfo":
        host = args[0]
    else:
        return
    if not _is_local(host):
        raise NetworkClosed(f"tests may talk to this machine only, not to {host!r}")


sys.addaudithook(_close_network)


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own PARCOURS_ variables must not decide whether a test passes."""
    for name in [name for name in os.environ if name.startswith("PARCOURS_")]:
        monkeypatch.delenv(name)
