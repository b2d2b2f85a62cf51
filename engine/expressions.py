"""The little language of journey files: time expressions and durations; windows and days too.

Decides what a text means and says exactly what is wrong with it; knows no clock, no zone
and no journey, so whether a step of that name exists is `definition`'s question. The
surprising fact: names may contain hyphens, so `coupon-5 days` is not `coupon - 5 days`,
and a minus needs a space before it.

Every value is frozen and hashable, and its `str` parses back to an equal value. The whole
language is offered here; windows and days are kept next door.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import time
from difflib import get_close_matches
from enum import StrEnum
from typing import NoReturn

from engine.reading import ExpressionError, did_you_mean, plain, refuse, time_of_day
from engine.windows import Days, Window, parse_days, parse_window

__all__ = [
    "Anchor",
    "Days",
    "Duration",
    "EventAnchor",
    "ExpressionError",
    "StartAnchor",
    "StepAnchor",
    "Term",
    "TimeExpression",
    "TraitAnchor",
    "Unit",
    "Window",
    "parse_days",
    "parse_duration",
    "parse_time_expression",
    "parse_window",
]


class Unit(StrEnum):
    """What time is counted in."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"


@dataclass(frozen=True, slots=True)
class Term:
    """A number of units; negative counts go back in time."""

    count: int
    unit: Unit

    def __str__(self) -> str:
        return f"{self.count} {self.unit}{'' if abs(self.count) == 1 else 's'}"


@dataclass(frozen=True, slots=True)
class Duration:
    """How long: `10 days`, `1 hour 30 minutes`. At least one term, none negative."""

    terms: tuple[Term, ...]

    def __str__(self) -> str:
        return " ".join(map(str, self.terms))

    @property
    def is_zero(self) -> bool:
        """Whether it takes no time at all (`0 minutes`)."""
        return not any(term.count for term in self.terms)


@dataclass(frozen=True, slots=True)
class StartAnchor:
    """When the enrollment started."""

    def __str__(self) -> str:
        return "start"


@dataclass(frozen=True, slots=True)
class EventAnchor:
    """A date in the event that enrolled; `path` is dotted and without `event.`."""

    path: str

    def __str__(self) -> str:
        return f"event.{self.path}"


@dataclass(frozen=True, slots=True)
class TraitAnchor:
    """A date among the customer's traits; `path` is dotted and without `customer.`."""

    path: str

    def __str__(self) -> str:
        return f"customer.{self.path}"


@dataclass(frozen=True, slots=True)
class StepAnchor:
    """When another step was sent."""

    step: str

    def __str__(self) -> str:
        return self.step


Anchor = StartAnchor | EventAnchor | TraitAnchor | StepAnchor


@dataclass(frozen=True, slots=True)
class TimeExpression:
    """`ANCHOR [± N UNIT]… [at HH:MM | at best hour]`; terms apply left to right, `at` last."""

    anchor: Anchor
    terms: tuple[Term, ...] = ()
    at: time | None = None
    best_hour: bool = False

    def __str__(self) -> str:
        parts = [str(self.anchor)]
        for term in self.terms:
            parts += ["-" if term.count < 0 else "+", str(Term(abs(term.count), term.unit))]
        if self.at is not None:
            parts.append(f"at {self.at:%H:%M}")
        if self.best_hour:
            parts.append("at best hour")
        return " ".join(parts)


def parse_time_expression(text: str) -> TimeExpression:
    """`start + 1 day at 09:00`, `customer.trial_ends_at - 5 days`; else ExpressionError."""
    return _Tokens(text).time_expression()


def parse_duration(text: str) -> Duration:
    """`10 days`, `1 hour 30 minutes`; else ExpressionError."""
    return _Tokens(text).duration()


_UNITS = {f"{unit}{end}": unit for end in ("", "s") for unit in Unit}
# What people write from habit and difflib can't guess from the letters.
_UNIT_HABITS = {
    "m": "minute` or `month", "mo": "month", "mth": "month", "mths": "month", "min": "minute",
    "mins": "minute", "h": "hour", "hr": "hour", "hrs": "hour", "d": "day", "w": "week",
    "wk": "week", "wks": "week", "y": "year", "yr": "year", "yrs": "year",
}  # fmt: skip
_ANCHOR_HABITS = {"user": "customer", "traits": "customer", "properties": "event"}
_ANCHORS = "`start`, `event.<path>`, `customer.<trait>` or a step's id"

# Longer than any journey. Anchors lie in years 1800 to 8999 (`values.read_instant`), so
# with at most this much added no date leaves the years 1 to 9999 that Python can tell.
_MOST_YEARS = 100
_MINUTES = {
    Unit.MINUTE: 1,
    Unit.HOUR: 60,
    Unit.DAY: 1440,
    Unit.WEEK: 7 * 1440,
    Unit.MONTH: 31 * 1440,
    Unit.YEAR: 366 * 1440,
}
_MOST_DIGITS = 9  # more than 100 years have minutes, and far below what int() itself refuses

_TOKEN = re.compile(r"[+-]|[0-9][0-9.,:]*|[^\s+]+")
_PATH = re.compile(r"[\w$][\w$-]*(\.[\w$][\w$-]*)*")
_STEP = re.compile(r"[a-z][a-z0-9_-]*")
_GLUED_MINUS = re.compile(r"(.+)-([0-9]+)")


def _is_number(word: str) -> bool:
    return "0" <= word[0] <= "9"  # not isdigit(), which takes `²` for one


def _unit_hint(word: str, *, plural: bool) -> str:
    if (habit := _UNIT_HABITS.get(word.lower())) is not None:
        return f", did you mean `{habit}`?"
    known = [name for name in _UNITS if name.endswith("s") == plural]
    return did_you_mean(word, known) or f": units are `{'`, `'.join(Unit)}`"


def _read_anchor(text: str, word: str) -> Anchor:
    head, dot, path = word.partition(".")
    if word == "start":
        return StartAnchor()
    if head in ("event", "customer"):
        if not dot:
            example = "event.ends_at" if head == "event" else "customer.trial_ends_at"
            refuse(text, f"`{head}` alone is not a time: name a field, such as `{example}`")
        if not _PATH.fullmatch(path):
            refuse(text, f"`{word}` is not a path: join names by dots, such as `{head}.a.b`")
        return EventAnchor(path) if head == "event" else TraitAnchor(path)
    if dot or not _STEP.fullmatch(word):
        refuse(text, f"unknown anchor `{word}`{_anchor_hint(head.lower(), path)}")
    return StepAnchor(word)


def _anchor_hint(head: str, path: str) -> str:
    if not path:
        return ", did you mean `start`?" if head == "start" else f": write {_ANCHORS}"
    close = get_close_matches(head, ["customer", "event"], n=1)
    root = _ANCHOR_HABITS.get(head) or (close[0] if close else None)
    return f", did you mean `{root}.{path}`?" if root else f": write {_ANCHORS}"


class _Tokens:
    """A text cut into words, numbers and signs, read from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens: Sequence[str] = _TOKEN.findall(plain(text))
        self._next = 0

    def time_expression(self) -> TimeExpression:
        anchor = self._anchor()
        terms: list[Term] = []
        while (sign := self._peek()) in ("+", "-"):
            self._next += 1
            terms.append(self._term(-1 if sign == "-" else 1))
        at: time | None = None
        best_hour = False
        if self._peek() == "at":
            self._next += 1
            best_hour = self._best_hour()
            at = None if best_hour else self._time_of_day()
        self._end("at best hour" if best_hour else "at HH:MM" if at is not None else None)
        self._check_reach(terms)
        return TimeExpression(anchor, tuple(terms), at, best_hour)

    def _best_hour(self) -> bool:
        """Whether `best hour` stands here; it is read then."""
        if (word := self._peek()) is None or not did_you_mean(word, ["best"]):
            return False
        if (word, self._peek(1)) != ("best", "hour"):
            self._refuse(f"unexpected `{word}`: write `at best hour`, or a time such as `at 09:00`")
        self._next += 2
        return True

    def _time_of_day(self) -> time:
        if (word := self._peek()) is None:
            self._refuse("a time of day is missing after `at`: write `at 09:00` or `at best hour`")
        self._next += 1
        return time_of_day(self._text, word)

    def duration(self) -> Duration:
        terms: list[Term] = []
        while (word := self._peek()) is not None:
            if word in ("+", "-"):
                self._refuse(f"a duration has no `{word}`: write it like `1 hour 30 minutes`")
            if terms and not _is_number(word):
                self._refuse(f"unexpected `{word}`: write it like `1 hour 30 minutes`")
            terms.append(self._term(1))
        self._check_reach(terms)
        return Duration(tuple(terms))

    def _peek(self, ahead: int = 0) -> str | None:
        place = self._next + ahead
        return self._tokens[place] if place < len(self._tokens) else None

    def _anchor(self) -> Anchor:
        word = self._tokens[0]
        if word in "+-" or _is_number(word) or (word == "at" and ":" in (self._peek(1) or "")):
            self._refuse(f"a time starts with {_ANCHORS}, such as `start + 1 day at 09:00`")
        glued, unit = _GLUED_MINUS.fullmatch(word), self._peek(1)
        if glued and unit in _UNITS:
            self._refuse(f"put spaces around `-`: write `{glued[1]} - {glued[2]} {unit}`")
        self._next += 1
        return _read_anchor(self._text, word)

    def _term(self, sign: int) -> Term:
        number = self._peek()
        if number is None or not _is_number(number):
            where = f"before `{number}`" if number else "at the end"
            self._refuse(f"a number is missing {where}: write it like `1 day`")
        if not number.isdigit():
            self._refuse(f"`{number}` is not a whole number: write it like `1 day` or `36 hours`")
        word = self._peek(1)
        if word is None or word == "at" or not word[0].isalpha():
            self._refuse(f"a unit is missing after `{number}`: write it like `1 day` or `2 days`")
        if len(number.lstrip("0")) > _MOST_DIGITS:
            self._too_long(f"{number} {word}")
        if (unit := _UNITS.get(word)) is None:
            self._refuse(f"unknown unit `{word}`{_unit_hint(word, plural=int(number) != 1)}")
        self._next += 2
        return Term(sign * int(number), unit)

    def _end(self, last: str | None) -> None:
        """Refuse what follows, after `last` if that has to be the end."""
        word = self._peek()
        if word is None:
            return
        if last is not None:
            self._refuse(f"unexpected `{word}`: nothing follows `{last}`, it comes last")
        if ":" in word:
            self._refuse(f"unexpected `{word}`: write `at {word}`")
        if _is_number(word):
            self._refuse(f"unexpected `{word}`: put `+` or `-` before each number")
        self._refuse(f"unexpected `{word}`: here can stand `+ 1 day`, `- 1 day` or `at 09:00`")

    def _check_reach(self, terms: Iterable[Term]) -> None:
        """Refuse terms that add up to more than a date can bear, whatever their signs."""
        terms = tuple(terms)
        total = sum(abs(term.count) * _MINUTES[term.unit] for term in terms)
        if total > _MOST_YEARS * _MINUTES[Unit.YEAR]:
            self._too_long(" ".join(str(Term(abs(t.count), t.unit)) for t in terms))

    def _too_long(self, what: str) -> NoReturn:
        self._refuse(
            f"{what} is too long: at most {_MOST_YEARS} years, so that no date leaves the calendar"
        )

    def _refuse(self, problem: str) -> NoReturn:
        refuse(self._text, problem)
