"""Windows and days: `between: 09:00-18:00`, `days: mon-fri`.

Decides what the texts mean; when a window is open for a customer is `localtime`'s. The
surprising fact: there is no window for the whole day, only the absence of one.
"""

from dataclasses import dataclass
from datetime import time

from engine.reading import did_you_mean, plain, refuse, time_of_day

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_WEEKDAYS = {name: n for names in (_DAYS, _DAY_NAMES) for n, name in enumerate(names)}


@dataclass(frozen=True, slots=True)
class Window:
    """A local time of day from `opens` up to, not including, `closes`.

    Where `closes` is not later than `opens` it is on the next day, so `18:00-24:00` is kept
    as `18:00-00:00`. The ends differ: the whole day is no window but its absence.
    """

    opens: time
    closes: time

    def __str__(self) -> str:
        return f"{self.opens:%H:%M}-{self.closes:%H:%M}"

    @property
    def spans_midnight(self) -> bool:
        """Whether it closes on the day after the one it opened on."""
        return self.closes <= self.opens


@dataclass(frozen=True, slots=True)
class Days:
    """Days of the week: Monday is 0; sorted, each once, at least one."""

    weekdays: tuple[int, ...]

    def __str__(self) -> str:
        runs: list[list[int]] = []
        for day in self.weekdays:
            if runs and runs[-1][-1] == day - 1:
                runs[-1].append(day)
            else:
                runs.append([day])
        return ",".join(
            f"{_DAYS[run[0]]}-{_DAYS[run[-1]]}"
            if len(run) > 2
            else ",".join(_DAYS[day] for day in run)
            for run in runs
        )


def parse_window(text: str) -> Window:
    """`09:00-18:00`, `20:00-02:00`; else ExpressionError.

    `24:00` is allowed as the end. `00:00-24:00` is refused, as every window with equal
    ends: it would either never open or never close.
    """
    opens_text, dash, closes_text = plain(text).partition("-")
    if not dash or not opens_text.strip() or not closes_text.strip():
        refuse(text, "not a window: write two times of day, such as `09:00-18:00`")
    opens = time_of_day(text, opens_text.strip())
    closes_text = closes_text.strip()
    closes = time() if closes_text == "24:00" else time_of_day(text, closes_text)
    if opens == closes:
        refuse(text, "a window can't open and close at one time; for the whole day, leave it out")
    return Window(opens, closes)


def parse_days(text: str) -> Days:
    """`mon`, `mon-fri`, `sat-mon`, `mon,wed,fri-sun`, in any case; else ExpressionError."""
    found: set[int] = set()
    for item in plain(text).split(","):
        first, dash, last = (part.strip() for part in item.partition("-"))
        start = _weekday(text, first)
        if not dash:
            found.add(start)
            continue
        end = _weekday(text, last)
        if start == end:
            refuse(text, f"`{item.strip()}` is one day or seven: write `{first}` or `mon-sun`")
        found.update((start + n) % 7 for n in range((end - start) % 7 + 1))
    return Days(tuple(sorted(found)))


def _weekday(text: str, word: str) -> int:
    if not word:
        refuse(text, "a day is missing: write days such as `mon-fri` or `mon,wed,fri`")
    day = _WEEKDAYS.get(word.lower())
    if day is None:
        hint = did_you_mean(word, _WEEKDAYS) or f": days are `{'`, `'.join(_DAYS)}`"
        refuse(text, f"unknown day `{word}`{hint}")
    return day
