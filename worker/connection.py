"""The connection to Temporal, the same for every process: address, namespace, converter."""

from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.service import RPCError

from settings import Settings


class TemporalUnreachableError(Exception):
    """Nobody answers at the address; the text is for the operator."""


async def connect(settings: Settings, *, lazy: bool = False) -> Client:
    """A client; `lazy` ones connect at their first call, for an API that starts without Temporal.

    Raises TemporalUnreachableError.
    """
    try:
        return await Client.connect(
            settings.temporal_address,
            namespace=settings.temporal_namespace,
            data_converter=pydantic_data_converter,
            lazy=lazy,
        )
    except (RuntimeError, RPCError) as error:
        raise TemporalUnreachableError(
            f"no Temporal server answers at {settings.temporal_address} "
            f"(PARCOURS_TEMPORAL_ADDRESS): {error}"
        ) from error
