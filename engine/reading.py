"""What reading any of the little texts of a journey file needs: the error, and times of day.

Decides how a mistake is told; knows none of the texts.
"""

import re
from collections.abc import Iterable
from datetime import time
from difflib import get_close_matches
from typing import NoReturn

_TIME = re.compile(r"([0-9]{1,2}):([0-9]{2})")


class ExpressionError(ValueError):
    """The text is not of this language. The message quotes it and says what to write instead."""


def refuse(text: str, problem: str) -> NoReturn:
    """Raise the error for this text, quoted on one line."""
    raise ExpressionError(f"`{' '.join(text.split())}`: {problem}")


def plain(text: str) -> str:
    """The text, refused if it is empty or has a dash that only looks like a minus."""
    if not text.strip():
        raise ExpressionError("nothing is written here")
    for dash in "–—−":  # en dash, em dash, minus sign: what word processors make of `-`
        if dash in text:
            refuse(text, f"`{dash}` is not the `-` of the keyboard: write `-`")
    return text


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The end of a message that names the known word most like this one, or `""`."""
    close = get_close_matches(word.lower(), list(known), n=1)
    return f", did you mean `{close[0]}`?" if close else ""


def time_of_day(text: str, word: str) -> time:
    """`09:00` or `9:00`, to the minute; ExpressionError, quoting the text, if it is not one."""
    if not (found := _TIME.fullmatch(word)):
        refuse(text, f"`{word}` is not a time of day: write hours and minutes, such as `09:00`")
    hour, minute = int(found[1]), int(found[2])
    if hour > 23 or minute > 59:
        refuse(text, f"there is no time `{word}`: the day goes from `00:00` to `23:59`")
    return time(hour, minute)
