"""A provider with the server it talks to, as deliver meets it: by HTTP or by SMTP.

It is what the tests with a store share; the matrices need no more than the stubs.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from activities.providers.smtp import SmtpProvider, SmtpServer
from tests.activities.faults.adapters import MAILERS, Adapter
from tests.activities.faults.http_stub import HttpStub
from tests.activities.faults.kinds import faults
from tests.activities.faults.smtp_stub import STAGES, SmtpFault, SmtpStub
from tests.activities.mails import outcome_of

# Silence has to be waited for; everything else may take as long as a busy machine needs.
SHORT, LONG = timedelta(milliseconds=150), timedelta(seconds=30)

# What SMTP is told without a credential or TLS.
_UNASKED = ("STARTTLS", "the log-in")


@dataclass(frozen=True)
class Carrier:
    """`faults`: every way in which `stub` can fail. `hasty` is `provider` with less patience."""

    provider: Any
    hasty: Any
    stub: Any
    faults: Sequence[Any]

    def facing(self, fault: Any) -> Any:
        silent = "no answer" in str(fault) or "no reply" in str(fault)
        return self.hasty if silent else self.provider


async def _over_http(adapter: Adapter, stub: HttpStub) -> Carrier:
    provider, hasty = (adapter.build(stub.url, limit) for limit in (LONG, SHORT))
    assert await outcome_of(provider) == "accepted"  # which tells the size
    stub.forget()
    return Carrier(provider, hasty, stub, list(faults(adapter.success, stub.size)))


async def _over_smtp(stub: SmtpStub) -> Carrier:
    server = SmtpServer("127.0.0.1", stub.port)
    provider, hasty = (SmtpProvider(server, limit=limit) for limit in (LONG, SHORT))
    assert await outcome_of(provider) == "accepted"
    says = ("421 busy", "451 later", "500 what", "550 never", "reset", "no reply")
    at_stages = [
        SmtpFault(stage, what, takes=takes)
        for stage in STAGES
        if stage not in _UNASKED
        for what in says
        for takes in ((False, True) if stage == "the mail" and what in says[-2:] else (False,))
    ]
    cut = [SmtpFault(of_request=number) for number in range(0, stub.size, 64)]
    stub.readers.clear()
    return Carrier(provider, hasty, stub, [SmtpFault(is_away=True), *at_stages, *cut])


Opened = AbstractAsyncContextManager[Carrier]


def _http(adapter: Adapter) -> Callable[[], Opened]:
    @asynccontextmanager
    async def opened() -> AsyncIterator[Carrier]:
        async with adapter.stub().opened() as stub:
            carrier = await _over_http(adapter, stub)
            try:
                yield carrier
            finally:
                await carrier.provider.close()
                await carrier.hasty.close()

    return opened


@asynccontextmanager
async def _smtp() -> AsyncIterator[Carrier]:
    async with SmtpStub().opened() as stub:
        yield await _over_smtp(stub)


CARRIERS: dict[str, Callable[[], Opened]] = {
    **{adapter.name: _http(adapter) for adapter in MAILERS},
    "smtp": _smtp,
}
