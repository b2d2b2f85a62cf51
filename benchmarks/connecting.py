"""The client that the benchmarks use: with the worker's own converter."""

from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from benchmarks.servers import TemporalServer


async def connected(server: TemporalServer) -> Client:
    """A client of a benchmark's own server."""
    return await Client.connect(server.address, data_converter=pydantic_data_converter)
