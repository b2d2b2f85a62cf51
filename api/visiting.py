"""Who looks at a page: a browser that shows a key once, `?key=…`, and is then known by a cookie.

A key in the header opens pages too, for programs. The cookie opens nothing else.
"""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import Depends, Request, Response
from fastapi.responses import RedirectResponse

from api import auth
from api.given import services_of
from api.keyring import KnownKey
from api.scopes import Scope
from api.services import Services


class KeyShownError(Exception):
    """The browser showed a valid key in the address; it is sent on without it."""

    def __init__(self, response: Response) -> None:
        super().__init__("a key was shown")
        self.response = response


async def _visitor(request: Request) -> KnownKey:
    """Who looks. Raises KeyShownError, or what `auth` raises."""
    services = services_of(request)
    shown = request.query_params.get("key")
    if shown is not None:
        known = await auth.recognise(services, shown, Scope.SUPPORT)
        raise KeyShownError(_remembered(request, services, known))
    if (key := auth.key_in(request.headers)) is not None:
        return await auth.recognise(services, key, Scope.SUPPORT)
    return await auth.recognise_browser(services, request.cookies.get(auth.COOKIE))


def _remembered(request: Request, services: Services, key: KnownKey) -> Response:
    # Relative, so that a proxy's host and prefix stay; without the key, so that it is in no
    # history but this once.
    rest = urlencode([pair for pair in request.query_params.multi_items() if pair[0] != "key"])
    path = "/" + request.url.path.lstrip("/")  # `//elsewhere` would be another host
    response = RedirectResponse(f"{path}?{rest}" if rest else path, 303)
    response.set_cookie(
        auth.COOKIE,
        auth.cookie_for(services, key),
        max_age=int(auth.SESSION.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=services.settings.public_url.startswith("https://"),
    )
    return response


Visitor = Annotated[KnownKey, Depends(_visitor)]
