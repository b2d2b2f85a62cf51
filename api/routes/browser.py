"""What a browser needs of events in: analytics.js's short paths, its settings, and CORS.

Decides which answers a page of another origin may read: those of the paths that a browser
sends events to, refusals included, and no others. Knows no key. A browser's key is public,
so nothing here lets it do more than the long paths do. The one surprising fact: Starlette
answers a bug outside of all middleware, so that answer asks for `cross_origin_headers`.
"""

from typing import Any

from fastapi import APIRouter, Response
from fastapi.routing import APIRoute
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from api.given import Given
from api.routes import ingest
from settings import Settings

router = APIRouter(tags=["Events in"], prefix="/v1")

# analytics.js posts each call to the first letter of its type, and batches to `b`. A page
# has no history to import, so `import` has no letter and stays closed to browsers.
SHORT = {
    "identify": "i",
    "track": "t",
    "page": "p",
    "screen": "s",
    "group": "g",
    "alias": "a",
    "batch": "b",
}
_METRICS = "/v1/m"
_SETTINGS = ("/v1/projects/", "/settings")
_OPEN_PATHS = {f"/v1/{name}" for pair in SHORT.items() for name in pair} | {_METRICS}

# analytics.js says how often it has tried before, in a header of its own: a retry whose
# preflight is refused never comes.
_HEADERS = ("authorization", "content-type", "x-retry-count")

_PREFLIGHT_S = 7_200  # Chrome remembers a preflight no longer

# How long a browser keeps the settings: they change when the API moves to another address.
_SETTINGS_S = 300

_ANY_ORIGIN = {"Access-Control-Allow-Origin": "*"}


@router.get("/projects/{key}/settings")
async def settings(key: str, services: Given, response: Response) -> dict[str, Any]:
    """What analytics.js asks for before it sends anything: where to, and as whom.

    The key is not looked up: a page then loads while the store is away and keeps its events
    until it is back. A wrong one is told at the first event.
    """
    response.headers["Cache-Control"] = f"public, max-age={_SETTINGS_S}"
    return {
        "integrations": {"Segment.io": {"apiKey": key, **_address(services.settings)}},
        "plan": {kind: {"__default": {"enabled": True}} for kind in ("track", "identify", "group")},
        "metrics": {"sampleRate": 0},
    }


@router.post("/m", include_in_schema=False)
async def metrics() -> dict[str, bool]:
    """What analytics.js counts about itself, if a page makes it; nobody here asks for it."""
    return {"success": True}


for _route in ingest.router.routes:
    if isinstance(_route, APIRoute) and _route.path == f"/v1/{_route.name}":
        _short = SHORT.get(_route.name)
        if _short is not None:
            router.add_api_route(
                f"/{_short}", _route.endpoint, methods=["POST"], include_in_schema=False
            )


class OpenToBrowsers:
    """Lets pages of any origin read the answers of `SHORT`'s paths and of the settings.

    Never with credentials: the cookie of our own pages is of no use here, and a key travels
    in a header or in the body.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._closed = app
        self._open = CORSMiddleware(
            app,
            allow_origins=["*"],
            allow_methods=["GET", "POST"],
            allow_headers=_HEADERS,
            expose_headers=["Retry-After"],
            max_age=_PREFLIGHT_S,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_open = scope["type"] == "http" and _is_open(scope["path"])
        await (self._open if is_open else self._closed)(scope, receive, send)


def cross_origin_headers(path: str) -> dict[str, str]:
    """The headers of an answer on that path which no middleware sees."""
    return _ANY_ORIGIN if _is_open(path) else {}


def _is_open(path: str) -> bool:
    before, after = _SETTINGS
    is_settings = path.startswith(before) and path.endswith(after)
    return is_settings or path.rstrip("/") in _OPEN_PATHS


def _address(settings: Settings) -> dict[str, str]:
    """Where the events go, as analytics.js takes it: host and path, and apart the protocol."""
    protocol, _, host = settings.public_url.rstrip("/").partition("://")
    return {"apiHost": f"{host}/v1", "protocol": protocol}
