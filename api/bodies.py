"""Request bodies as SDKs really send them: raw, perhaps gzipped, whatever `Content-Type` says.

Decides how much of a body is read, and never more. The one surprising fact: compression is
recognised by the bytes, because some SDKs gzip without saying so; JSON never begins so.
"""

import json
import zlib
from typing import Any

from fastapi import Request

from api.errors import BadRequestError, TooLargeError

# Segment's limit for a batch. Also for what comes out of gzip: 130 KB of it can hold 128 MB.
MOST_BYTES = 500 * 1024

_GZIP = b"\x1f\x8b"
_GZIP_WINDOW = 31  # zlib: 15 bits of window, and a gzip header


async def json_object(request: Request) -> dict[str, Any]:
    """The body as a JSON object. Raises BadRequestError or TooLargeError."""
    raw = _unpacked(await _read(request))
    try:
        # Not JSON, though Python reads and some clients write them; null, as in browsers.
        found = json.loads(raw, parse_constant=lambda _: None)
    except (ValueError, RecursionError) as error:
        raise BadRequestError(f"the body is not JSON: {error}", code="invalid_json") from None
    if not isinstance(found, dict):
        raise BadRequestError("the body must be a JSON object", code="invalid_json")
    return found


async def raw_body(request: Request) -> bytes:
    """The body as it is. Raises TooLargeError."""
    return await _read(request)


async def _read(request: Request) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > MOST_BYTES:
            raise _too_large()
        parts.append(part)
    return b"".join(parts)


def _unpacked(raw: bytes) -> bytes:
    if not raw.startswith(_GZIP):
        return raw
    unpacker = zlib.decompressobj(_GZIP_WINDOW)
    try:
        unpacked = unpacker.decompress(raw, MOST_BYTES + 1)
    except zlib.error as error:
        raise BadRequestError(f"the body is not gzip: {error}", code="invalid_gzip") from None
    if len(unpacked) > MOST_BYTES:
        raise _too_large()
    if not unpacker.eof:
        raise BadRequestError("the gzipped body is cut off", code="invalid_gzip")
    return unpacked


def _too_large() -> TooLargeError:
    return TooLargeError(f"the most a request may hold is {MOST_BYTES // 1024} KB, also unpacked")
