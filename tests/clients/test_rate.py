"""A client that sends more than its key may is told to wait, waits, and loses nothing."""

import asyncio

from segment.analytics.client import Client

from tests.api.given import make_key
from tests.clients.serving import WRITE, Serving


async def test_the_sdk_waits_as_long_as_it_is_told_and_loses_nothing(api: Serving) -> None:
    services = api.services
    text = await make_key(services.database, WRITE, rate=1)
    key = await services.keyring.find(text, services.wall())
    assert key is not None
    services.limits.take(key, 12, services.wall())  # 2 in debt: 3 seconds until the next
    errors: list[object] = []

    def send() -> None:
        sdk = Client(text, host=api.host, on_error=lambda error, _: errors.append(error))
        sdk.track("c1", "app_opened")
        sdk.flush()
        sdk.shutdown()

    await asyncio.to_thread(send)
    assert errors == []
    assert len(api.counted.requests) == 2
    assert [each.name for each in await api.events()] == ["app_opened"]
