"""Events in: the Segment HTTP API, so that an app uses the SDK it already has.

Answers exactly `200 {"success": true}`, after the durable write; with anything else some
SDK tries again for ever. The one surprising fact: a batch is answered so even when some of
its events were refused, for a bad event must not make the SDK send the good ones again;
only a batch of nothing but refused events is refused, which shows a broken setup at once.
What was refused is kept either way, for whoever wires the app.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import structlog
from fastapi import APIRouter, Request

from api import auth, schemas
from api.accept import Accepted
from api.bodies import json_object
from api.errors import BadRequestError, CallsRefusedError, ErasedError, TooLargeError
from api.given import Given
from api.intake import Intake
from api.keyring import KnownKey
from api.refusals import RefusedRaw
from api.request_limits import BodyTooLargeError
from api.scopes import Scope
from api.services import Services
from api.timing import INGEST_TAG
from engine.calls import SegmentCall
from engine.segment import parse_call
from engine.segment_fields import Refused
from store.tables import RefusedCall

router = APIRouter(tags=[INGEST_TAG], prefix="/v1")

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
    if (wrong := _not_a_batch(body)) is not None:
        del body
        await _keep_whole(services, key, wrong)
        raise wrong
    raws = body["batch"]
    services.limits.take_rest(key, len(raws) - 1, services.wall())
    came = _read(services, key, raws, body.get("sentAt"), historical=historical)
    del body, raws
    await _take(request, services, key, came)
    return _SUCCESS


def _not_a_batch(body: dict[str, Any]) -> BadRequestError | TooLargeError | None:
    """Why none of it is looked at."""
    raws = body.get("batch")
    if not isinstance(raws, list):
        return BadRequestError("`batch` must be a list of calls", code="invalid_batch")
    if len(raws) > _MOST_EVENTS:
        return TooLargeError(f"a batch holds at most {_MOST_EVENTS} calls, not {len(raws)}")
    return None


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
    key, body = await _authenticated(request, services)
    came = _read(services, key, [{**body, "type": kind}], None, historical=False)
    del body
    await _take(request, services, key, came)
    return _SUCCESS


@dataclass(frozen=True)
class _Came:
    """What a request brought: the calls to be accepted, why the first of the others is not, and
    what is kept of those.

    Nothing of it is the body any more, which takes twenty times its bytes and must not wait
    for the store with us.
    """

    calls: Sequence[SegmentCall]
    refused: RefusedRaw | None
    kept: Sequence[RefusedCall]


def _read(
    services: Services, key: KnownKey, raws: Iterable[Any], sent_at: object, *, historical: bool
) -> _Came:
    """Read the calls; those that are refused are counted and logged."""
    received_at = services.now()
    calls: list[SegmentCall] = []
    refused: list[RefusedRaw] = []
    for raw in raws:
        match parse_call(raw, received_at, sent_at, historical=historical):
            case Refused() as refusal:
                refused.append(RefusedRaw.of(raw, refusal))
            case call:
                calls.append(call)
    if not refused:
        return _Came(calls, None, ())
    for code, count in Counter(each.code for each in refused).items():
        services.metrics.refused(code, count)
        _log.warning("refused calls", code=code, calls=count, key=key.name)
    kept = services.refusals.admit(key, refused, received_at, services.wall())
    return _Came(calls, replace(refused[0], raw=None), kept)


async def _take(request: Request, services: Services, key: KnownKey, came: _Came) -> None:
    """Accept the calls, and keep those refused. Raises CallsRefusedError if there is no other."""
    if came.refused is not None and not came.calls:
        await services.refusals.keep(came.kept)
        raise CallsRefusedError(came.refused.message, code=came.refused.code)
    accepted = await _intake(request).take(came.calls, came.kept)
    _check_taken(services, key, accepted, came.calls)


async def _keep_whole(
    services: Services, key: KnownKey, error: BadRequestError | TooLargeError | BodyTooLargeError
) -> None:
    """Keep that a whole request was refused, of which nothing can be read."""
    if isinstance(error, BodyTooLargeError):
        whole = RefusedRaw(None, TooLargeError.code, error.detail)
    else:
        whole = RefusedRaw(None, error.code, error.message)
    _log.warning("refused a request", code=whole.code, key=key.name)
    rows = services.refusals.admit(key, [whole], services.now(), services.wall())
    await services.refusals.keep(rows)


def _intake(request: Request) -> Intake:
    """The one of this application."""
    intake = request.app.state.intake
    assert isinstance(intake, Intake)
    return intake


def _check_taken(
    services: Services, key: KnownKey, accepted: Accepted, calls: Collection[SegmentCall]
) -> None:
    """Raise ErasedError if all of them are history of people who were erased.

    Nothing is kept of such a call but that there was one.
    """
    erased = [call for call in calls if call.message_id in accepted.erased]
    if not erased:
        return
    services.metrics.refused(ErasedError.code, len(erased))
    _log.warning("refused calls", code=ErasedError.code, calls=len(erased), key=key.name)
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
    try:
        return key, await json_object(request)
    except (BadRequestError, TooLargeError, BodyTooLargeError) as error:
        error.__traceback__ = None  # which holds what was parsed of the body
        await _keep_whole(services, key, error)
        raise


def _write_key(body: dict[str, Any]) -> str | None:
    """The key in the body, where some SDKs put it; of a batch also the first call's."""
    raws = body.get("batch")
    first = raws[0] if isinstance(raws, list) and raws and isinstance(raws[0], dict) else {}
    for key in (body.get("writeKey"), first.get("writeKey")):
        if isinstance(key, str) and key:
            return key
    return None
