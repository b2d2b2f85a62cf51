"""What texts, numbers and times the API's own routes take: what both databases can keep.

PostgreSQL refuses NUL in a text, and both refuse a number of more than 64 bits. What an SDK
sends is another matter (`engine.segment`): there bad text is left out, for an event is never
lost.
"""

from datetime import UTC, datetime
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import Path, Query
from pydantic import AfterValidator, AwareDatetime, Field

from engine.values import read_instant

# No control characters, as `engine.segment` has it for ids and names.
_PLAIN = r"^[^\x00-\x1f\x7f]*$"
_WITHOUT_NUL = r"^[^\x00]*$"

_LONGEST_NAME = 255  # as in `engine.segment`
_LONGEST_WORDING = 10_000  # a page of conditions in small print

# Further than any table goes, and far below 64 bits.
_FURTHEST = 1_000_000_000

_UTC = ZoneInfo("UTC")


def _of_the_calendar(at: datetime) -> datetime:
    if read_instant(at, _UTC) is None:
        raise ValueError("the year is outside 1800 to 8999")
    return at.astimezone(UTC)


Name = Annotated[str, Field(min_length=1, max_length=_LONGEST_NAME, pattern=_PLAIN)]
MessageId = Annotated[str, Field(min_length=1, max_length=100, pattern=_PLAIN)]
Wording = Annotated[str, Field(max_length=_LONGEST_WORDING, pattern=_WITHOUT_NUL)]
Instant = Annotated[AwareDatetime, AfterValidator(_of_the_calendar)]

PathText = Annotated[str, Path(pattern=_PLAIN)]
QueryText = Annotated[str, Query(pattern=_PLAIN)]
Offset = Annotated[int, Query(ge=0, le=_FURTHEST)]
PageNumber = Annotated[int, Query(ge=1, le=_FURTHEST // 100, alias="page")]
RowNumber = Annotated[int, Path(ge=1, le=_FURTHEST)]
