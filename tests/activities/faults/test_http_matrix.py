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
from tests.activities.faults.adapters import ADAPTERS, RESEND, SENDGRID, Adapter
from tests.activities.faults.http_stub import Fault, HttpStub, Reply
from tests.activities.faults.kinds import faults
from tests.activities.mails import outcome_of

# Silence has to be waited for, longer only where the machine is too busy for the question to
# arrive in time; everything else may take as long as it needs.
PATIENCE = [timedelta(milliseconds=milliseconds) for milliseconds in (150, 1_000, 10_000)]
LONG = timedelta(seconds=30)

by_adapter = pytest.mark.parametrize("adapter", ADAPTERS, ids=str)


@dataclass(frozen=True)
class Line:
    """A provider, the server that it talks to, and what it hands over."""

    adapter: Adapter
    stub: HttpStub
    provider: Any
    item: Any

    async def outcome(self, fault: Fault) -> str:
        async with self.stub.failing(fault):
            if fault.row == "no answer":
                return await self._outcome_of_silence()
            return await outcome_of(self.provider, self.item)

    async def _outcome_of_silence(self) -> str:
        before = len(self.stub.asked)
        for limit in PATIENCE:
            hasty = self.adapter.build(self.stub.url, limit)
            outcome = await outcome_of(hasty, self.item)
            await hasty.close()
            if len(self.stub.asked) > before:
                return outcome
        raise AssertionError("the question never arrived")

    async def faults(self, every: int) -> list[Fault]:
        """With as many resets as this provider's request has 64 bytes."""
        assert await outcome_of(self.provider, self.item) == "accepted"
        return list(faults(self.adapter.success, self.stub.size, every))


@asynccontextmanager
async def line_to(adapter: Adapter) -> AsyncIterator[Line]:
    async with adapter.stub().opened() as stub:
        provider = adapter.build(stub.url, LONG)
        try:
            yield Line(adapter, stub, provider, adapter.item(stub.url))
        finally:
            await provider.close()


@by_adapter
@pytest.mark.parametrize("every", [10, pytest.param(1, marks=pytest.mark.wide)])
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
    assert seen["any other 4xx"] == len([*range(400, 500, every)]) - (2 if every > 1 else 7)
    assert seen["any other 5xx"] == 2 * len([*range(500, 600, every)])


async def test_a_page_that_says_otherwise_is_found_out() -> None:
    """The known-bad control: what one provider judges a mail by, and another does not."""
    async with line_to(RESEND) as line:
        outcome = await line.outcome(Fault("422", Reply(422)))
    assert outcome != outcomes("Answers")[SENDGRID.name]["422"]


def test_every_provider_has_its_column() -> None:
    assert list(outcomes("Answers")) == [adapter.name for adapter in ADAPTERS]


@by_adapter
async def test_how_long_to_wait_is_kept_to(adapter: Adapter) -> None:
    async with line_to(adapter) as line:
        for status in (429, 503):
            reply = Reply(status, headers={"Retry-After": "7"})
            async with line.stub.failing(Fault("", reply)):
                with pytest.raises(NotTaken) as trouble:
                    await line.provider.send(line.item)
            assert trouble.value.retry_after == timedelta(seconds=7)
