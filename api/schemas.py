"""How the ingestion routes describe themselves: they read raw bytes, so FastAPI can't know.

Documentation only: nothing is validated by what is written here.
"""

from typing import Any

_COMMON: dict[str, Any] = {
    "userId": {
        "type": "string",
        "description": "The app's own id of the customer; a number is read as text.",
        "example": "cust_42",
    },
    "anonymousId": {
        "type": "string",
        "description": "Who it is, before that is known; in place of `userId`, or beside it.",
    },
    "messageId": {
        "type": "string",
        "maxLength": 100,
        "description": "Unique for ever: a repeat has no second effect. SDKs make one.",
    },
    "timestamp": {
        "type": "string",
        "format": "date-time",
        "description": "When it happened; when it is received, if left out.",
    },
    "sentAt": {
        "type": "string",
        "format": "date-time",
        "description": "When it was sent, by the sender's clock, which corrects `timestamp`.",
    },
    "context": {
        "type": "object",
        "properties": {
            "timezone": {"type": "string", "example": "Europe/Paris"},
            "locale": {"type": "string", "example": "fr-FR"},
        },
    },
    "writeKey": {"type": "string", "description": "The key, for SDKs that send it here."},
}
_OBJECT = {"type": "object", "additionalProperties": True}


def _call(required: list[str], **more: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["userId", *required],
        "properties": {**_COMMON, **more},
    }


IDENTIFY = _call(
    [], traits={**_OBJECT, "example": {"email": "ann@example.com", "trial_ends_at": "2026-12-23"}}
)
TRACK = _call(
    ["event"],
    event={"type": "string", "example": "trial_started"},
    properties={**_OBJECT, "example": {"plan": "pro"}},
)
PAGE = _call([], name={"type": "string", "example": "Pricing"}, properties=_OBJECT)
SCREEN = _call([], name={"type": "string", "example": "Settings"}, properties=_OBJECT)
GROUP = _call(
    ["groupId"],
    groupId={"type": "string", "description": "The company's id.", "example": "acme"},
    traits={**_OBJECT, "example": {"name": "Acme", "plan": "team"}},
)
ALIAS = _call(
    ["previousId"],
    previousId={
        "type": "string",
        "description": "What the customer was called before: a `userId`, or an `anonymousId`.",
        "example": "visitor-7f3a",
    },
)
BATCH: dict[str, Any] = {
    "type": "object",
    "required": ["batch"],
    "properties": {
        "batch": {
            "type": "array",
            "maxItems": 2500,
            "items": _call(
                ["type"],
                type={
                    "type": "string",
                    "enum": ["identify", "track", "page", "screen", "group", "alias"],
                },
                event=TRACK["properties"]["event"],
                traits=_OBJECT,
                properties=_OBJECT,
                groupId=GROUP["properties"]["groupId"],
                previousId=ALIAS["properties"]["previousId"],
            ),
        },
        "sentAt": _COMMON["sentAt"],
        "writeKey": _COMMON["writeKey"],
    },
}

ERROR: dict[str, Any] = {
    "type": "object",
    "properties": {
        "success": {"type": "boolean", "const": False},
        "code": {"type": "string", "description": "A word that programs compare."},
        "message": {"type": "string", "description": "What is wrong, and what to do instead."},
    },
}


def _error(description: str) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": ERROR}}}


def _wait(description: str) -> dict[str, Any]:
    told = {"schema": {"type": "integer"}, "description": "Seconds to wait before trying again."}
    return {**_error(description), "headers": {"Retry-After": told}}


_NOT_NOW: dict[int | str, dict[str, Any]] = {
    429: _wait("`rate_limited`: the key has sent more than it may; tried again later, it works."),
    503: _wait("`store_unavailable`: nothing was written; send it again."),
}


_SUCCESS = {"type": "object", "properties": {"success": {"type": "boolean", "const": True}}}

INGEST_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Written for good; a repeat is answered so too.",
        "content": {"application/json": {"schema": _SUCCESS}},
    },
    400: _error("The call can't be accepted as it is."),
    401: _error("`invalid_write_key`: no key was given, or it is unknown or was revoked."),
    403: _error("`not_allowed`: the key lacks the scope `events:write`."),
    413: _error("More than 32 KB a call, 500 KB or 2,500 calls a request."),
    **_NOT_NOW,
}

SUPPORT_RESPONSES: dict[int | str, dict[str, Any]] = {
    401: _error("`invalid_key`: no key was given, or it is unknown or was revoked."),
    403: _error("`not_allowed`: the key lacks the scope `support`."),
    404: _error("There is no such thing."),
    409: _error("It can't be done with things as they stand."),
    **_NOT_NOW,
}


def request_body(schema: dict[str, Any]) -> dict[str, Any]:
    """For a route's `openapi_extra`."""
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}
