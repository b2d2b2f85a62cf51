"""What can be computed of customers, as data: `traits` and `segments` of the policy file.

Decides what a definition may say; what it comes to for a customer is `engine.computed`'s.
Knows no condition: those are texts here. The surprising fact: a trait is written with its
kind as a key (`{count: order_completed}`), so its kind and its event are one entry.
"""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from engine.expressions import Duration, Unit
from engine.fields import DurationText, Name

# What Parcours itself reads of a customer: computed, it would send mail by what somebody did.
READ_BY_US = (
    "address", "company", "country", "email", "id", "locale", "phone", "preferred_channel",
    "region", "timezone",
)  # fmt: skip

_TRAIT = re.compile(r"[a-z][a-z0-9_]*")
# A class is one digit of the score.
_MOST_THRESHOLDS = 8
_LEAST_MINUTES = {
    Unit.MINUTE: 1, Unit.HOUR: 60, Unit.DAY: 1440, Unit.WEEK: 7 * 1440, Unit.MONTH: 28 * 1440,
    Unit.YEAR: 365 * 1440,
}  # fmt: skip


class Kind(StrEnum):
    """How a trait is computed: the key that it is written with, and whose value is the event."""

    COUNT = "count"
    SUM = "sum"
    FIRST = "first"
    LAST = "last"
    FAVOURITE = "favourite"
    INTERVAL = "interval"
    NEXT = "next"
    SEASON = "season"
    RFM = "rfm"


# The keys that a kind needs, and those that it may have as well; `where` goes with all.
_NEEDS: Mapping[Kind, tuple[str, ...]] = {
    Kind.SUM: ("of",),
    Kind.FAVOURITE: ("of",),
    Kind.SEASON: ("apart",),
    Kind.RFM: ("of", "within", "recency", "frequency", "money"),
}
_MAY_HAVE: Mapping[Kind, tuple[str, ...]] = {
    Kind.COUNT: ("within",),
    Kind.SUM: ("within",),
    Kind.FIRST: ("of",),
    Kind.LAST: ("of",),
}
_EXAMPLES = {
    "of": "total", "within": "90 days", "apart": "4 months", "recency": "[180 days, 60 days]",
    "frequency": "[2, 5]", "money": "[100, 500]",
}  # fmt: skip


def _check_trait(name: str) -> str:
    if not _TRAIT.fullmatch(name):
        raise ValueError(
            f"`{name}` is not a trait's name: start with a lower case letter, then lower case "
            "letters, digits or `_`"
        )
    if name in READ_BY_US:
        raise ValueError(
            f"`{name}` can't be computed: it is the customer's own, and Parcours reads it; take "
            f"another name, such as `usual_{name}`"
        )
    return name


TraitName = Annotated[str, AfterValidator(_check_trait)]
_Event = Annotated[str, Field(min_length=1, examples=["order_completed"])]
_Property = Annotated[str, Field(min_length=1, examples=["total"])]


def _thresholds(key: str) -> Any:
    return Field(max_length=_MOST_THRESHOLDS, examples=[_EXAMPLES[key]])


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)


class ComputedTrait(_Frozen):
    """A trait made of a customer's events. Exactly one of the first nine keys is given."""

    count: _Event | None = None
    sum: _Event | None = None
    first: _Event | None = None
    last: _Event | None = None
    favourite: _Event | None = None
    interval: _Event | None = None
    next: _Event | None = None
    season: _Event | None = None
    rfm: _Event | None = None
    where: str | None = None
    of: _Property | None = None  # the property that it is about
    within: DurationText | None = None
    apart: DurationText | None = Field(default=None, examples=[_EXAMPLES["apart"]])
    recency: Annotated[tuple[DurationText, ...], _thresholds("recency")] | None = None
    frequency: Annotated[tuple[int, ...], _thresholds("frequency")] | None = None
    money: Annotated[tuple[Decimal, ...], _thresholds("money")] | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        kinds = [kind for kind in Kind if getattr(self, kind) is not None]
        if len(kinds) != 1:
            listed = ", ".join(f"`{kind}`" for kind in Kind)
            raise ValueError(
                f"a computed trait has exactly one of {listed}"
                + (f", not {' and '.join(f'`{kind}`' for kind in kinds)}" if kinds else "")
            )
        needs, may_have = _NEEDS.get(self.kind, ()), _MAY_HAVE.get(self.kind, ())
        for key in _EXAMPLES:
            given = getattr(self, key) is not None
            if key in needs and not given:
                raise ValueError(f"`{self.kind}` needs `{key}`: add `{key}: {_EXAMPLES[key]}`")
            if given and key not in needs and key not in may_have:
                raise ValueError(f"`{key}` means nothing with `{self.kind}`: remove it")
        for key in ("within", "apart"):
            duration = getattr(self, key)
            if duration is not None and duration.is_zero:
                raise ValueError(f"`{key}` needs some time, such as `90 days`")
        self._check_thresholds()
        return self

    def _check_thresholds(self) -> None:
        if self.kind is not Kind.RFM:
            return
        lists: dict[str, Sequence[Decimal | int]] = {
            "recency": [-_least_minutes(each) for each in self.recency or ()],
            "frequency": self.frequency or (),
            "money": self.money or (),
        }
        for key, thresholds in lists.items():
            if not thresholds or any(a >= b for a, b in pairwise(thresholds)):
                how = "the shortest last" if key == "recency" else "the largest last"
                raise ValueError(
                    f"`{key}` lists what separates the classes, {how}, such as `{_EXAMPLES[key]}`"
                )

    @property
    def kind(self) -> Kind:
        """How it is computed."""
        return next(kind for kind in Kind if getattr(self, kind) is not None)

    @property
    def is_always_there(self) -> bool:
        """Whether also those who did nothing have it: as nought."""
        return self.kind in (Kind.COUNT, Kind.SUM)

    @property
    def event(self) -> str:
        """The event that it is made of."""
        event = getattr(self, self.kind)
        assert isinstance(event, str)
        return event


def _least_minutes(duration: Duration) -> int:
    return sum(term.count * _LEAST_MINUTES[term.unit] for term in duration.terms)


class Segment(_Frozen):
    """Customers of whom a condition holds: over their traits, and what they did how often."""

    title: str | None = Field(default=None, min_length=1, examples=["Have not bought for long"])
    when: str = Field(min_length=1, examples=["count('order_completed', '90 days') == 0"])


TraitDefinitions = dict[TraitName, ComputedTrait]
SegmentDefinitions = dict[Name, Segment]
