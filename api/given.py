"""What routes are given: the services, and who asks.

The one surprising fact: FastAPI reads a body before it asks any dependency, so whoever asks
is recognised outside of it, and nothing is parsed for a stranger.
"""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any, ClassVar

from fastapi import Depends, Request, Response
from fastapi.routing import APIRoute

from api import auth
from api.keyring import KnownKey
from api.scopes import Scope
from api.services import Services


def services_of(request: Request) -> Services:
    """What `create_app` was given."""
    services = request.app.state.services
    assert isinstance(services, Services)
    return services


def ip_of(request: Request) -> str | None:
    """From where somebody asks; behind a proxy, as far as uvicorn was told to trust it."""
    return request.client.host if request.client is not None else None


Given = Annotated[Services, Depends(services_of)]


class _KeyRoute(APIRoute):
    """A route for keys with a scope; the API's own, not for browsers' cookies."""

    scope: ClassVar[Scope]

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, behind the key."""
        handler = super().get_route_handler()

        async def key_first(request: Request) -> Response:
            text = auth.key_in(request.headers)
            request.state.key = await auth.recognise(services_of(request), text, self.scope)
            return await handler(request)

        return key_first


class SupportRoute(_KeyRoute):
    """For keys that may look and steer."""

    scope = Scope.SUPPORT


class OffersRoute(_KeyRoute):
    """For keys that may look coupons up and use them: a shop's till needs no more."""

    scope = Scope.OFFERS


class BroadcastRoute(_KeyRoute):
    """For keys that may write to everybody at once."""

    scope = Scope.BROADCASTS


async def _supporter(request: Request) -> KnownKey:
    key = request.state.key
    assert isinstance(key, KnownKey)
    return key


async def _admin(request: Request) -> KnownKey:
    return auth.check_scope(await _supporter(request), Scope.ADMIN)


# The key of whoever asks, on one of these routes.
Supporter = Annotated[KnownKey, Depends(_supporter)]

# Who may also do what can't be undone, or what concerns the whole installation.
Admin = Annotated[KnownKey, Depends(_admin)]
