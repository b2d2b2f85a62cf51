"""Random lives of a few customers, as calls; and what the store holds when all have arrived.

They are drawn so that order could matter wherever it might: starts, exits and goals of
journeys that may be re-entered in every way, visitors who turn out to be somebody, customers
who turn out to be one, companies that people join, traits that are set and cleared.
"""

import asyncio
import shutil
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck
from hypothesis import strategies as st
from sqlalchemy import select
from sqlmodel import col

from api.accept import accept
from api.services import Services
from engine.calls import Alias, Group, Identify, SegmentCall, Track
from engine.definition import Journey
from engine.events import is_reserved
from engine.keys import anonymous_customer
from store.database import Database
from store.tables import Company, Customer, Enrollment, Event, EventStats
from tests.api.given import Wall, load_settings

ORIGIN = datetime(2026, 11, 23, 8, tzinfo=UTC)
RECEIVED = ORIGIN + timedelta(hours=8)  # of all: within `fresh`, and before any step is due
MINUTE = timedelta(minutes=1)

# For hypothesis: each life is played on a store of its own, which takes what it takes.
UNHURRIED: dict[str, Any] = {
    "deadline": None,
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
}

PEOPLE = ("ada", "bo")
VISITORS = (anonymous_customer("x"), anonymous_customer("y"))
COMPANIES = ("acme",)


def journey(name: str, **changes: Any) -> Journey:
    given: dict[str, Any] = {
        "journey": name,
        "title": name,
        "starts_on": "began",
        "ends_on": "left",
        "goal": "bought",
        "topic": "news",
        "steps": [{"send": "hello", "at": "start + 1 day"}],
    }
    return Journey.model_validate({**given, **changes})


JOURNEYS = (
    journey("once"),
    journey("again", reenter="after_exit"),
    journey("anew", reenter="restart"),
    journey("kept", key="cart", reenter="after_exit"),
    journey("each", reenter="always"),
    journey("each-cart", key="cart", reenter="always"),
    journey("newest", key="cart", newest_only=True, reenter="restart"),
    journey("newest-run", key="cart", newest_only=True, reenter="after_exit"),
    journey("colleagues", ends_on={"event": "left", "of": "company"}),
    journey("dated", steps=[{"send": "late", "at": "customer.company.ends - 1 day"}]),
    journey("choosy", starts_on={"event": "began", "where": "event.cart == 'c1'"}),
)


_NEWEST = tuple(each.journey for each in JOURNEYS if each.newest_only)
_ONCE = tuple(each.journey for each in JOURNEYS if each.reenter == "never")


@st.composite
def lives(draw: st.DrawFn, *, most: int = 9, joins: bool = True) -> list[SegmentCall]:
    """Calls in the order in which they happened, no two at one instant.

    Nobody joins two companies, and no device is used by two people: then the order of
    arrival does decide, as it must. So it does for `reenter: restart` where two customers
    are joined that were both inside: the older enrollment stays, whichever way round. And to
    `newest_only`, whose newest stays.
    """
    count = draw(st.integers(2, most))
    minutes = draw(
        st.lists(st.integers(0, 400), min_size=count, max_size=count, unique=True).map(sorted)
    )
    owner = {visitor: draw(st.sampled_from(PEOPLE)) for visitor in VISITORS}
    kinds = ["track", "track", "track", "identify", "group"] + (["link", "alias"] if joins else [])
    return [
        _call(draw, draw(st.sampled_from(kinds)), ORIGIN + minute * MINUTE, f"m{number}", owner)
        for number, minute in enumerate(minutes)
    ]


def _call(
    draw: st.DrawFn, kind: str, at: datetime, message_id: str, owner: dict[str, str]
) -> SegmentCall:
    common: dict[str, Any] = {"at": at, "message_id": message_id}
    who = draw(st.sampled_from(PEOPLE))
    match kind:
        case "track":
            anyone = draw(st.sampled_from((*PEOPLE, *PEOPLE, *VISITORS)))
            event = draw(st.sampled_from(("began", "began", "left", "bought", "looked")))
            cart = draw(st.sampled_from((None, "c1", "c2")))
            properties = {} if cart is None else {"cart": cart}
            return Track(**common, customer_id=anyone, event=event, properties=properties)
        case "identify":
            anyone = draw(st.sampled_from((*PEOPLE, *VISITORS)))
            values: st.SearchStrategy[Any] = st.sampled_from((1, 2, None))
            traits = draw(st.dictionaries(st.sampled_from("ab"), values))
            zone = draw(st.sampled_from((None, "Europe/Paris", "Asia/Tokyo")))
            return Identify(**common, customer_id=anyone, traits=traits, timezone=zone)
        case "group":
            dates: st.SearchStrategy[Any] = st.just("2027-01-01")
            traits = draw(st.dictionaries(st.sampled_from(("ends", "plan")), dates))
            return Group(**common, customer_id=who, company_id=COMPANIES[0], traits=traits)
        case "link":
            visitor = draw(st.sampled_from(VISITORS))
            return Identify(**common, customer_id=owner[visitor], formerly=(visitor,), traits={})
        case _:
            return Alias(**common, customer_id=PEOPLE[0], formerly=(PEOPLE[1],))


def arrivals(calls: Sequence[SegmentCall]) -> st.SearchStrategy[list[list[SegmentCall]]]:
    """The calls in any order, cut into requests anyhow, some of them sent twice."""

    @st.composite
    def drawn(draw: st.DrawFn) -> list[list[SegmentCall]]:
        repeated = [each for each in calls if draw(st.integers(0, 4)) == 0]
        order = draw(st.permutations([*calls, *repeated]))
        requests: list[list[SegmentCall]] = [[]]
        for call in order:
            if draw(st.booleans()):
                requests.append([])
            requests[-1].append(call)
        return [each for each in requests if each]

    return drawn()


def after(published: Path, requests: Sequence[Sequence[SegmentCall]]) -> dict[str, Any]:
    """What the store holds after these requests; `published` is a SQLite file to begin with."""

    async def played() -> dict[str, Any]:
        with tempfile.TemporaryDirectory() as folder:
            path = shutil.copy(published, Path(folder) / "store.db")
            url = f"sqlite+aiosqlite:///{path}"
            database = Database(url)
            services = Services(database=database, settings=load_settings(url), wall=Wall(RECEIVED))
            try:
                for request in requests:
                    await accept(services, request, RECEIVED)
                return await outcome(database, [call for request in requests for call in request])
            finally:
                await database.dispose()

    return asyncio.run(played())


async def outcome(database: Database, calls: Sequence[SegmentCall]) -> dict[str, Any]:
    """What must not hang on the order: people, companies, statistics, who is inside what."""
    joined = any(isinstance(call, Alias) for call in calls)
    left_out = ("anew", *_NEWEST) if joined else ()
    async with database.reading() as session:
        rows = list(await session.scalars(select(Customer).order_by(col(Customer.id))))
        stats = list(await session.scalars(select(EventStats)))
        companies = list(await session.scalars(select(Company)))
        found = await session.scalars(select(Enrollment))
        enrollments = [row for row in found if row.journey not in left_out]
        events = list(await session.scalars(select(Event)))
    return {
        "people": {row.id: _person(row) for row in rows if row.merged_into is None},
        "names": {row.id: row.merged_into for row in rows if row.merged_into is not None},
        "companies": {row.id: row.traits for row in companies},
        "stats": sorted(
            (s.customer_id, s.name, s.first_at, s.last_at, s.count)
            for s in stats
            if not is_reserved(s.name)
        ),
        "events": sorted(
            (e.message_id, e.customer_id, e.occurred_at)
            for e in events
            if "." not in (e.name or "")
        ),
        "inside": sorted(
            (e.customer_id, e.journey, e.key or "", e.start_event_id, e.start_at)
            for e in enrollments
            if e.ending is None
        ),
        "over": _over(enrollments),
    }


def _person(row: Customer) -> dict[str, Any]:
    return {
        "traits": row.traits,
        "first_seen_at": row.first_seen_at,
        "last_seen_at": row.last_seen_at,
        "zone": row.context_timezone,
        "company": row.company_id,
    }


def _over(rows: Sequence[Enrollment]) -> dict[tuple[str, str, str], Any]:
    """Where nobody is inside: how the last one ended. Those that became another do not count.

    Of `newest_only` what counts is the newest: an older one need never have been there. Where
    one is the most that anybody has, it is the first: of two customers who are joined the other
    may have had one too, which was over by then and stays.
    """
    inside = {(r.customer_id, r.journey, r.key or "") for r in rows if r.ending is None}
    last: dict[tuple[str, str, str], Any] = {}
    for row in sorted(rows, key=lambda row: row.start_at):
        which = (row.customer_id, row.journey, row.key or "")
        if row.journey in _NEWEST and any(_is_newer(other, row) for other in rows):
            continue
        if which in inside or row.ended_by in ("customer.merged", "began"):
            continue
        if which in last and row.journey in _ONCE:
            continue
        last[which] = max(last.get(which, (ORIGIN, "")), (row.ended_at or ORIGIN, row.state.value))
    return last


def _is_newer(other: Enrollment, row: Enrollment) -> bool:
    return (other.customer_id, other.journey) == (
        row.customer_id,
        row.journey,
    ) and other.start_at > row.start_at
