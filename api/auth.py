"""Who is asking: a key in the request, or a browser that showed one.

What a key may do is its scopes' to say (`api.scopes`), and how much is its rate's
(`api.limits`): whoever is recognised has been charged for one event. The surprising facts:
the browser's cookie opens pages only, never the API, so no other site can act through it;
and with the store away a key that isn't known answers 503, never 401, at which an SDK would
throw its events away.
"""

import base64
from collections.abc import Mapping
from datetime import timedelta

from itsdangerous import BadData, URLSafeTimedSerializer

from api.errors import InvalidKeyError, InvalidWriteKeyError, NotAllowedError
from api.keyring import KnownKey
from api.scopes import Scope, may
from api.services import Services
from store import keys

# How long a browser stays in; a key that is revoked is out at once.
SESSION = timedelta(days=30)

COOKIE = "parcours_session"

_SALT = "pages"  # a cookie is no unsubscribe link, and the other way round


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


async def recognise(services: Services, text: str | None, scope: Scope) -> KnownKey:
    """The key that was shown, charged for one event.

    Raises InvalidKeyError, NotAllowedError if it lacks the scope, RateLimitedError, or what
    reading the store raises.
    """
    invalid = InvalidWriteKeyError if scope is Scope.EVENTS_WRITE else InvalidKeyError
    if text is None:
        raise invalid(
            "no key was given: send it as the user name of Basic authentication, or as "
            "`Authorization: Bearer <key>`"
        )
    key = await services.keyring.find(text, services.wall())
    if key is None:
        raise invalid(
            "the key is unknown or was revoked: make one with "
            f"`parcours keys create NAME --scope {scope}`"
        )
    return _allowed(services, key, scope)


async def recognise_browser(services: Services, cookie: str | None) -> KnownKey:
    """The key that this browser showed. Raises as `recognise` does."""
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
    return _allowed(services, KnownKey.of(row), Scope.SUPPORT)


def cookie_for(services: Services, key: KnownKey) -> str:
    """What the browser keeps: not the key, but that it was shown."""
    signed = _serializer(services).dumps(key.id)
    return signed.decode() if isinstance(signed, bytes) else signed


def actor_of(key: KnownKey) -> str:
    """Whom the audit log names."""
    return f"key:{key.name}"


def check_scope(key: KnownKey, scope: Scope) -> KnownKey:
    """The key, if it may. Raises NotAllowedError."""
    if not may(key.scopes, scope):
        has = ", ".join(f"`{each}`" for each in sorted(key.scopes)) or "none"
        raise NotAllowedError(
            f"this needs a key with the scope `{scope}`; `{key.name}` has {has}: make another "
            f"with `parcours keys create NAME --scope {scope}`"
        )
    return key


def _allowed(services: Services, key: KnownKey, scope: Scope) -> KnownKey:
    check_scope(key, scope)
    now = services.wall()
    services.keyring.note_used(key, now)
    services.limits.take(key, 1, now)
    return key


def _serializer(services: Services) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(services.settings.secret_key.get_secret_value(), salt=_SALT)
