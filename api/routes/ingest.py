"""Events in: the Segment HTTP API, so that an app uses the SDK it already has.

Answers exactly `200 {"success": true}`, after the durable write; with anything else some
SDK tries again for ever. The one surprising fact: a batch is answered so even when some of
its events were refused, for a bad event must not make the SDK send the good ones again;
only a batch of nothing but refused events is refused, which shows a broken setup at once.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import structlog
from fastapi import APIRouter, Request

from api import auth, schemas
from api.accept import accept
from api.auth import Scope
from api.bodies import json_object
from api.errors import BadRequestError, TooLargeError
from api.given import Given
from api.services import Services
from engine.calls import Call
from engine.segment import Refused, parse_call

router = APIRouter(tags=["Events in"], prefix="/v1")

_log = structlog.get_logger("parcours.ingest")

# Segment's limit; its SDKs send a hundred at most.
_MOST_EVENTS = 2_500

_SUCCESS = {"success": True}


async def identify(request: Request, services: Given) -> dict[str, bool]:
    """Traits of a customer. A trait that is null is cleared, those not named stay."""
    return await _one(request, services, "identify")


async def track(request: Request, services: Given) -> dict[str, bool]:
    """Something a customer did. A name with a dot in it is refused: those are ours."""
    return await _one(request, services, "track")


async def page(request: Request, services: Given) -> dict[str, bool]:
    """A page a customer saw; for journeys an event called `page`, its name a property."""
    return await _one(request, services, "page")


async def screen(request: Request, services: Given) -> dict[str, bool]:
    """A screen a customer saw; for journeys an event called `screen`, its name a property."""
    return await _one(request, services, "screen")


async def batch(request: Request, services: Given) -> dict[str, bool]:
    """Up to 2,500 calls, each with its `type`."""
    body = await _authenticated(request, services)
    raws = body.get("batch")
    if not isinstance(raws, list):
        raise BadRequestError("`batch` must be a list of calls", code="invalid_batch")
    if len(raws) > _MOST_EVENTS:
        raise TooLargeError(f"a batch holds at most {_MOST_EVENTS} calls, not {len(raws)}")
    received_at = services.now()
    calls, refused = _read(raws, received_at, body.get("sentAt"))
    for each in refused:
        _log.warning("refused an event of a batch", code=each.code, message=each.message)
    if refused and not calls:
        raise BadRequestError(refused[0].message, code=refused[0].code)
    await accept(services, calls, received_at)
    return _SUCCESS


for _handler, _example in (
    (identify, schemas.IDENTIFY),
    (track, schemas.TRACK),
    (page, schemas.PAGE),
    (screen, schemas.SCREEN),
    (batch, schemas.BATCH),
):
    _options: dict[str, Any] = {
        "methods": ["POST"],
        "openapi_extra": schemas.request_body(_example),
        "responses": schemas.INGEST_RESPONSES,
    }
    router.add_api_route(f"/{_handler.__name__}", _handler, **_options)
    # Never a redirect: it turns the POST into a GET, and the event is lost.
    router.add_api_route(f"/{_handler.__name__}/", _handler, include_in_schema=False, **_options)


async def _one(request: Request, services: Services, kind: str) -> dict[str, bool]:
    body = await _authenticated(request, services)
    received_at = services.now()
    call = parse_call({**body, "type": kind}, received_at)
    if isinstance(call, Refused):
        raise BadRequestError(call.message, code=call.code)
    await accept(services, [call], received_at)
    return _SUCCESS


async def _authenticated(request: Request, services: Services) -> dict[str, Any]:
    """The body of a sender who may ingest; a key in the header is checked before it is read."""
    key = auth.key_in(request.headers)
    if key is None:
        # Parsed twice, so that what a stranger sent is not held while the store is asked: it
        # takes twenty times its bytes, and there may be many strangers.
        key = _write_key(await json_object(request))
    await auth.recognise(services, key, Scope.INGEST)
    return await json_object(request)


def _write_key(body: dict[str, Any]) -> str | None:
    """The key in the body, where some SDKs put it; of a batch also the first call's."""
    raws = body.get("batch")
    first = raws[0] if isinstance(raws, list) and raws and isinstance(raws[0], dict) else {}
    for key in (body.get("writeKey"), first.get("writeKey")):
        if isinstance(key, str) and key:
            return key
    return None


def _read(
    raws: Iterable[Any], received_at: datetime, sent_at: object
) -> tuple[list[Call], list[Refused]]:
    calls: list[Call] = []
    refused: list[Refused] = []
    for raw in raws:
        match parse_call(raw, received_at, sent_at):
            case Refused() as refusal:
                refused.append(refusal)
            case call:
                calls.append(call)
    return calls, refused
