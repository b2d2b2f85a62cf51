"""Who is asking: a key in the request, or a browser that showed one.

A key may `ingest` (it is in every copy of the app, so it can only put events in), or
`manage` (look at customers and steer enrollments), or both. The one surprising fact: the
browser's cookie opens pages only, never the API, so no other site can act through it.
"""

import base64
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum

from itsdangerous import BadData, URLSafeTimedSerializer

from api.errors import InvalidKeyError, NotAllowedError
from api.services import Services
from store import keys
from store.tables import ApiKey

# How long a browser stays in; a key that is revoked is out at once.
SESSION = timedelta(days=30)

COOKIE = "parcours_session"

_SALT = "pages"  # a cookie is no unsubscribe link, and the other way round


class Scope(StrEnum):
    """What a key may do."""

    INGEST = "ingest"
    MANAGE = "manage"


ALL_SCOPES = tuple(Scope)


def key_in(headers: Mapping[str, str]) -> str | None:
    """The key in `Authorization`: Bearer, or Basic with the key as the user name."""
    kind, _, given = headers.get("authorization", "").strip().partition(" ")
    match kind.lower():
        case "bearer":
            return given.strip() or None
        case "basic":
            try:
                user = base64.b64decode(given.strip(), validate=True).decode()
            except ValueError:  # no base64, no ASCII, or no UTF-8 in it
                return None
            return user.partition(":")[0] or None  # some SDKs leave out the colon
        case _:
            return None


async def recognise(services: Services, key: str | None, scope: Scope) -> ApiKey:
    """The key's row. Raises InvalidKeyError, or NotAllowedError if it lacks the scope."""
    if key is None:
        raise InvalidKeyError(
            "no key was given: send it as the user name of Basic authentication, or as "
            "`Authorization: Bearer <key>`"
        )
    async with services.database.reading() as session:
        row = await keys.find_valid(session, key)
    if row is None:
        raise InvalidKeyError("the key is unknown or was revoked")
    return await _allowed(services, row, scope)


async def recognise_browser(services: Services, cookie: str | None) -> ApiKey:
    """The row of the key that this browser showed. Raises as `recognise` does."""
    row = None
    try:
        key_id = _serializer(services).loads(cookie or "", max_age=int(SESSION.total_seconds()))
    except BadData:
        key_id = None
    if isinstance(key_id, int):
        async with services.database.reading() as session:
            row = await keys.get_valid(session, key_id)
    if row is None:
        raise InvalidKeyError("show a key first: open this page once with `?key=<your key>`")
    return await _allowed(services, row, Scope.MANAGE)


def cookie_for(services: Services, row: ApiKey) -> str:
    """What the browser keeps: not the key, but that it was shown."""
    signed = _serializer(services).dumps(row.id)
    return signed.decode() if isinstance(signed, bytes) else signed


def actor_of(row: ApiKey) -> str:
    """Whom the audit log names."""
    return f"key:{row.name}"


async def _allowed(services: Services, row: ApiKey, scope: Scope) -> ApiKey:
    if scope not in row.scopes:
        raise NotAllowedError(f"the key `{row.name}` may not {scope}")
    now = services.wall()
    if keys.is_used_long_ago(row, now):
        async with services.database.transaction() as session:
            await keys.touch(session, row, now)
    return row


def _serializer(services: Services) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(services.settings.secret_key.get_secret_value(), salt=_SALT)
