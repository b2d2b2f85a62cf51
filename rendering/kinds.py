"""What kind of plain value a filter was given, and the complaint if it is another kind.

Knows no filter. The surprising fact: a number is not made into a date, nor a text into a
number, behind the author's back; what is missing complains by its own name.
"""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from rendering.errors import ExpressionFailure
from rendering.plain import Missing

Number = int | float | Decimal


def as_text(value: Any) -> str:
    """It as text. Raises ExpressionFailure."""
    if isinstance(value, str):
        return value
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, Missing):
        value.fail()
    raise ExpressionFailure(f"text is needed here, not {kind(value)}")


def as_number(value: Any) -> Number:
    """It as a number. Raises ExpressionFailure."""
    if isinstance(value, Number):
        return value
    if isinstance(value, Missing):
        value.fail()
    raise ExpressionFailure(f"a number is needed here, not {kind(value)}: use `| float`")


def kind(value: Any) -> str:
    """What it is, in words for the author."""
    if isinstance(value, str):
        return "text"
    if isinstance(value, Number):
        return "a number"
    if isinstance(value, Mapping):
        return "a group of fields"
    return "a date" if isinstance(value, date) else "a list"
