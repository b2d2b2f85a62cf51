"""What this process counts, for Prometheus, which shows a key as anybody does.

With the store away the answer comes only while the key is still known, and the outbox's
gauges are no numbers then.
"""

import structlog
from fastapi import APIRouter, Response
from sqlalchemy.exc import SQLAlchemyError

from api.errors import kind_of
from api.given import Given, Supporter, SupportRoute
from api.metrics import CONTENT_TYPE
from api.schemas import refusals
from api.services import Services
from store import outbox
from store.outbox import Backlog

router = APIRouter(tags=["Health"], route_class=SupportRoute)

_log = structlog.get_logger("parcours.api")


@router.get(
    "/metrics",
    response_class=Response,
    responses={
        200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
        **refusals(401, 403, 429, 503),
    },
)
async def metrics(services: Given, key: Supporter) -> Response:
    """Counts since this process began, in Prometheus' text format; needs the scope `support`."""
    text = services.metrics.text(await _backlog(services), services.wall())
    return Response(text, media_type=CONTENT_TYPE)


async def _backlog(services: Services) -> Backlog | None:
    """None with the store away."""
    try:
        async with services.database.reading() as session:
            return await outbox.backlog(session)
    except (SQLAlchemyError, OSError) as error:
        _log.warning("the store is away", error=kind_of(error))
        return None
