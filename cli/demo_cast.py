"""The twenty customers of the demo: who they are, and what they do on which day.

Data only. Days count from when the customer's own trial begins; `trial_days` is how long it
is said to last (None: nobody says). What they get follows from the journey, not from here.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

USED = "report_opened"
BOUGHT = "subscription_purchased"
CANCELLED = "trial_cancelled"


@dataclass(frozen=True)
class Does:
    """On this day they do this in the app."""

    day: float
    event: str
    properties: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Tells:
    """On this day the app learns this about them. `trial_days` moves the end of the trial."""

    day: float
    traits: Mapping[str, Any] = field(default_factory=dict)
    trial_days: int | None = None


@dataclass(frozen=True)
class Unsubscribes:
    """On this day they use the unsubscribe link of the last mail they got."""

    day: float


Happening = Does | Tells | Unsubscribes


@dataclass(frozen=True)
class Member:
    """One customer. `late_days`: enrolled by hand, so long after the trial began."""

    id: str
    story: str
    traits: Mapping[str, Any]
    trial_days: int | None
    happenings: tuple[Happening, ...] = ()
    late_days: int | None = None


def _daily(last_day: int) -> tuple[Does, ...]:
    return tuple(Does(day, USED) for day in range(1, last_day + 1))


_INES = {"name": "Inès Laurent", "email": "ines.laurent@atelier.example"}
_TOM = {"name": "Tom Baker", "email": "tom.baker@atelier.example", "phone": "+44 20 7946 0102"}


def _traits(
    name: str, zone: str = "Europe/Paris", *, email: str | None = "", **more: Any
) -> dict[str, Any]:
    address = f"{name.lower()}@example.com" if email == "" else email
    given = {"first_name": name, "timezone": zone, **more}
    return given if address is None else {**given, "email": address}


CAST: tuple[Member, ...] = (
    Member("ada", "buys on day 4", _traits("Ada", representative=_TOM), 21,
           (Does(1, USED), Does(3, USED), Does(4, BOUGHT, {"plan": "pro", "total": 49}))),
    Member("bruno", "never comes back; French",
           _traits("Bruno", locale="fr", representative=_INES), 21),
    Member("chloe", "uses it every day", _traits("Chloe", locale="fr"), 21, _daily(21)),
    Member("dan", "cancels on day 6", _traits("Dan", "Europe/London"), 21,
           (Does(6, CANCELLED),)),
    Member("elif", "stops using it on day 5", _traits("Elif", "Europe/Istanbul"), 28,
           (Does(3, USED), Does(5, USED))),
    Member("farid", "is idle twice", _traits("Farid", representative=_TOM), 28,
           (Does(12, USED),)),
    Member("greta", "daily, buys with coupon", _traits("Greta", "Europe/Berlin"), 21,
           (*_daily(17), Does(18, BOUGHT, {"plan": "pro", "total": 39.2}))),
    Member("hugo", "trial extended on day 8", _traits("Hugo"), 14, (Tells(8, trial_days=28),)),
    Member("ivy", "trial shortened on day 8", _traits("Ivy", "Europe/London"), 28,
           (Tells(8, trial_days=13),)),
    Member("jan", "no end date, buys day 25", _traits("Jan", "Europe/Prague"), None,
           (Does(25, BOUGHT, {"plan": "team", "total": 99}),)),
    Member("kofi", "end date known on day 12", _traits("Kofi", "Africa/Accra"), None,
           (Tells(12, trial_days=24),)),
    Member("lena", "unsubscribes on day 1", _traits("Lena", "Europe/Vienna"), 21,
           (Unsubscribes(1.2),)),
    Member("mila", "has no e-mail address", _traits("Mila", email=None), 21),
    Member("noor", "lives in Auckland", _traits("Noor", "Pacific/Auckland"), 21),
    Member("otto", "lives in Los Angeles", _traits("Otto", "America/Los_Angeles"), 21),
    Member("paula", "gives address on day 5", _traits("Paula", "Europe/Madrid", email=None), 21,
           (Tells(5, {"email": "paula@example.com"}),)),
    Member("quinn", "mistyped the address", _traits("Quinn", "Europe/Dublin", email="quinn@"), 21),
    Member("rosa", "by hand, 4 weeks late", _traits("Rosa"), 40, late_days=28),
    Member("sven", "buys on day 12", _traits("Sven", "Europe/Stockholm"), 21,
           (Does(12, BOUGHT, {"plan": "pro", "total": 49}),)),
    Member("tess", "only an address known", {"email": "tess@example.com"}, 21),
)  # fmt: skip


def cast(number: int) -> Iterator[Member]:
    """So many customers; beyond the cast they come again, under another id and address."""
    for place in range(number):
        round_, which = divmod(place, len(CAST))
        member = CAST[which]
        yield member if round_ == 0 else _again(member, round_ + 1)


def _again(member: Member, round_: int) -> Member:
    traits = dict(member.traits)
    if "@example.com" in str(traits.get("email")):
        traits["email"] = f"{member.id}.{round_}@example.com"
    return replace(member, id=f"{member.id}-{round_}", traits=traits)
