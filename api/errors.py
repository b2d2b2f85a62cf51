"""What the API refuses, and how it says so: one tree, translated once at the border.

A refusal is for its sender: `code` is a word that programs compare, the message says what
to do instead. What is not in this tree is trouble of ours, and answers 500.
"""

from typing import ClassVar


class ApiError(Exception):
    """The root. `status` is the HTTP status (RFC 9110, section 15)."""

    status: ClassVar[int] = 400
    code: ClassVar[str] = "bad_request"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code  # type: ignore[misc]  # the instance's own word


class BadRequestError(ApiError):
    """The request makes no sense as it is."""


class InvalidKeyError(ApiError):
    """No key, or none that is valid; SDKs stop retrying at a 401 with a `code`."""

    status = 401
    code = "invalid_key"


class NotAllowedError(ApiError):
    """The key is valid, but not for this."""

    status = 403
    code = "not_allowed"


class NotFoundError(ApiError):
    """There is no such thing."""

    status = 404
    code = "not_found"


class ConflictError(ApiError):
    """It can't be done with things as they stand."""

    status = 409
    code = "conflict"


class TooLargeError(ApiError):
    """More than a request may hold."""

    status = 413
    code = "too_large"


class NoSuchJourneyError(NotFoundError):
    """The journey is not among those published."""

    code = "no_such_journey"


class AlreadyEnrolledError(ConflictError):
    """The customer is in the journey, or was, and may not enter it again."""

    code = "already_enrolled"


class NoKeyError(BadRequestError):
    """The journey has a `key`, and the properties given don't hold it."""

    code = "no_key"
