"""What routes are given: the services, and who asks."""

from typing import Annotated

from fastapi import Depends, Request

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


async def _manager(request: Request, services: Given) -> ApiKey:
    return await auth.recognise(services, auth.key_in(request.headers), Scope.MANAGE)


# A key that may manage; the API's own routes, not for browsers' cookies.
Manager = Annotated[ApiKey, Depends(_manager)]
