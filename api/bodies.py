"""Request bodies as SDKs really send them: raw, perhaps gzipped, whatever `Content-Type` says.

Decides what of a body is unpacked and parsed; how much of one is read at all is decided in
`api.request_limits`. The one surprising fact: compression is recognised by the bytes, because some
SDKs gzip without saying so; JSON never begins so.
"""

import json
import zlib
from typing import Any

from fastapi import Request

from api.errors import BadRequestError, TooLargeError
from api.request_limits import MOST_BYTES

# An object or a list of Python takes a hundred bytes, in JSON two: 500 KB of `[],[],…` would
# take 20 MB. A full batch of 2,500 calls has four each.
_MOST_CONTAINERS = 50_000

_GZIP = b"\x1f\x8b"
_GZIP_WINDOW = 31  # zlib: 15 bits of window, and a gzip header


async def json_object(request: Request) -> dict[str, Any]:
    """The body as a JSON object. Raises BadRequestError or TooLargeError."""
    raw = _unpacked(await request.body())
    if raw.count(b"{") + raw.count(b"[") > _MOST_CONTAINERS:
        raise TooLargeError(f"a request holds at most {_MOST_CONTAINERS} objects and lists")
    try:
        # Not JSON, though Python reads and some clients write them; null, as in browsers.
        found = json.loads(raw, parse_constant=lambda _: None)
    except RecursionError:
        raise BadRequestError("the body is nested too deep", code="invalid_json") from None
    except ValueError as error:
        raise BadRequestError(f"the body is not JSON: {error}", code="invalid_json") from None
    if not isinstance(found, dict):
        raise BadRequestError("the body must be a JSON object", code="invalid_json")
    return found


def _unpacked(raw: bytes) -> bytes:
    if not raw.startswith(_GZIP):
        return raw
    unpacker = zlib.decompressobj(_GZIP_WINDOW)
    try:
        unpacked = unpacker.decompress(raw, MOST_BYTES + 1)
    except zlib.error as error:
        raise BadRequestError(f"the body is not gzip: {error}", code="invalid_gzip") from None
    if len(unpacked) > MOST_BYTES:
        raise TooLargeError(
            f"the most a request may hold is {MOST_BYTES // 1024} KB, also unpacked"
        )
    if not unpacker.eof:
        raise BadRequestError("the gzipped body is cut off", code="invalid_gzip")
    if unpacker.unused_data:
        # Also where it is a second member (RFC 1952, section 2.2): no SDK sends one, and an
        # event in it must not be lost with a 200.
        raise BadRequestError("something follows the gzipped body", code="invalid_gzip")
    return unpacked
