"""What the API refuses, and how it says so: one tree, translated once at the border.

A refusal is for its sender: `code` is a word that programs compare, the message says what
to do instead. What is not in this tree is trouble of ours, and answers 500.
"""

from collections.abc import Mapping
from typing import ClassVar


class ApiError(Exception):
    """The root. `status` is the HTTP status (RFC 9110, section 15); `headers` go with it."""

    status: ClassVar[int] = 400
    code: ClassVar[str] = "bad_request"

    def __init__(
        self, message: str, *, code: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.headers = dict(headers or {})
        if code is not None:
            self.code = code  # type: ignore[misc]  # the instance's own word


class BadRequestError(ApiError):
    """The request makes no sense as it is."""


class CallsRefusedError(BadRequestError):
    """The request is right, but each call in it was refused; they are counted one by one."""


class InvalidKeyError(ApiError):
    """No key, or none that is valid; SDKs stop retrying at a 401 with a `code`."""

    status = 401
    code = "invalid_key"

    def __init__(self, message: str) -> None:
        super().__init__(message, headers={"WWW-Authenticate": "Bearer"})


class InvalidWriteKeyError(InvalidKeyError):
    """The same where events come in: the word that Segment's documentation has for it."""

    code = "invalid_write_key"


class NotAllowedError(ApiError):
    """The key is valid, but not for this.

    Also where events come in: every SDK that was read treats 403 as it treats 401. The Python
    ones (2.2.3, 2.3.4, 2.4.0) and Node's 3.1.0 report it and drop the batch at once; Node's
    2.3.0 asks three times, within a second, and then does. What loses fewer events is tried
    again for hours, and hides a mistake that only a person can mend; so 403, which says what
    it is.
    """

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


class RateLimitedError(ApiError):
    """The key has sent more than it may. After `Retry-After` (RFC 9110, 10.2.3) it is let in."""

    status = 429
    code = "rate_limited"

    def __init__(self, name: str, events_per_second: int, retry_after_s: int) -> None:
        super().__init__(
            f"the key `{name}` may send {events_per_second} events a second; try again in "
            f"{retry_after_s} s, or give the app a key with a higher `--rate`",
            headers={"Retry-After": str(retry_after_s)},
        )
        self.retry_after_s = retry_after_s


class NoSuchJourneyError(NotFoundError):
    """The journey is not among those published."""

    code = "no_such_journey"


class JourneyArchivedError(ConflictError):
    """The journey enrolls nobody any more, until somebody unarchives it."""

    code = "journey_archived"

    def __init__(self, journey: str) -> None:
        super().__init__(
            f"`{journey}` is archived and enrolls nobody: `parcours unarchive {journey}` first"
        )


class AlreadyEnrolledError(ConflictError):
    """The customer is in the journey, or was, and may not enter it again."""

    code = "already_enrolled"


class NoKeyError(BadRequestError):
    """The journey has a `key`, and the properties given don't hold it."""

    code = "no_key"


class ErasedError(BadRequestError):
    """History of somebody who was erased. It is never taken, so sending it again is no use."""

    code = "erased"


def kind_of(error: BaseException) -> str:
    """What a log may say of an error: its kind, never its text, which may quote a customer.

    SQLAlchemy's errors carry the statement with its parameters, the driver's the row.
    """
    return type(getattr(error, "orig", None) or error).__name__
