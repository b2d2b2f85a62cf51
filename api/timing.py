"""How long each request took, and what of the refused ones to count, around all routes.

Plain ASGI, and not Starlette's own base for middleware, which costs a task a request. The
one surprising fact: which route it was is known only afterwards, when the router has left
it in the scope.
"""

from collections.abc import Callable, Mapping, MutableMapping
from time import perf_counter
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.metrics import Metrics

# Where events come in; what is refused there is counted by its code.
INGEST_TAG = "Events in"

_NO_ROUTE = "unmatched"


class Timing:
    """The middleware. `clock` counts seconds."""

    def __init__(
        self, app: ASGIApp, metrics: Metrics, clock: Callable[[], float] = perf_counter
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = self._clock(), 500  # an error that nobody caught is answered so outside

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            self._metrics.requested(route_of(scope), status, self._clock() - began)


def route_of(scope: MutableMapping[str, Any]) -> str:
    """The template of the route that answered: `/v1/customers/{customer_id}`."""
    return getattr(scope.get("route"), "path", _NO_ROUTE)


def is_ingestion(scope: Mapping[str, Any]) -> bool:
    """Whether events come in by the route that answered."""
    return INGEST_TAG in getattr(scope.get("route"), "tags", ())
