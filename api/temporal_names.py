"""The names that the API and Temporal share: search attributes, the signals, the Updates.

The one list of search attributes: the dev server is started with it, production's
namespace registers it, the dispatcher fills it in.
"""

from datetime import timedelta

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import (
    AddSearchAttributesRequest,
    ListSearchAttributesRequest,
)
from temporalio.client import Client
from temporalio.common import Priority, SearchAttributeKey

CUSTOMER_ID = SearchAttributeKey.for_keyword("CustomerId")  # the pseudonym
JOURNEY_VERSION = SearchAttributeKey.for_keyword("JourneyVersion")

SEARCH_ATTRIBUTES = (CUSTOMER_ID, JOURNEY_VERSION)

# Of journeys that are transactional: the same as their messages have (workflows/policies.py),
# which would ask first in vain if their workflows woke up last.
FIRST = Priority(priority_key=2)

EVENT_SIGNAL = "event"
RETRY_SIGNAL = "retry"
PAUSE = "pause"
RESUME = "resume"
SKIP = "skip"
SEND_NOW = "send_now"


async def register_search_attributes(client: Client, rpc_timeout: timedelta) -> None:
    """Make the namespace know them all; those it knows are left alone."""
    listed = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=client.namespace), timeout=rpc_timeout
    )
    missing = {
        key.name: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD
        for key in SEARCH_ATTRIBUTES
        if key.name not in listed.custom_attributes
    }
    if missing:
        await client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(namespace=client.namespace, search_attributes=missing),
            timeout=rpc_timeout,
        )
