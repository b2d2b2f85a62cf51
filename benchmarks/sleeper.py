"""A worker process whose memory somebody else looks at: `sleeper KIND QUEUE RUNNER ADDRESS`.

It runs until it is terminated. Enrollments are started from outside, so that nothing but
the worker is in its memory.
"""

import asyncio
import sys
from contextlib import AbstractAsyncContextManager
from typing import Any

from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from benchmarks.contenders import lean, ours
from benchmarks.load import Contender
from benchmarks.runners import RUNNERS
from benchmarks.trial import real_trial


async def main(kind: str, queue: str, runner: str, address: str) -> None:
    """Run that worker."""
    client = await Client.connect(address, data_converter=pydantic_data_converter)
    async with _contender(kind, client, queue, RUNNERS[runner]):
        await asyncio.Event().wait()


def _contender(
    kind: str, client: Client, queue: str, settings: dict[str, Any]
) -> AbstractAsyncContextManager[Contender]:
    if kind == "lean":
        return lean(client, queue, **settings)
    return ours(client, real_trial(), queue, **settings)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
