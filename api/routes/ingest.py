"""Events in: the Segment HTTP API, so that an app uses the SDK it already has.

Answers exactly `200 {"success": true}`, after the durable write; with anything else some
SDK tries again for ever. The one surprising fact: a batch is answered so even when some of
its events were refused, for a bad event must not make the SDK send the good ones again;
only a batch of nothing but refused events is refused, which shows a broken setup at once.
"""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

import structlog
from fastapi import APIRouter, Request

from api import auth, schemas
from api.accept import Accepted
from api.bodies import json_object
from api.errors import BadRequestError, ErasedError, TooLargeError
from api.given import Given
from api.intake import Intake
from api.keyring import KnownKey
from api.scopes import Scope
from api.services import Services
from engine.calls import SegmentCall
from engine.segment import parse_call
from engine.segment_fields import Refused

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


async def group(request: Request, services: Given) -> dict[str, bool]:
    """The company a customer belongs to, and its traits; the last such call counts."""
    return await _one(request, services, "group")


async def alias(request: Request, services: Given) -> dict[str, bool]:
    """The customer was known as `previousId` before: the two are one from now on."""
    return await _one(request, services, "alias")


async def batch(request: Request, services: Given) -> dict[str, bool]:
    """Up to 2,500 calls, each with its `type`."""
    return await _many(request, services, historical=False)


async def import_(request: Request, services: Given) -> dict[str, bool]:
    """Like `batch`, for history: it ends journeys and counts in conditions, but starts none."""
    return await _many(request, services, historical=True)


async def _many(request: Request, services: Services, *, historical: bool) -> dict[str, bool]:
    key, body = await _authenticated(request, services)
    raws = body.get("batch")
    if not isinstance(raws, list):
        raise BadRequestError("`batch` must be a list of calls", code="invalid_batch")
    if len(raws) > _MOST_EVENTS:
        raise TooLargeError(f"a batch holds at most {_MOST_EVENTS} calls, not {len(raws)}")
    services.limits.take_rest(key, len(raws) - 1, services.wall())
    received_at = services.now()
    calls, refused = _read(raws, received_at, body.get("sentAt"), historical)
    for each in refused:
        _log.warning("refused an event of a batch", code=each.code, message=each.message)
    if refused and not calls:
        raise BadRequestError(refused[0].message, code=refused[0].code)
    _check_taken(await _intake(request).take(calls), calls)
    return _SUCCESS


for _name, _handler, _example in (
    ("identify", identify, schemas.IDENTIFY),
    ("track", track, schemas.TRACK),
    ("page", page, schemas.PAGE),
    ("screen", screen, schemas.SCREEN),
    ("group", group, schemas.GROUP),
    ("alias", alias, schemas.ALIAS),
    ("batch", batch, schemas.BATCH),
    ("import", import_, schemas.BATCH),
):
    _options: dict[str, Any] = {
        "methods": ["POST"],
        "openapi_extra": schemas.request_body(_example),
        "responses": schemas.INGEST_RESPONSES,
    }
    router.add_api_route(f"/{_name}", _handler, **_options)
    # Never a redirect: it turns the POST into a GET, and the event is lost.
    router.add_api_route(f"/{_name}/", _handler, include_in_schema=False, **_options)


async def _one(request: Request, services: Services, kind: str) -> dict[str, bool]:
    _, body = await _authenticated(request, services)
    received_at = services.now()
    call = parse_call({**body, "type": kind}, received_at)
    if isinstance(call, Refused):
        raise BadRequestError(call.message, code=call.code)
    _check_taken(await _intake(request).take([call]), [call])
    return _SUCCESS


def _intake(request: Request) -> Intake:
    """The one of this application."""
    intake = request.app.state.intake
    assert isinstance(intake, Intake)
    return intake


def _check_taken(accepted: Accepted, calls: Collection[SegmentCall]) -> None:
    """Raise ErasedError if all of them are history of people who were erased."""
    erased = [call for call in calls if call.message_id in accepted.erased]
    if not erased:
        return
    _log.warning("refused history of somebody erased", code=ErasedError.code, calls=len(erased))
    if len(erased) == len(calls):
        raise ErasedError(
            "whom this is about was erased, and their history is not taken back: leave them out"
        )


async def _authenticated(request: Request, services: Services) -> tuple[KnownKey, dict[str, Any]]:
    """Who sends, and the body; a key in the header is checked before the body is read."""
    text = auth.key_in(request.headers)
    if text is None:
        # Parsed twice, so that what a stranger sent is not held while the store is asked: it
        # takes twenty times its bytes, and there may be many strangers.
        text = _write_key(await json_object(request))
    key = await auth.recognise(services, text, Scope.EVENTS_WRITE)
    return key, await json_object(request)


def _write_key(body: dict[str, Any]) -> str | None:
    """The key in the body, where some SDKs put it; of a batch also the first call's."""
    raws = body.get("batch")
    first = raws[0] if isinstance(raws, list) and raws and isinstance(raws[0], dict) else {}
    for key in (body.get("writeKey"), first.get("writeKey")):
        if isinstance(key, str) and key:
            return key
    return None


def _read(
    raws: Iterable[Any], received_at: datetime, sent_at: object, historical: bool
) -> tuple[list[SegmentCall], list[Refused]]:
    calls: list[SegmentCall] = []
    refused: list[Refused] = []
    for raw in raws:
        match parse_call(raw, received_at, sent_at, historical=historical):
            case Refused() as refusal:
                refused.append(refusal)
            case call:
                calls.append(call)
    return calls, refused
