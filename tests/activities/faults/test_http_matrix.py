"""Every HTTP provider against every fault: each outcome is the one that the docs say."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from activities.providers.outcome import NotTaken
from tests.activities.documented import outcomes
from tests.activities.faults.adapters import ADAPTERS, Adapter
from tests.activities.faults.http_stub import Fault, HttpStub, Reply
from tests.activities.faults.kinds import faults
from tests.activities.mails import outcome_of

# Silence has to be waited for; everything else may take as long as a busy machine needs.
SHORT, LONG = timedelta(milliseconds=150), timedelta(seconds=30)

by_adapter = pytest.mark.parametrize("adapter", ADAPTERS, ids=str)


@dataclass(frozen=True)
class Line:
    """A provider, one that has less patience, and the server that both talk to."""

    adapter: Adapter
    stub: HttpStub
    provider: Any
    hasty: Any

    async def outcome(self, fault: Fault) -> str:
        provider = self.hasty if fault.row == "no answer" else self.provider
        async with self.stub.failing(fault):
            return await outcome_of(provider, self.adapter.item)

    async def faults(self, every: int) -> list[Fault]:
        """With as many resets as this provider's request has 64 bytes."""
        assert await outcome_of(self.provider, self.adapter.item) == "accepted"
        return list(faults(self.adapter.success, self.stub.size, every))


@asynccontextmanager
async def line_to(adapter: Adapter) -> AsyncIterator[Line]:
    async with adapter.stub().opened() as stub:
        provider, hasty = (adapter.build(stub.url, limit) for limit in (LONG, SHORT))
        try:
            yield Line(adapter, stub, provider, hasty)
        finally:
            await provider.close()
            await hasty.close()


@by_adapter
@pytest.mark.parametrize("every", [10, pytest.param(1, marks=pytest.mark.long)])
async def test_every_fault_has_the_outcome_that_the_page_says(adapter: Adapter, every: int) -> None:
    page, wrong, seen = outcomes("Answers")[adapter.name], [], Counter[str]()
    async with line_to(adapter) as line:
        for fault in await line.faults(every):
            outcome = await line.outcome(fault)
            seen[fault.row] += 1
            if outcome != page[fault.row]:
                wrong.append(f"{fault}: {outcome}, not {page[fault.row]}")
            # Whatever the page says: what the provider has is not called unsent, nor the reverse.
            if outcome in (["not taken", "refused"] if fault.takes else ["accepted"]):
                wrong.append(f"{fault}: {outcome} is not true")
    assert wrong == []
    assert set(seen) == set(page)
    assert seen["reset in the request"] > line.stub.size // 64
    assert seen["any other 4xx"] == len([*range(400, 500, every)]) - (1 if every > 1 else 6)
    assert seen["any other 5xx"] == 2 * len([*range(500, 600, every)])


@pytest.mark.parametrize("adapter", ADAPTERS[:1], ids=str)
async def test_a_page_that_says_otherwise_is_found_out(adapter: Adapter) -> None:
    """The known-bad control: what one provider judges a mail by, and the others don't."""
    others = {outcomes("Answers")[other.name]["422"] for other in ADAPTERS[1:]}
    async with line_to(adapter) as line:
        assert await line.outcome(Fault("422", Reply(422))) not in others


def test_every_provider_has_its_column() -> None:
    assert list(outcomes("Answers")) == [adapter.name for adapter in ADAPTERS]


@by_adapter
async def test_how_long_to_wait_is_kept_to(adapter: Adapter) -> None:
    async with line_to(adapter) as line:
        for status in (429, 503):
            reply = Reply(status, headers={"Retry-After": "7"})
            async with line.stub.failing(Fault("", reply)):
                with pytest.raises(NotTaken) as trouble:
                    await line.provider.send(adapter.item)
            assert trouble.value.retry_after == timedelta(seconds=7)
