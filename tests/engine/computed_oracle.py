"""Computed traits and segments the plain way: everything anew, from the list of events.

The policy below has every kind, and the oracle says each of them again in Python, looking
at all events every time. It shares the calendar (`shift`, which has an oracle of its own)
and nothing else with what it is compared to.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from statistics import median
from typing import Any
from zoneinfo import ZoneInfo

from engine.expressions import parse_duration
from engine.localtime import shift, zone
from engine.matching import PastEvent
from engine.policy import Policy

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
US = timedelta(microseconds=1)

# Around a day that Samoa skipped, and both of the changes of everybody else's clocks.
FIRST, LAST = datetime(2011, 9, 1, tzinfo=UTC), datetime(2013, 4, 1, tzinfo=UTC)
ZONES = (
    "Pacific/Apia", "Europe/Paris", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu",
    "America/Sao_Paulo", "Africa/Casablanca", "UTC",
)  # fmt: skip

POLICY = Policy.model_validate(
    {
        "sender": {"name": "Ana", "email": "a@b.example"},
        "postal_address": "1 Road",
        "topics": {"news": {"title": "News", "subscribed": True}},
        "traits": {
            "orders": {"count": "bought"},
            "large_orders": {"count": "bought", "where": "event.total > 50"},
            "month_orders": {"count": "bought", "within": "1 month"},
            "spent": {"sum": "bought", "of": "total"},
            "lately_spent": {"sum": "bought", "of": "total", "within": "6 weeks 12 hours"},
            "first_order_at": {"first": "bought"},
            "first_kind": {"first": "bought", "of": "kind"},
            "last_order_at": {"last": "bought"},
            "last_kind": {"last": "bought", "of": "kind"},
            "favourite_kind": {"favourite": "bought", "of": "kind"},
            "usual_interval": {"interval": "bought"},
            "usual_next_at": {"next": "bought"},
            "season": {"season": "bought", "apart": "1 month"},
            "rfm": {
                "rfm": "bought", "of": "total", "within": "1 year",
                "recency": ["3 months", "30 days"], "frequency": [2, 5], "money": [100, "250.5"],
            },
        },
        "segments": {
            "lapsed": {"when": "customer.orders > 0 and count('bought', '90 days') == 0"},
            "busy": {"when": "count('bought', '2 weeks') >= 2 or count('seen', '36 hours') > 2"},
            "slowing": {"when": "customer.month_orders < 2 and customer.orders > 2"},
            "valuable": {"when": "customer.rfm.score in ['333', '332', '323', '233']"},
            "cooling": {"when": "customer.rfm.recency == 2"},
            "spender": {"when": "customer.lately_spent > 120 and customer.plan == 'pro'"},
            "never": {"when": "customer.plan > 5"},  # an error for those who have a plan
        },
    }
)  # fmt: skip


@dataclass(frozen=True)
class Person:
    """A random customer: where they live, what they are, and what they did, by time."""

    tz: ZoneInfo
    own: Mapping[str, Any]
    events: Sequence[PastEvent]

    def values(self, at: datetime) -> dict[str, Any]:
        """The computed traits."""
        bought = self._bought(at)
        large = [each for each in bought if _is_large(each.properties.get("total"))]
        times = [each.at for each in bought]
        kinds = [(each.at, each.properties["kind"]) for each in bought if "kind" in each.properties]
        usual = _usual(times[-32:])
        found = {
            "orders": len(bought),
            "large_orders": len(large),
            "month_orders": len(self._within(bought, "1 month", at)),
            "spent": _total(bought),
            "lately_spent": _total(self._within(bought, "6 weeks 12 hours", at)),
            "first_order_at": _iso(times[0]) if times else None,
            "first_kind": min(kinds)[1] if kinds else None,
            "last_order_at": _iso(times[-1]) if times else None,
            "last_kind": max(kinds)[1] if kinds else None,
            "favourite_kind": _favourite(kinds[-100:]),
            "usual_interval": None if usual is None else usual / timedelta(days=1),
            "usual_next_at": None if usual is None else _iso(times[-1] + usual),
            "season": self._season(times),
            "rfm": self._rfm(bought, at),
        }
        return {name: value for name, value in found.items() if value is not None}

    def inside(self, at: datetime) -> frozenset[str]:
        """The segments."""
        bought, plan = self._bought(at), self.own.get("plan")
        seen = [each for each in self.events if each.name == "seen" and each.at <= at]
        rfm = self._rfm(bought, at) or {}
        month = self._within(bought, "1 month", at)
        lately = self._within(bought, "6 weeks 12 hours", at)
        holds = {
            "lapsed": bought and not self._within(bought, "90 days", at),
            "busy": len(self._within(bought, "2 weeks", at)) >= 2
            or len(self._within(seen, "36 hours", at)) > 2,
            "slowing": len(month) < 2 and len(bought) > 2,
            "valuable": rfm.get("score") in ("333", "332", "323", "233"),
            "cooling": rfm.get("recency") == 2,
            "spender": plan == "pro" and _total(lately) > 120,
            "never": False,
        }
        return frozenset(name for name, is_in in holds.items() if is_in)

    def _bought(self, at: datetime) -> list[PastEvent]:
        return [each for each in self.events if each.name == "bought" and each.at <= at]

    def _within(self, events: Sequence[PastEvent], within: str, at: datetime) -> list[PastEvent]:
        return [each for each in events if at < self._end(each, within)]

    def _end(self, event: PastEvent, within: str) -> datetime:
        return self._shifted[event.at, within]

    @cached_property
    def _shifted(self) -> "_Ends":
        return _Ends(self.tz)

    def _season(self, times: Sequence[datetime]) -> str | None:
        began = None
        for place, at in enumerate(times):
            if place == 0 or self._shifted[times[place - 1], "1 month"] < at:
                began = at
        return None if began is None else _iso(began)

    def _rfm(self, bought: Sequence[PastEvent], at: datetime) -> dict[str, Any] | None:
        inside = self._within(bought, "1 year", at)
        if not inside:
            return None
        money, last = _total(inside), bought[-1]
        recency = 1 + sum(at < self._end(last, each) for each in ("3 months", "30 days"))
        frequency = 1 + (len(inside) >= 2) + (len(inside) >= 5)
        worth = 1 + (money >= 100) + (money >= 250.5)
        return {
            "recency": recency,
            "frequency": frequency,
            "money": worth,
            "score": f"{recency}{frequency}{worth}",
        }


class _Ends(dict[tuple[datetime, str], datetime]):
    """When what happened then counts no longer within so long: looked up once."""

    def __init__(self, tz: ZoneInfo) -> None:
        super().__init__()
        self._tz = tz

    def __missing__(self, key: tuple[datetime, str]) -> datetime:
        self[key] = shift(key[0], parse_duration(key[1]).terms, self._tz)
        return self[key]


def _is_large(total: object) -> bool:
    return isinstance(total, int | float) and total > 50


def _total(events: Sequence[PastEvent]) -> float:
    """Exactly, of what is a number and may be money."""
    said = (each.properties.get("total") for each in events)
    numbers = (each for each in said if isinstance(each, int | float) and each is not True)
    money = (each for each in numbers if each < 10**15)
    return float(sum((Fraction(str(each)) for each in money), Fraction()))


def _usual(times: Sequence[datetime]) -> timedelta | None:
    if len(times) < 3:
        return None
    gaps = [(after - before) // US for before, after in pairwise(times)]
    return median(map(Fraction, gaps)) // 1 * US


def _favourite(kinds: Sequence[tuple[datetime, str]]) -> str | None:
    said = [kind for _, kind in kinds]
    last = dict(sorted((kind, at) for at, kind in kinds))
    ranked = sorted(set(said), key=lambda kind: (-said.count(kind), EPOCH - last[kind], kind))
    return ranked[0] if ranked else None


def _iso(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def somebody(draw: random.Random) -> Person:
    """A random customer. Some do much at one time, some at the same time of day, or the same."""
    tz = zone(draw.choice(ZONES))
    assert tz is not None
    span = (LAST - FIRST) // US
    around = [FIRST + draw.randrange(span) * US for _ in range(draw.randint(1, 3))]
    events = []
    for _ in range(draw.choice((0, 1, 2, 5, 12, 25))):
        at = draw.choice(around) + timedelta(days=draw.choice((0, 1, 1, 2, 7, 30, 31, 45, 90)))
        if draw.random() < 0.5:
            at += timedelta(minutes=draw.randrange(3 * 1440))
        events.append(PastEvent(draw.choice(("bought", "bought", "seen")), at, _said(draw)))
    own = draw.choice(({}, {"plan": "pro"}, {"plan": "free", "orders": 99}))
    return Person(tz, own, sorted(events, key=lambda each: each.at))


def _said(draw: random.Random) -> dict[str, Any]:
    total = draw.choice((0, 10, 19.99, 33.3, 75, 120.05, "12", None, True, 1e300))
    said = {"total": total, "kind": draw.choice(("shoes", "hats", "bags"))}
    return {key: said[key] for key in said if draw.random() < 0.8}
