"""The web application: its routes, the dispatcher beside them, and errors at the border.

The one place where an error becomes an answer: JSON for programs, a page for browsers, and
always a `code` with it.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from api.broadcasting.telling import telling
from api.callbacks.sns import Sns
from api.dispatcher import Dispatcher
from api.errors import ApiError, BadRequestError, CallsRefusedError, ErasedError, kind_of
from api.intake import Intake
from api.pruning import pruning
from api.request_limits import RequestLimits
from api.routes import (
    broadcasts,
    browser,
    callbacks,
    confirm,
    customers,
    enrollments,
    event_pages,
    events,
    health,
    ingest,
    metrics,
    offers,
    outbox,
    pages,
    preferences,
    reading,
    stops,
    unsubscribe,
)
from api.services import Services
from api.showing import page
from api.ticking import ticking
from api.timing import Timing, is_ingestion
from api.visiting import KeyShownError
from store.away import AWAY_ERRORS, is_away
from store.json_text import keepable_text
from store.overlap import StillUnderWayError

_log = structlog.get_logger("parcours.api")

_DESCRIPTION = (
    "Events in by the Segment HTTP API; customers, enrollments and what people do to them. "
    "Everything but health, links in messages and the settings of pages needs a key: "
    "`Authorization: Bearer <key>`, or Basic with the key as the user name. What a key may do "
    "is its scopes: `events:write` for events in; `support` for customers, enrollments and the "
    "pages; `broadcasts` to write to everybody at once; `admin` for all these and for what "
    "can't be undone. How much is its rate: over it, the answer is 429, and `Retry-After` says "
    "when to come again. Every error has a `code`, which programs compare, and a `message`, "
    "which says what to do."
)

# What the frameworks' own refusals, and those of `api.request_limits`, are called.
_CODES = {404: "not_found", 405: "method_not_allowed", 408: "too_slow", 413: "too_large"}


# In the order in which the documentation tells them.
_GROUPS = (
    ingest,
    browser,
    customers,
    enrollments,
    stops,
    broadcasts,
    offers,
    events,
    outbox,
    health,
    metrics,
    unsubscribe,
    preferences,
    reading,
    confirm,
    callbacks,
    pages,
    event_pages,
)


def create_app(services: Services) -> FastAPI:
    """The application; running it also runs a dispatcher, if Temporal was given."""
    runner = _DispatcherRunner(services)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with (
            services.keyring.noting(),
            pruning(services),
            ticking(services),
            runner.running(),
            telling(services),
        ):
            yield

    app = FastAPI(
        title="Parcours",
        description=_DESCRIPTION,
        version="1",
        lifespan=lifespan,
        docs_url=None,  # ours needs no network
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,  # a redirected POST loses its body
    )
    app.add_middleware(RequestLimits)
    app.state.services = services
    app.state.intake = Intake(services)
    app.state.sns = Sns(frozenset(services.settings.ses_callback_topics))
    app.state.dispatcher_state = runner.state
    app.add_middleware(browser.OpenToBrowsers)
    app.add_middleware(Timing, metrics=services.metrics)
    for group in _GROUPS:
        app.include_router(group.router)
    app.add_exception_handler(ApiError, _refusal)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(KeyShownError, _key_shown)
    app.add_exception_handler(StillUnderWayError, _not_for_all_yet)
    for trouble in AWAY_ERRORS:
        app.add_exception_handler(trouble, _store_away)
    app.add_exception_handler(Exception, _bug)
    return app


class _DispatcherRunner:
    """The dispatcher's task, for as long as the application runs."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._task: asyncio.Task[None] | None = None

    def state(self) -> str:
        """For `/readyz`."""
        if self._services.temporal is None:
            return "not running: no Temporal was given"
        if self._task is None or self._task.cancelled():
            return "not running"
        if not self._task.done():
            return "ok"
        error = self._task.exception()
        return "stopped" if error is None else f"died: {type(error).__name__}"

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run it meanwhile; at the end what is under way lands first."""
        if self._services.temporal is None:
            yield
            return
        dispatcher = Dispatcher(self._services, self._services.temporal)
        self._task = asyncio.create_task(dispatcher.run(), name="dispatcher")
        self._task.add_done_callback(_report_death)
        try:
            yield
        finally:
            dispatcher.stop()
            await asyncio.wait([self._task])


def _report_death(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error(
            "the dispatcher died; events are accepted, Temporal hears nothing", exc_info=error
        )


async def _refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    if isinstance(error, CallsRefusedError | ErasedError):  # counted one by one
        return _shown(request, error.status, error.code, error.message, error.headers)
    return _answer(request, error.status, error.code, error.message, error.headers)


async def _invalid(request: Request, error: Exception) -> Response:
    """What FastAPI finds wrong with parameters or a body, in one sentence."""
    assert isinstance(error, RequestValidationError)
    told = "; ".join(
        f"`{'.'.join(str(part) for part in each['loc'][1:])}`: {each['msg']}"
        for each in error.errors()
    )
    return _answer(request, BadRequestError.status, "invalid_request", told)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = _CODES.get(error.status_code, "bad_request")
    return _answer(request, error.status_code, code, str(error.detail), error.headers)


async def _gone(request: Request, error: Exception) -> Response:
    """Nothing of it was accepted, and nobody is there to read this; only the log is spared."""
    return _answer(request, 400, "cut_off", "the connection ended before the body did")


async def _key_shown(request: Request, error: Exception) -> Response:
    assert isinstance(error, KeyShownError)
    return error.response


async def _not_for_all_yet(request: Request, error: Exception) -> Response:
    return _answer(request, 503, "still_under_way", str(error))


async def _store_away(request: Request, error: Exception) -> Response:
    """Nothing was accepted: whoever sent it should send it again."""
    if not is_away(error):
        raise error  # a statement of ours that is wrong is no outage
    _log.error("the store is away", error=kind_of(error))
    retry = {"Retry-After": "5"}  # a restart of the database takes a few seconds
    return _answer(request, 503, "store_unavailable", "the store can't be reached now", retry)


async def _bug(request: Request, error: Exception) -> Response:
    """Starlette raises it again after this answer, so the server logs it whole."""
    headers = browser.cross_origin_headers(request.url.path)
    return _answer(request, 500, "internal_error", "something went wrong on our side", headers)


def _answer(
    request: Request,
    status: int,
    code: str,
    message: str,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The answer, counted where events come in."""
    if is_ingestion(request.scope):
        services: Services = request.app.state.services
        services.metrics.refused(code)
    return _shown(request, status, code, message, headers)


def _shown(
    request: Request,
    status: int,
    code: str,
    message: str,
    headers: Mapping[str, str] | None = None,
) -> Response:
    message = keepable_text(message)  # it may quote half a surrogate pair, which no bytes hold
    is_page = not request.url.path.startswith("/v1/")
    if is_page and "text/html" in request.headers.get("accept", ""):
        response: Response = page("error.html", status=status, code=code, message=message)
    else:
        content = {"success": False, "code": code, "message": message}
        response = JSONResponse(content, status_code=status)
    response.headers.update(headers or {})
    return response
