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
    "required": ["success", "code", "message"],
    "properties": {
        "success": {"type": "boolean", "const": False},
        "code": {"type": "string", "description": "A word that programs compare."},
        "message": {"type": "string", "description": "What is wrong, and what to do instead."},
    },
}


_REFUSALS = {
    400: "It can't be accepted as it is.",
    401: "No valid key, or signature.",
    403: "The key is not for this.",
    404: "There is no such thing.",
    408: "The body did not arrive within 30 s.",
    409: "It can't be done with things as they stand.",
    413: "More than a request may hold.",
    429: "The key has sent more than it may; tried again later, it works.",
    503: "The store can't be reached now: nothing was written; try again.",
}


def _error(description: str, *more_types: str) -> dict[str, Any]:
    content: dict[str, Any] = {"application/json": {"schema": ERROR}}
    content.update({each: {"schema": {"type": "string"}} for each in more_types})
    return {"description": description, "content": content}


# Answers that say when to come again.
_NOT_NOW = (429, 503)

_RETRY_AFTER = {
    "Retry-After": {
        "schema": {"type": "integer"},
        "description": "Seconds to wait before trying again.",
    }
}


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For a route's `responses`: these, in JSON."""
    return {
        status: _error(_REFUSALS[status])
        | ({"headers": _RETRY_AFTER} if status in _NOT_NOW else {})
        for status in statuses
    }


_SUCCESS = {
    "type": "object",
    "required": ["success"],
    "properties": {"success": {"type": "boolean", "const": True}},
}

INGEST_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Written for good; a repeat is answered so too.",
        "content": {"application/json": {"schema": _SUCCESS}},
    },
    **refusals(400, 401, 403, 408, 429, 503),
    413: _error("More than 32 KB a call, 500 KB or 2,500 calls a request."),
}

# For every route that needs a key which may support.
SUPPORT_RESPONSES = refusals(400, 401, 403, 429, 503)

# For a route that also reads a body.
BODY_RESPONSES = refusals(408, 413)

# For a link in a message: a page, but where something is wrong JSON for whoever asks for it.
LINK_RESPONSES: dict[int | str, dict[str, Any]] = {
    404: {
        "description": "The link was altered, or not made here.",
        "content": {"text/html": {"schema": {"type": "string"}}},
    },
    503: _error(_REFUSALS[503], "text/html"),
}
LINK_BODY_RESPONSES: dict[int | str, dict[str, Any]] = {
    status: _error(_REFUSALS[status], "text/html") for status in (408, 413)
}

# The forms that a mail program and our own page send; anything else is read as well.
LINK_BODY: dict[str, Any] = {
    "requestBody": {
        "content": {
            "application/x-www-form-urlencoded": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "List-Unsubscribe": {"type": "string", "const": "One-Click"},
                        "all": {"type": "string", "enum": ["yes"]},
                    },
                }
            }
        }
    }
}


# What providers send: theirs to describe, and read after its signature.
CALLBACK_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"type": ["object", "array"]}}},
    }
}
CALLBACK_FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/x-www-form-urlencoded": {
                "schema": {"type": "object", "properties": {"MessageSid": {"type": "string"}}}
            }
        },
    }
}


def request_body(schema: dict[str, Any]) -> dict[str, Any]:
    """For a route's `openapi_extra`."""
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}
