"""What routes are given: the services, and who asks.

The one surprising fact: FastAPI reads a body before it asks any dependency, so whoever asks
is recognised outside of it, and nothing is parsed for a stranger.
"""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import Depends, Request, Response
from fastapi.routing import APIRoute

from api import auth
from api.auth import Scope
from api.services import Services
from store.tables import ApiKey


def services_of(request: Request) -> Services:
    """What `create_app` was given."""
    services = request.app.state.services
    assert isinstance(services, Services)
    return services


Given = Annotated[Services, Depends(services_of)]


class ManagersRoute(APIRoute):
    """A route for keys that may manage; the API's own, not for browsers' cookies."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, behind the key."""
        handler = super().get_route_handler()

        async def key_first(request: Request) -> Response:
            key = auth.key_in(request.headers)
            request.state.manager = await auth.recognise(services_of(request), key, Scope.MANAGE)
            return await handler(request)

        return key_first


async def _manager(request: Request) -> ApiKey:
    manager = request.state.manager
    assert isinstance(manager, ApiKey)
    return manager


# The key of whoever asks, on a ManagersRoute.
Manager = Annotated[ApiKey, Depends(_manager)]
