"""What routes are given: the services, and who asks."""

from typing import Annotated

from fastapi import Depends, Request

from api import auth
from api.keyring import KnownKey
from api.scopes import Scope
from api.services import Services


def services_of(request: Request) -> Services:
    """What `create_app` was given."""
    services = request.app.state.services
    assert isinstance(services, Services)
    return services


Given = Annotated[Services, Depends(services_of)]


async def _supporter(request: Request, services: Given) -> KnownKey:
    return await auth.recognise(services, auth.key_in(request.headers), Scope.SUPPORT)


async def _admin(request: Request, services: Given) -> KnownKey:
    return await auth.recognise(services, auth.key_in(request.headers), Scope.ADMIN)


# Who may look at customers and steer; the API's own routes, not for browsers' cookies.
Supporter = Annotated[KnownKey, Depends(_supporter)]

# Who may also do what can't be undone, or what concerns the whole installation.
Admin = Annotated[KnownKey, Depends(_admin)]
